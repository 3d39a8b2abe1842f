"""A directory behind another server that speaks MailStore's Application Integration protocol.

Copy this file into the folder of ``[plugins] folder = ...`` and write::

    [backends.branch]
    type = "http_directory"
    url = "https://branch.example.org/mailstore"
    username = "mailstore"
    password = { env = "BRANCH_PASSWORD" }
    # ca_file = "branch-ca.pem"       # where its certificate is not signed by a known authority

The other server may be another integration-server, so that servers form a chain, or any other one: what it lists is
listed here, and its verdicts are ours.

- The protocol knows no question about one person. A login therefore reads the list, and the list that was read serves
  other logins for ``list_cache_seconds``. Reading it must take less than the backend's ``auth_seconds``. The verdict
  itself is asked for each time.
- Everything but a whole and well-formed answer is an outage: another status than 200, a list that is cut short, an
  entry without ``userName``. Redirects are not followed, because a password would go where nobody sent it.
- A list is held in memory while it is read; ``max_answer_mb`` bounds it.
- A certificate is always verified. Plain HTTP to another machine would send passwords in the clear; it is refused
  unless ``allow_plain_http = true``.
"""

from __future__ import annotations

import base64
import concurrent.futures
import http.client
import ipaddress
import json
import re
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode, urlsplit

from pydantic import Field

from integration_server import (
    AmbiguousEntry,
    Authenticator,
    Backend,
    BackendContext,
    BackendMisconfigured,
    BackendSettings,
    BackendTimeout,
    BackendUnavailable,
    Batch,
    ConfigError,
    Deadline,
    Entry,
    Finding,
    IncompleteListing,
    Lookup,
    MapSettings,
    Secret,
    Verdict,
    hookimpl,
    normalize_name,
)

ATTRIBUTES = ("userName", "fullName", "distinguishedName", "emailAddresses")
_BATCH = 1000
#: Nobody's password is longer, and servers refuse longer fields.
_LONGEST_PASSWORD = 4096
#: The protocol's own samples write the name without quotes, so somebody sends that.
_BARE_VERDICT = re.compile(r"\s*\{\s*succeeded\s*:\s*(true|false)\s*\}\s*")


class HttpDirectorySettings(BackendSettings):
    """``[backends.NAME]`` with ``type = "http_directory"``."""

    type: Literal["http_directory"]
    url: str = Field(description="where the other server takes cmd=list and cmd=auth")
    username: str | None = Field(default=None, description="HTTP Basic user name that it wants")
    password: Secret | None = Field(default=None, description="its password")
    ca_file: str | None = Field(default=None, description="PEM file of the authority that signed its certificate")
    allow_plain_http: bool = Field(default=False, description="send passwords to another machine in the clear")
    list_cache_seconds: float = Field(default=30.0, ge=0, description="how long one list serves logins")
    max_answer_mb: int = Field(default=64, ge=1, description="a longer answer is an outage, in MiB")


class Roster:
    """One list that was read, to look people up in. Thread-safe: what is computed twice comes out the same."""

    def __init__(self, users: list[dict[str, Any]], at: float) -> None:
        self.users = users
        self.at = at
        self._indexes: dict[str, dict[str, list[int]]] = {}

    def matches(self, lookup: Lookup) -> list[dict[str, Any]]:
        """The users that ``lookup`` names. White space around a value does not count: listed values have none."""
        if lookup.attribute not in self._indexes:
            index: dict[str, list[int]] = {}
            for position, user in enumerate(self.users):
                for value in _values(user.get(lookup.attribute)):
                    index.setdefault(normalize_name(value), []).append(position)
            self._indexes[lookup.attribute] = index
        positions = dict.fromkeys(self._indexes[lookup.attribute].get(normalize_name(lookup.value), ()))
        found = [self.users[position] for position in positions]
        if lookup.ignore_case:
            return found
        return [user for user in found if lookup.value in _values(user.get(lookup.attribute))]


