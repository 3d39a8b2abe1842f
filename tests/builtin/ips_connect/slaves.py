"""Slaves: forums that are strict about names and addresses, behind gateways that can be broken in many ways."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

from integration_server.builtin.ips_connect.account import Account
from integration_server.builtin.ips_connect.keys import expected_key
from integration_server.builtin.ips_connect.methods import METHODS

Parameters = Mapping[str, str]
#: What the gateway says: status, headers, body.
Answer = tuple[int, dict[str, str], bytes]

PUSHED = frozenset(method.name for method in METHODS.values() if method.is_pushed)


@dataclass
class Member:
    """An account of a forum; ``connect_id`` is 0 where no master knows it."""

    connect_id: int
    name: str
    email: str
    pass_hash: str = ""
    pass_salt: str = ""
    is_banned: bool = False
    revalidate_url: str = ""


@dataclass
class Forum:
    """The slave side of the protocol, as forums in the field have it: a name or an address that somebody has is in use
    even where it is the very account's, unless it ``knows_itself``. ``done`` are the calls that it took, in order."""

    key: str
    members: list[Member] = field(default_factory=list)
    done: list[dict[str, str]] = field(default_factory=list)
    is_enabled: bool = True
    knows_itself: bool = False

    def call(self, sent: Parameters) -> dict[str, object]:
        if sent.get("slaveCall") != "1":
            return {"status": "FAILURE"}
        if not self.is_enabled:
            return {"status": "DISABLED"}
        method = METHODS.get(sent.get("do", "").lower())
        if method is None or method.name not in PUSHED:
            return {"status": "INVALID_ACTION"}
        if sent.get("key") != expected_key(self.key, method.key_rule, sent.get("id")):
            return {"status": "BAD_KEY"}
        if any(not sent.get(name) for name in method.required):
            return {"status": "REQUEST_MISSING_DATA"}
        self.done.append({name: value for name, value in sent.items() if name not in ("key", "slaveCall")})
        status = getattr(self, f"_{method.name}")(sent)
        return status if isinstance(status, dict) else {"status": status or "SUCCESS"}

    def find(self, id: str) -> Member | None:
        return next((one for one in self.members if id != "0" and str(one.connect_id) == id), None)

    def _owner(self, name: str, value: str) -> Member | None:
        return next((one for one in self.members if getattr(one, name).lower() == value.lower()), None)

    def _is_used(self, name: str, sent: Parameters) -> bool:
        owner = self._owner(name, sent[name])
        return owner is not None and not (self.knows_itself and owner is self.find(sent["id"]))

    def _register(self, sent: Parameters) -> dict[str, object]:
        found = self._owner("email", sent["email"]) or self._owner("name", sent["name"])
        if found is None:
            values = [sent[name] for name in ("name", "email", "pass_hash", "pass_salt")]
            found = Member(int(sent.get("id", "0")), *values, revalidate_url=sent.get("revalidateUrl", ""))
            self.members.append(found)
        return {"status": "SUCCESS", "connect_id": self.members.index(found) + 1}

    def _validate(self, sent: Parameters) -> None:
        self._set(sent, revalidate_url="")

    def _delete(self, sent: Parameters) -> None:
        self.members = [one for one in self.members if one is not self.find(sent["id"])]

    def _ban(self, sent: Parameters) -> None:
        self._set(sent, is_banned=sent.get("status") == "1")

    def _merge(self, sent: Parameters) -> None:
        if self.find(sent["id"]) is not None and (gone := self.find(sent["remove"])) is not None:
            self.members.remove(gone)

    def _changeEmail(self, sent: Parameters) -> str | None:
        if self._is_used("email", sent):
            return "EMAIL_IN_USE"
        self._set(sent, email=sent["email"])
        return None

    def _changeName(self, sent: Parameters) -> str | None:
        if self._is_used("name", sent):
            return "USERNAME_IN_USE"
        self._set(sent, name=sent["name"])
        return None

    def _changePassword(self, sent: Parameters) -> None:
        self._set(sent, pass_hash=sent["pass_hash"], pass_salt=sent["pass_salt"])

    def _set(self, sent: Parameters, **values: object) -> None:
        if (found := self.find(sent["id"])) is not None:
            for name, value in values.items():
                setattr(found, name, value)


def as_member(account: Account) -> Member:
    """What a forum has of somebody who is in step."""
    names = ("id", "name", "email", "pass_hash", "pass_salt", "is_banned", "revalidate_url")
    return Member(*(getattr(account, name) for name in names))


def by_id(members: list[Member]) -> dict[int, Member]:
    return {one.connect_id: one for one in members}


def as_json(answer: dict[str, object]) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()


def as_ipbwi(answer: dict[str, object]) -> Answer:
    """Says nothing where it has made the change."""
    text = {"SUCCESS": "", "BAD_KEY": "Security key mismatch."}.get(str(answer["status"]), "?")
    return 200, {"Content-Type": "text/html"}, text.encode()


class Gone(Exception):
    """Raised by a script: the connection ends without an answer."""


class Slave:
    """A forum behind HTTP on loopback, from ``with`` to its end. Attributes may change at any time.

    ``script`` makes the answer of what was sent, and may call ``forum.call`` or not. ``delay`` and ``lag`` are in
    seconds: from the request to what is done, and from there to the answer. ``queries`` are those of all requests, as
    they came.
    """

    def __init__(self, key: str = "k" * 32, path: str = "/gw") -> None:
        self.forum = Forum(key)
        self.delay = self.lag = 0.0
        self.script: Callable[[Parameters], Answer] = self.answer
        self.queries: list[str] = []
        self._path = path
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._socket = _bound(0)
        self.port: int = self._socket.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self._path}"

    def answer(self, sent: Parameters) -> Answer:
        """What a forum of IPS says."""
        return as_json(self.forum.call(sent))

    def says(self, body: bytes | str, status: int = 200, **headers: str) -> None:
        """Answer all with this, from now on."""
        content = body.encode() if isinstance(body, str) else body
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        self.script = lambda sent: (status, given, content)

    def heals(self) -> None:
        self.script = self.answer

    def members(self) -> dict[int, Member]:
        with self._lock:
            return by_id(self.forum.members)

    @contextmanager
    def off(self) -> Iterator[None]:
        """Take no connections, and end those that there are."""
        self.stop()
        yield
        self.start()

    def start(self) -> None:
        self._server = _Server(self, self._socket)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name="slave", daemon=True).start()

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            server.drop()
            self._socket = _bound(self.port)

    def take(self, query: str) -> Answer:
        time.sleep(self.delay)
        with self._lock:
            self.queries.append(query)
            answer = self.script(dict(parse_qsl(query, keep_blank_values=True)))
        time.sleep(self.lag)
        return answer

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._socket.close()


def _bound(port: int) -> socket.socket:
    """Bound and not listening: connections are refused, and nobody else gets the port."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, slave: Slave, listener: socket.socket) -> None:
        super().__init__(("127.0.0.1", slave.port), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.slave = slave
        self._open: set[socket.socket] = set()
        self.server_activate()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def drop(self) -> None:
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that end are what tests do."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Of an answer in two packets, the second would wait for what the caller says to the first.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        try:
            status, headers, body = self.server.slave.take(self.path.partition("?")[2])
        except Gone:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        pass
