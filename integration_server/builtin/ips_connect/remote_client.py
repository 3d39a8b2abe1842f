"""Calls to another server's gateway, as a slave makes them.

Everything but a whole and well-formed answer is an outage. Whatever is told of one, to people or to the log, names the
master's host, the method and the status, and quotes nothing that was sent or answered.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import quote, urlencode

from integration_server import (
    BackendMisconfigured,
    BackendUnavailable,
    Deadline,
    DeliveryFailed,
    HttpAnswer,
    HttpClient,
    UnwritableValue,
    parse_url,
)
from integration_server.builtin.ips_connect.account import is_storable
from integration_server.builtin.ips_connect.calls import connect_id
from integration_server.builtin.ips_connect.keys import expected_key
from integration_server.builtin.ips_connect.methods import METHODS, IdType, Status

_HEADERS = {"Accept": "application/json", "User-Agent": "integration-server"}
_STATUSES = {status.value: status for status in Status}
_LONGEST_SALT = 255
#: Client errors that may heal by themselves.
_LATER = (408, 425, 429)


class UnknownMethod(BackendMisconfigured):
    """The master does not know a method."""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Whose password was right. Who is still validating must not be let in; ``revalidate_url`` may be empty for them,
    too."""

    id: int
    name: str
    email: str
    is_validating: bool
    revalidate_url: str


@dataclass(frozen=True, slots=True)
class _Reply:
    status: Status
    values: Mapping[str, object] = field(repr=False)