def _values(value: object) -> list[str]:
    """The texts of one attribute, blank ones left out."""
    several = value if isinstance(value, list) else [value]
    return [text for item in several if isinstance(item, str) and (text := item.strip())]


def parse_list(body: bytes) -> list[dict[str, Any]]:
    """The users of a list. Raises ValueError, whose text quotes nothing, for anything that is not entirely in order."""
    users = _parse_json(body)
    if not isinstance(users, list):
        raise ValueError("it is no JSON array")
    for number, user in enumerate(users, 1):
        if not isinstance(user, dict) or not _values(user.get("userName")) or isinstance(user["userName"], list):
            raise ValueError(f"entry {number} is no object with a userName")
        for key in ("fullName", "distinguishedName"):
            if not isinstance(user.get(key), str | None):
                raise ValueError(f"the {key} of entry {number} is no text")
        addresses = user.get("emailAddresses")
        if not (addresses is None or (isinstance(addresses, list) and all(isinstance(a, str) for a in addresses))):
            raise ValueError(f"the emailAddresses of entry {number} are no array of texts")
    return users


def parse_verdict(body: bytes) -> bool:
    """Whether a login succeeded. Raises ValueError for an answer that does not say."""
    bare = _BARE_VERDICT.fullmatch(body.decode("utf-8-sig"))
    if bare:
        return bare[1] == "true"
    answer = _parse_json(body)
    if isinstance(answer, dict) and isinstance(answer.get("succeeded"), bool):
        return bool(answer["succeeded"])
    raise ValueError('it is no object with a boolean "succeeded"')


def _parse_json(body: bytes) -> object:
    try:
        return json.loads(body.decode("utf-8-sig"), object_pairs_hook=_unique)
    except json.JSONDecodeError as exc:
        raise ValueError(f"it is no JSON (line {exc.lineno}, column {exc.colno})") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has the same key twice")
    return found


