"""The backend for the accounts of another master, of which this server is a slave."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import ClassVar

from integration_server import (
    AccountWriter,
    Authenticator,
    Backend,
    BackendContext,
    BackendMisconfigured,
    BackendSettings,
    BackendUnavailable,
    Batch,
    ConfigError,
    Deadline,
    Entry,
    Finding,
    HttpClient,
    IncompleteListing,
    Lookup,
    NewAccount,
    Verdict,
    normalize_name,
    parse_url,
)
from integration_server.builtin.ips_connect import passwords
from integration_server.builtin.ips_connect.account import Account, NewPerson, State, is_storable
from integration_server.builtin.ips_connect.enrolment import Enrolment
from integration_server.builtin.ips_connect.entries import COLUMNS, asking, batch, not_findable, number_of, row
from integration_server.builtin.ips_connect.feed import NumberedFeed
from integration_server.builtin.ips_connect.methods import IdType
from integration_server.builtin.ips_connect.remote_client import LoggedIn, MasterClient, UnknownMethod
from integration_server.builtin.ips_connect.remote_copy import Copy
from integration_server.builtin.ips_connect.remote_newcomers import Newcomers
from integration_server.builtin.ips_connect.remote_settings import RemoteSettings
from integration_server.builtin.ips_connect.settings import DEFAULT_MAP
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.builtin.ips_connect.turns import Turns

logger = logging.getLogger(__name__)

_BATCH = 1000
#: The master is an administrator's choice, wherever it stands.
_ANYWHERE = ("0.0.0.0/0", "::/0")
_ID_TYPES = {"name": IdType.NAME, "email": IdType.EMAIL}
#: Characters; no account has longer ones.
_LONGEST = {"name": 255, "email": 320}
_NOT_COMPLETE = (
    "a master of IPS Connect cannot be asked for everybody: import its accounts, have it push its changes here"
    " (slave_url), and set is_complete = true"
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What an entry was found by: id, name or email. ``value`` is what people typed, ``known`` the copy's account.

    ``id`` is None where nobody told it; ``is_copys``: the copy did, and not the master.
    """

    attribute: str
    value: str
    ignore_case: bool
    id: int | None = None
    known: Account | None = None
    is_copys: bool = False

    @property
    def id_type(self) -> IdType:
        return _ID_TYPES[self.attribute]

    def is_id_of(self, told: LoggedIn) -> bool:
        return self.id in (None, told.id)

    def is_name_of(self, told: LoggedIn) -> bool:
        """A master's database may fold letters that are not the same here: who is found by another name than their own
        must not get in under it, as it may be somebody else's elsewhere."""
        value: str = getattr(told, self.attribute).strip()
        return value == self.value or (self.ignore_case and normalize_name(value) == normalize_name(self.value))