class MasterClient:
    """One master. Thread-safe; owns nothing. Does no I/O when made.

    All calls raise BackendTimeout after the deadline, BackendUnavailable when there is no answer to go by, and
    BackendMisconfigured where the master does not take our key or does not know the method.
    """

    def __init__(
        self,
        url: str,
        key: str,
        http: HttpClient,
        ca_file: str | None = None,
        random_hex: Callable[[int], str] = secrets.token_hex,
    ) -> None:
        """Raises ValueError for what is no URL."""
        self.origin = parse_url(url).origin
        self._url = url
        self._key = key
        self._http = http
        self._ca_file = ca_file
        self._random_hex = random_hex

    # -- people --------------------------------------------------------------------------------------------------

    def fetch_id(self, id_type: IdType, login: str, deadline: Deadline) -> int | None:
        """The account that people mean who type ``login``. Raises UnknownMethod: the documents do not name it."""
        reply = self._call("fetchId", {"id": login, "idType": id_type.value}, deadline, Status.ACCOUNT_NOT_FOUND)
        return self._id(reply, "fetchId") if reply.status is Status.SUCCESS else None

    def fetch_salt(self, id_type: IdType, login: str, deadline: Deadline) -> str | None:
        """The salt of an account, empty where it has no password; None where there is no such account."""
        reply = self._call("fetchSalt", {"id": login, "idType": id_type.value}, deadline, Status.ACCOUNT_NOT_FOUND)
        if reply.status is not Status.SUCCESS:
            return None
        salt = reply.values.get("pass_salt")
        if not isinstance(salt, str | None) or (salt and (len(salt) > _LONGEST_SALT or not is_storable(salt))):
            self._fail("fetchSalt", "tells no salt")
        return salt or ""

    def login(self, id_type: IdType, login: str, pass_hash: str, deadline: Deadline) -> LoggedIn | None:
        """Who logs in with a hash, or None where it is not theirs."""
        values = {"id": login, "idType": id_type.value, "password": pass_hash}
        reply = self._call("login", values, deadline, Status.WRONG_AUTH, Status.ACCOUNT_NOT_FOUND)
        if reply.status is not Status.SUCCESS:
            return None
        told = reply.values
        name, email, url = (told.get(key) for key in ("name", "email", "connect_revalidate_url"))
        connected = told.get("connect_status")
        if connected not in (Status.SUCCESS.value, Status.VALIDATING.value):
            self._fail("login", "has no connect_status that we know")
        if not isinstance(name, str) or not isinstance(email, str) or not isinstance(url, str | None):
            self._fail("login", "does not tell who it is")
        is_validating = connected == Status.VALIDATING.value
        return LoggedIn(self._id(reply, "login"), name, email, is_validating, url or "")

    def has_email(self, email: str, deadline: Deadline) -> bool:
        """Whether somebody has the address."""
        return self._is_used("checkEmail", {"email": email}, deadline)

    def has_name(self, name: str, deadline: Deadline) -> bool:
        """Whether somebody has the display name."""
        return self._is_used("checkName", {"name": name}, deadline)

    def register(
        self, name: str, email: str, pass_hash: str, pass_salt: str, our_url: str | None, deadline: Deadline
    ) -> int:
        """Make an account, and return its id; or that of somebody who has the address or the name already.

        ``our_url`` is what this server is registered with, so that it is not told. Raises UnwritableValue.
        """
        values = {"name": name, "email": email, "pass_hash": pass_hash, "pass_salt": pass_salt, "revalidateUrl": ""}
        if our_url is not None:
            values["url"] = our_url
        may = (Status.REQUEST_MISSING_DATA, Status.EMAIL_IN_USE, Status.USERNAME_IN_USE)
        reply = self._call("register", values, deadline, *may)
        if reply.status is not Status.SUCCESS:
            raise UnwritableValue(f"the master at {self.origin} does not take the account: {reply.status.value}")
        return self._id(reply, "register")

    # -- the network ---------------------------------------------------------------------------------------------

    def verify_settings(self, our_url: str, our_key: str, deadline: Deadline) -> bool:
        """Ask to be told of changes; whether the master will."""
        reply = self._call("verifySettings", {"url": our_url, "ourKey": our_key}, deadline, Status.FAILURE)
        return reply.status is Status.SUCCESS

    def ping(self, deadline: Deadline) -> None:
        """A question that changes nothing, about somebody who is not there."""
        self.has_name(self._random_hex(16), deadline)

    # -- asking --------------------------------------------------------------------------------------------------

    def _is_used(self, method: str, values: Mapping[str, str], deadline: Deadline) -> bool:
        used = self._call(method, values, deadline).values.get("used")
        if used in (1, "1"):
            return True
        if used not in (0, "0"):
            self._fail(method, "says neither yes nor no")
        return False

    def _id(self, reply: _Reply, method: str) -> int:
        """Clients in the field take a number, and one that is a text."""
        told = reply.values.get("connect_id")
        found = connect_id(str(told)) if isinstance(told, int | str) else None
        if found is None:
            self._fail(method, "has no connect_id")
        return found

    def _call(self, method: str, values: Mapping[str, str], deadline: Deadline, *others: Status) -> _Reply:
        """``others``: statuses beside SUCCESS that say something."""
        key = expected_key(self._key, METHODS[method.lower()].key_rule, values.get("id"))
        query = urlencode({"do": method, "key": key, **values}, quote_via=quote)
        deadline.remaining()
        try:
            answer = self._http.get(self._url, query, _HEADERS, deadline, ca_file=self._ca_file)
        except DeliveryFailed as exc:
            deadline.remaining()
            raise BackendUnavailable(str(exc)) from exc
        reply = self._read(answer, method)
        if reply.status is not Status.SUCCESS and reply.status not in others:
            self._refused(reply.status, method)
        return reply

    def _read(self, answer: HttpAnswer, method: str) -> _Reply:
        if 300 <= answer.status < 400:
            self._fail(method, f"is a redirect ({answer.status}), which is not followed; give the URL it leads to")
        if 400 <= answer.status < 500 and answer.status not in _LATER:
            # Perhaps for what somebody typed; others may well be answered.
            raise BackendMisconfigured(f"{self.origin} refuses {method} with the HTTP status {answer.status}")
        if answer.status != 200:
            self._fail(method, f"has the HTTP status {answer.status}")
        values = _json_object(answer.body)
        status = values.get("status")
        known = _STATUSES.get(status) if isinstance(status, str) else None
        if known is None:
            self._fail(method, "is not one of IPS Connect; is this the URL of a gateway?")
        return _Reply(known, values)

    def _refused(self, status: Status, method: str) -> NoReturn:
        where = f"the master at {self.origin}"
        match status:
            case Status.BAD_KEY:
                raise BackendMisconfigured(f"{where} does not take our key; is master_key right?")
            case Status.INVALID_ACTION:
                raise UnknownMethod(f"{where} does not know {method}; is it one of IPS Connect 4?")
            case Status.DISABLED:
                raise BackendMisconfigured(f"{where} says that IPS Connect is switched off there")
            case Status.REQUEST_MISSING_DATA:
                raise BackendMisconfigured(f"{where} does not take what {method} was called with")
        self._fail(method, f"is {status.value}, which says nothing here")

    def _fail(self, method: str, what: str) -> NoReturn:
        raise BackendUnavailable(f"the answer of {self.origin} to {method} {what}")


def _json_object(body: bytes) -> Mapping[str, object]:
    """Empty for everything else. (What the parser raises would quote what is in it.)"""
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