class Endpoint:
    """The other server: one connection for each question, and no question longer than its deadline."""

    def __init__(self, settings: HttpDirectorySettings, context: BackendContext) -> None:
        where = f"[backends.{context.name}]"
        parts = urlsplit(settings.url)
        try:
            self._port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        except (KeyError, ValueError):
            raise ConfigError(f"{where} url: give http://host/path or https://host/path") from None
        if not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
            raise ConfigError(f"{where} url: a host and a path, without user, ? and #")
        if (settings.username is None) != (settings.password is None):
            raise ConfigError(f"{where} has one of username and password; it takes both or none")
        self._is_tls = parts.scheme == "https"
        if not (self._is_tls or settings.allow_plain_http or _is_local(parts.hostname)):
            raise ConfigError(
                f"{where} url: http:// sends passwords in the clear; use https:// or allow_plain_http = true"
            )
        self._host = parts.hostname
        self._path = parts.path or "/"
        self._ca_file = None if settings.ca_file is None else context.path(settings.ca_file)
        self._limit = settings.max_answer_mb << 20
        self._watchdog = context.watchdog
        self._headers = {"Host": parts.netloc, "Connection": "close", "Accept": "application/json"}
        self._headers["Content-Type"] = "application/x-www-form-urlencoded"
        if settings.username is not None and settings.password is not None:
            pair = f"{settings.username}:{settings.password.get_secret_value()}"
            self._headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        self._tls: ssl.SSLContext | None = None
        self.url = settings.url

    def post(self, fields: dict[str, str], deadline: Deadline) -> bytes:
        """The body of a whole answer of status 200. Raises BackendError."""
        deadline.remaining()
        with self._translated():
            tls = self._trusted() if self._is_tls else None
            line = _connect(self._host, self._port, deadline)
            if tls is not None:
                # Without the handshake yet: like all that follows, it must be possible to cut it short.
                line = tls.wrap_socket(line, server_hostname=self._host, do_handshake_on_connect=False)
            # The plain socket's shutdown: an encrypted one's would take the ground from under a thread that reads.
            with line, self._watchdog.guard(deadline, lambda: socket.socket.shutdown(line, socket.SHUT_RDWR)):
                if isinstance(line, ssl.SSLSocket):
                    line.do_handshake()
                return self._ask(line, urlencode(fields).encode("ascii"))

    def _ask(self, line: socket.socket, body: bytes) -> bytes:
        connection = http.client.HTTPConnection(self._host, self._port)
        connection.sock = line
        connection.request("POST", self._path, body, self._headers)
        with connection.getresponse() as response:
            self._check_status(response.status)
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise BackendUnavailable(f"{self.url} answers in an encoding that was not asked for")
            answer = bytearray()
            while piece := response.read(1 << 16):
                answer += piece
                if len(answer) > self._limit:
                    raise BackendUnavailable(f"the answer of {self.url} exceeds max_answer_mb = {self._limit >> 20}")
            length = response.headers.get("Content-Length")
            if length is not None and length != str(len(answer)):
                raise IncompleteListing(f"{self.url} sent {len(answer)} of {length[:20]} bytes")
        return bytes(answer)

    def _check_status(self, status: int) -> None:
        if status == 200:
            return
        message = f"{self.url} answers with status {status}"
        if status in (401, 403):
            raise BackendMisconfigured(f"{message}: it does not accept the username and password set here")
        if 300 <= status < 400:
            raise BackendMisconfigured(f"{message}, a redirect; set url to where it leads")
        if 400 <= status < 500 and status not in (408, 429):
            raise BackendMisconfigured(f"{message}; is this the address of the Application Integration server?")
        raise BackendUnavailable(message)

    def _trusted(self) -> ssl.SSLContext:
        if self._tls is None:
            try:
                self._tls = ssl.create_default_context(cafile=self._ca_file)
            except OSError as exc:
                raise BackendMisconfigured(f"ca_file {self._ca_file} cannot be used: {exc.strerror or exc}") from exc
        return self._tls

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except ssl.SSLCertVerificationError as exc:
            raise BackendUnavailable(f"the certificate of {self.url} is refused: {exc.verify_message}") from exc
        except TimeoutError as exc:
            raise BackendTimeout(f"{self.url} does not answer in time") from exc
        except OSError as exc:
            raise BackendUnavailable(f"{self.url} cannot be reached: {exc.strerror or exc}") from exc
        except http.client.HTTPException as exc:
            raise BackendUnavailable(f"{self.url} does not answer in proper HTTP ({type(exc).__name__})") from exc


def _connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """A connection to the first address that answers; each gets an equal share of the time that is left."""
    addresses = _addresses(host, port, deadline)
    failure = OSError(f"{host} has no address")
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        connected = socket.socket(family, kind, protocol)
        try:
            connected.settimeout(deadline.remaining() / (len(addresses) - number))
            connected.connect(address)
        except OSError as exc:
            connected.close()
            failure = exc
        else:
            # Counts for each read anew: what holds the deadline as a whole is the watchdog.
            connected.settimeout(deadline.remaining())
            return connected
    raise failure