class RemoteBackend(Backend, Authenticator, AccountWriter, NumberedFeed):
    """Asks the master whose password is right, and keeps a copy of what it tells of people.

    The copy is filled by logins and by pushes; with ``is_complete`` it is what is listed. Who is banned in it may not
    log in, whatever the master says: masters leave bans to their slaves.
    """

    type: ClassVar[str] = "ips_connect_remote"
    Settings = RemoteSettings
    default_map = DEFAULT_MAP

    def __init__(self, settings: BackendSettings, context: BackendContext) -> None:
        assert isinstance(settings, RemoteSettings)
        _check(settings)
        storage = context.storage(TABLES)
        slave_key = settings.slave_key
        ca_file = None if settings.ca_file is None else str(context.path(settings.ca_file))
        self._name = context.name
        self._settings = settings
        self._attributes = context.attributes
        self._http = HttpClient(_ANYWHERE, context.watchdog)
        self._master = MasterClient(settings.url, settings.master_key.get_secret_value(), self._http, ca_file)
        self._accounts = self._copy = Copy(context.name, storage)
        self._enrolment = Enrolment(
            context.name,
            storage,
            self._master,
            settings.url,
            settings.slave_url,
            None if slave_key is None else slave_key.get_secret_value(),
        )
        self._newcomers = Newcomers(self._master, self._copy, self._enrolment.key, settings.slave_url)
        self._turns = Turns()

    # -- everybody -----------------------------------------------------------------------------------------------

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        """The copy, where it is said to be complete, nothing contradicts that, and the master is there: a server that
        has lost its master hears of no changes."""
        deadline.remaining()
        if not self._settings.is_complete:
            raise IncompleteListing(_NOT_COMPLETE)
        self._master.ping(deadline)
        with asking():
            self._enrolment.ensure(deadline)
            if (gaps := self._copy.gaps()).count:
                raise IncompleteListing(_gaps_text(gaps.count, gaps.first))
            with closing(self._copy.everybody(_BATCH)) as batches:
                for found in batches:
                    deadline.remaining()
                    yield batch(found)

    def check(self, deadline: Deadline) -> Iterator[Finding]:
        """Registers nowhere: it changes nothing at the master."""
        self._master.ping(deadline)
        yield Finding("ok", f"{self._master.origin} answers and takes our key")
        with asking():
            count, gaps = self._copy.count(), self._copy.gaps()
            is_registered = self._enrolment.is_registered()
        if not self._settings.is_complete:
            yield Finding("ok", f"the copy here has {count} accounts; it is not listed, as is_complete is not set")
        elif gaps.count:
            yield Finding("error", _gaps_text(gaps.count, gaps.first))
        else:
            yield Finding("ok", f"the copy here has {count} accounts; changes in it are noticed by {self.feed()}")
        if self._settings.slave_url is None:
            level = "warning" if self._settings.is_complete else "ok"
            yield Finding(level, "slave_url is not set: this server does not ask the master to push changes here")
        elif not is_registered:
            yield Finding("warning", "not registered at the master yet; the next login or list does that")

    def close(self) -> None:
        self._http.close()

    # -- one person ----------------------------------------------------------------------------------------------

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        """By name or address the master is asked, by id the copy alone.

        What the copy does not know of the person is absent: before the first login, that is all but the id and what was
        looked for. Raises BackendMisconfigured where that is too little, or where only the master could know an id.
        """
        deadline.remaining()
        if lookup.attribute == "id":
            return self._find_id(lookup.value)
        if lookup.attribute not in _ID_TYPES:
            raise not_findable(lookup.attribute)
        if not _may_be_anybodys(lookup):
            return None
        asked = _Asked(lookup.attribute, lookup.value, lookup.ignore_case)
        try:
            id = self._master.fetch_id(asked.id_type, asked.value, deadline)
        except UnknownMethod:
            return self._find_without_id(asked, deadline)
        if id is None:
            return None
        with asking():
            self._enrolment.ensure(deadline)
            account = self._copy.find(id)
            is_banned = self._copy.is_banned(id) if account is None else account.is_banned
            if account is None and self._settings.is_complete:
                self._copy.leave_gap(id)
        return self._entry(replace(asked, id=id, known=account), is_banned)

    def _find_id(self, value: str) -> Entry | None:
        number = number_of(value)
        if number is None:
            return None
        with asking():
            account = self._copy.find(number)
            is_unknown = account is None and (self._copy.is_gap(number) or not self._settings.is_complete)
        if account is not None:
            found = dict(zip(COLUMNS, row(account), strict=True))
            return Entry(found, _Asked("id", value, ignore_case=False, id=number, known=account))
        if is_unknown:
            raise BackendMisconfigured(
                f"the copy here does not have the account {number}, and a master of IPS Connect tells nothing of ids;"
                " import its accounts, and set is_complete = true"
            )
        return None

    def _find_without_id(self, asked: _Asked, deadline: Deadline) -> Entry | None:
        """For masters that do not know ``fetchId``. The id is the copy's, if any."""
        if self._master.fetch_salt(asked.id_type, asked.value, deadline) is None:
            return None
        with asking():
            self._enrolment.ensure(deadline)
            account = self._copy.find_login(asked.value, asked.id_type)
        if account is None and "id" in self._attributes:
            raise BackendMisconfigured(
                f"{self._master.origin} does not know fetchId, and the copy here does not have the account, so that it"
                " has no id; import its accounts, or map another attribute to id"
            )
        if account is None:
            return self._entry(asked, is_banned=False)
        return self._entry(replace(asked, id=account.id, known=account, is_copys=True), account.is_banned)

    def _entry(self, asked: _Asked, is_banned: bool) -> Entry:
        found: dict[str, object] = dict.fromkeys(COLUMNS)
        if asked.known is not None:
            found.update(zip(COLUMNS, row(asked.known), strict=True))
        # Whether the address is confirmed by now, the login tells.
        state = State.BANNED if is_banned else State.ACTIVE
        found.update(id=asked.id, state=state.value, is_disabled=is_banned)
        kept = found[asked.attribute]
        if not isinstance(kept, str) or not asked.ignore_case or normalize_name(kept) != normalize_name(asked.value):
            # It was changed at the master, or they are not the same here: that, too, shows at the login.
            found[asked.attribute] = asked.value
        if found["name"] is None and not self._username_sources() - {"name"}:
            raise BackendMisconfigured(
                f"{self._master.origin} tells the name of an account when it logs in, and the copy here does not have"
                " the account; import its accounts, or map the user name to email"
            )
        return Entry(found, asked)

    def _username_sources(self) -> set[str]:
        rule = self._settings.map.username or DEFAULT_MAP.username
        assert rule is not None
        return set(rule.sources)

    # -- passwords -----------------------------------------------------------------------------------------------

    def verify(self, entry: Entry, password: str, deadline: Deadline) -> Verdict:
        """The master's verdict on the hash. What it tells of the person goes into the copy."""
        asked = entry.handle
        assert isinstance(asked, _Asked)
        if asked.attribute == "id":
            asked = self._asked_by_id(asked, deadline)
        pass_salt = self._master.fetch_salt(asked.id_type, asked.value, deadline)
        pass_hash = self._hashed(password, pass_salt or "", deadline)
        if pass_hash is None:
            # As many calls as for everybody else.
            self._master.ping(deadline)
            return Verdict.REJECTED
        told = self._master.login(asked.id_type, asked.value, pass_hash, deadline)
        if told is None:
            return Verdict.REJECTED
        if not self._is_meant(asked, told):
            return Verdict.REJECTED
        with asking():
            self._learn(asked, told, pass_hash, pass_salt or "")
            is_banned = self._copy.is_banned(told.id)
        if not asked.is_id_of(told):
            raise BackendUnavailable(
                f"the copy here took account {told.id} of {self._master.origin} for {asked.id}, and knows better now"
            )
        return Verdict.DISABLED if told.is_validating or is_banned else Verdict.ACCEPTED

    def _is_meant(self, asked: _Asked, told: LoggedIn) -> bool:
        """Whether who logged in is who was looked for, or may be: the copy can be wrong about an id."""
        if asked.is_name_of(told) and (asked.is_id_of(told) or asked.is_copys):
            return True
        logger.warning(
            "backend %s: the password of account %d was given under another name than its own, which does not count",
            *(self._name, told.id),
        )
        return False

    def _asked_by_id(self, asked: _Asked, deadline: Deadline) -> _Asked:
        """How to ask for an account that was found in the copy: by what it is called there, if that still holds."""
        assert asked.known is not None
        for attribute in _ID_TYPES:
            found = replace(asked, attribute=attribute, value=getattr(asked.known, attribute), ignore_case=True)
            try:
                if self._master.fetch_id(found.id_type, found.value, deadline) == asked.id:
                    return found
            except UnknownMethod:
                return replace(found, is_copys=True)
        raise BackendMisconfigured(
            f"the master knows account {asked.id} neither by the name nor by the address that the copy here has;"
            " import its accounts again"
        )

    def verify_nobody(self, password: str, deadline: Deadline) -> None:
        """As many calls and as much hashing as for somebody."""
        self._master.ping(deadline)
        self._hashed(password, "", deadline)
        self._master.ping(deadline)

    def _hashed(self, password: str, pass_salt: str, deadline: Deadline) -> str | None:
        """The hash of a password, or None where there can be none. Takes the same time for every salt."""
        with self._turns.one(deadline):
            try:
                pass_hash = passwords.hashed(password, pass_salt) if pass_salt else None
            except ValueError:
                pass_hash = None
            if pass_hash is None or not passwords.is_bcrypt(pass_salt):
                passwords.spend(password)
        return pass_hash

    def _learn(self, asked: _Asked, told: LoggedIn, pass_hash: str, pass_salt: str) -> None:
        # Where an address is to be confirmed, the master may leave out.
        url = (told.revalidate_url or self._settings.url) if told.is_validating else ""
        person = NewPerson(told.name, told.email, pass_hash, pass_salt, url)
        known = asked.known if asked.id == told.id else self._copy.find(told.id)
        if known is not None and person == _person(known):
            return
        try:
            self._copy.learn(told.id, person, known)
        except ValueError as exc:
            logger.warning("backend %s: account %d cannot be kept: %s", self._name, told.id, exc)

    # -- new people ----------------------------------------------------------------------------------------------

    def create_account(self, account: NewAccount, deadline: Deadline) -> str:
        """Somebody without a password, at the master. The name is made the display name, with a number where it is
        taken. Where somebody has the address by now, their id is returned and nobody is made."""
        deadline.remaining()
        with asking():
            self._enrolment.ensure(deadline)
            return str(self._newcomers.register(account, deadline))

    def confirm_email(self, entry: Entry, address: str, deadline: Deadline) -> None:
        """Does nothing: every address here counts as verified."""

    # -- changes -------------------------------------------------------------------------------------------------

    def feed(self) -> str | None:
        """Of the copy; there is none where nobody can be listed."""
        return super().feed() if self._settings.is_complete else None


def _check(settings: RemoteSettings) -> None:
    """Raises ConfigError."""
    target = parse_url(settings.url)
    if target.scheme == "http" and not settings.allow_plain_http and not _is_own_machine(target.host):
        raise ConfigError(
            "url: hashes that are as good as passwords go there; use https, or set allow_plain_http = true"
        )
    if settings.sync is not None and not settings.is_complete:
        raise ConfigError(f"sync: changes are noticed only where everybody can be listed; {_NOT_COMPLETE}")


def _is_own_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _may_be_anybodys(lookup: Lookup) -> bool:
    """Whether an account can have the value at all. A master's database may pass over blanks."""
    value = lookup.value
    return 0 < len(value) <= _LONGEST[lookup.attribute] and value == value.strip() and is_storable(value)


def _person(account: Account) -> NewPerson:
    return NewPerson(account.name, account.email, account.pass_hash, account.pass_salt, account.revalidate_url)


def _gaps_text(count: int, first: int | None) -> str:
    return (
        f"the master has {count} accounts of which the copy here knows no more than the id, such as {first}: it is not"
        " complete. They come with their next login; or import the accounts of the master again"
    )