def _addresses(host: str, port: int, deadline: Deadline) -> Sequence[tuple[Any, ...]]:
    """Asked for in a thread: a resolver keeps its own time, and nothing can cut it short."""
    found: concurrent.futures.Future[Sequence[tuple[Any, ...]]] = concurrent.futures.Future()

    def resolve() -> None:
        try:
            found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as exc:
            found.set_exception(exc)

    threading.Thread(target=resolve, name=f"resolve {host}", daemon=True).start()
    return found.result(deadline.remaining())


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class HttpDirectoryBackend(Backend, Authenticator):
    """Asks another Application Integration server."""

    type: ClassVar[str] = "http_directory"
    Settings = HttpDirectorySettings
    default_map = MapSettings.model_validate(
        dict(zip(("username", "full_name", "distinguished_name", "emails"), ATTRIBUTES, strict=True))
    )

    def __init__(self, settings: BackendSettings, context: BackendContext) -> None:
        assert isinstance(settings, HttpDirectorySettings)
        unknown = set(context.attributes) - set(ATTRIBUTES)
        if unknown:
            raise ConfigError(f"[backends.{context.name}.map] {min(unknown)!r}: there is only {', '.join(ATTRIBUTES)}")
        self._endpoint = Endpoint(settings, context)
        self._cache_seconds = settings.list_cache_seconds
        self._roster: Roster | None = None
        self._reading = threading.Lock()

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        users = self._read(deadline).users
        for start in range(0, len(users), _BATCH):
            deadline.remaining()
            rows = [tuple(user.get(name) for name in ATTRIBUTES) for user in users[start : start + _BATCH]]
            yield Batch(ATTRIBUTES, rows)

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        found = self._recent(deadline).matches(lookup)
        if len(found) > 1:
            raise AmbiguousEntry(f"{self._endpoint.url} lists {len(found)} people as {lookup.value[:60]!r}")
        if not found:
            return None
        return Entry({name: found[0].get(name) for name in ATTRIBUTES}, handle=found[0]["userName"])

    def verify(self, entry: Entry, password: str, deadline: Deadline) -> Verdict:
        assert isinstance(entry.handle, str)
        return Verdict.ACCEPTED if self._authenticate(entry.handle, password, deadline) else Verdict.REJECTED

    def verify_nobody(self, password: str, deadline: Deadline) -> None:
        # A name that nobody has: the other server then spends what it spends on unknown people.
        self._authenticate(f"nobody-{secrets.token_hex(8)}", password, deadline)

    def check(self, deadline: Deadline) -> Iterator[Finding]:
        yield Finding("ok", f"{self._endpoint.url} lists {len(self._read(deadline).users)} people")
        if self._authenticate(f"nobody-{secrets.token_hex(8)}", secrets.token_hex(8), deadline):
            yield Finding("error", f"{self._endpoint.url} accepts an invented name with an invented password")

    def close(self) -> None:
        self._roster = None

    def _authenticate(self, username: str, password: str, deadline: Deadline) -> bool:
        deadline.remaining()
        try:
            password.encode()
        except UnicodeEncodeError:
            return False
        if len(password) > _LONGEST_PASSWORD:
            return False
        body = self._endpoint.post({"cmd": "auth", "user": username, "pass": password}, deadline)
        try:
            return parse_verdict(body)
        except ValueError as exc:
            raise BackendUnavailable(f"the answer of {self._endpoint.url} to a login cannot be used: {exc}") from exc

    def _recent(self, deadline: Deadline) -> Roster:
        """A list that is young enough; several logins that need one wait for the same."""
        deadline.remaining()
        roster = self._roster
        if roster is not None and time.monotonic() - roster.at < self._cache_seconds:
            return roster
        asked_at = time.monotonic()
        if not self._reading.acquire(timeout=deadline.remaining()):
            raise BackendTimeout(f"the list of {self._endpoint.url} is being read by another login for too long")
        try:
            roster = self._roster
            # One that was begun after this login came is as good as one of its own.
            if roster is not None and (roster.at >= asked_at or time.monotonic() - roster.at < self._cache_seconds):
                return roster
            return self._read(deadline)
        finally:
            self._reading.release()

    def _read(self, deadline: Deadline) -> Roster:
        at = time.monotonic()
        body = self._endpoint.post({"cmd": "list"}, deadline)
        try:
            roster = Roster(parse_list(body), at)
        except ValueError as exc:
            raise IncompleteListing(f"the list of {self._endpoint.url} cannot be used: {exc}") from exc
        self._roster = roster
        return roster


@hookimpl
def register_backends() -> Sequence[type[Backend]]:
    """The one type of this plugin."""
    return [HttpDirectoryBackend]
