"""A master of an IPS Connect network, small and faithful, and one that lies: ``with FakeMaster() as master``.

It answers over HTTP as version 4 does, keeps its accounts in memory, and pushes changes to the slaves that registered.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Protocol, Self
from urllib.parse import parse_qsl, quote, urlencode

from integration_server import normalize_name
from integration_server.builtin.ips_connect import passwords

KEY: Final = "0123456789abcdef0123456789abcdef"
_RAW: Final = ("verifySettings", "disableSlave", "register", "checkEmail", "checkName")
_BY_LOGIN: Final = ("fetchSalt", "login", "fetchId")
_PUSHED: Final = ("register", "validate", "delete", "ban", "merge", "changeEmail", "changePassword", "changeName")


@dataclass
class Person:
    """An account of the master."""

    id: int
    name: str
    email: str
    pass_hash: str | None
    pass_salt: str | None
    revalidate_url: str = ""
    is_banned: bool = False


@dataclass
class Reply:
    """An answer as it goes over the wire; ``raw`` is sent instead of everything else."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None


class Master(Protocol):
    """What the tests need of a master, whoever it is."""

    url: str
    key: str

    def add(self, name: str, email: str, password: str | None = None, **more: Any) -> int:
        """Somebody new at the master itself. ``salt`` may be given, and ``revalidate_url``."""

    def change(self, method: str, id: int, **values: str) -> None:
        """A change at the master itself, pushed to its slaves."""


class FakeMaster:
    """Thread-safe. ``lie(values)`` replaces an answer where it returns one, ``before(values)`` is called before each;
    ``unknown`` are methods that it does not have."""

    def __init__(self, key: str = KEY) -> None:
        self.key = key
        self.people: dict[int, Person] = {}
        self.slaves: dict[str, str] = {}
        self.asked: list[dict[str, str]] = []
        self.unknown: set[str] = set()
        self.lie: Callable[[dict[str, str]], Reply | None] = lambda values: None
        self.before: Callable[[dict[str, str]], object] = lambda values: None
        self._lock = threading.RLock()
        self._last_id = 41
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.url = self.url_at(self.port)

    def url_at(self, port: int) -> str:
        return f"http://127.0.0.1:{port}/board/ipsconnect.php?app=core"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    # -- at the master itself ------------------------------------------------------------------------------------

    def add(self, name: str, email: str, password: str | None = None, **more: Any) -> int:
        salt = more.pop("salt", None) or passwords.new_salt()
        stored = (None, None) if password is None else (passwords.hashed(password, salt), salt)
        with self._lock:
            self._last_id += 1
            self.people[self._last_id] = Person(self._last_id, name, email, *stored, **more)
        if password is not None:
            self.push("register", self._last_id, **self._registered(self.people[self._last_id]))
        return self._last_id

    def change(self, method: str, id: int, **values: str) -> None:
        with self._lock:
            self._apply(method, str(id), values)
        self.push(method, id, **values)

    def push_query(self, method: str, id: int | str, key: str, **values: str) -> str:
        """A push as a slave gets it."""
        shown = key if method in _RAW else _md5(key + str(id))
        return urlencode({"do": method, **values, "id": str(id), "slaveCall": "1", "key": shown}, quote_via=quote)

    def push(self, method: str, id: int, but: str = "", **values: str) -> None:
        """To all slaves, as they are; one that answers DISABLED is one no more."""
        for url, key in list(self.slaves.items()):
            if url == but:
                continue
            query = self.push_query(method, id, key, **values)
            with urllib.request.urlopen(f"{url}?{query}", timeout=10) as answer:
                status = json.loads(answer.read())["status"]
            assert status in ("SUCCESS", "DISABLED"), (method, status)
            if status == "DISABLED":
                del self.slaves[url]

    def calls(self, method: str | None = None) -> list[dict[str, str]]:
        with self._lock:
            return [one for one in self.asked if method in (None, one.get("do"))]

    # -- answers -------------------------------------------------------------------------------------------------

    def _handler(other) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # In one piece, or a client that waits to acknowledge the first one waits long.
            wbufsize = -1

            def do_GET(self) -> None:
                query = self.path.partition("?")[2]
                values = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True))
                with other._lock:
                    other.asked.append(values)
                other.before(values)
                reply = other.lie(values) or Reply(json.dumps(other._answer(values)).encode())
                if reply.raw is not None:
                    self.close_connection = True
                    self.wfile.write(reply.raw)
                    return
                self.send_response(reply.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply.body)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, format: str, *args: object) -> None:
                return

        return Handler

    def _answer(self, values: dict[str, str]) -> dict[str, object]:
        method = values.get("do", "")
        if method not in (*_RAW, *_BY_LOGIN, *_PUSHED) or method in self.unknown:
            return {"status": "INVALID_ACTION"}
        expected = self.key if method in _RAW or "id" not in values else _md5(self.key + values["id"])
        if values.get("key") != expected:
            return {"status": "BAD_KEY"}
        with self._lock:
            answer = getattr(self, f"_{method}", self._changed)(values)
        pushed = answer.pop("push", None)
        if pushed is not None:
            self.push(pushed.pop("do"), pushed.pop("id"), but=values.get("url", ""), **pushed)
        return {"status": "SUCCESS", **answer}

    def _one(self, values: Mapping[str, str]) -> Person | None:
        kind = {"1": "name", "2": "email", "3": "either"}[values["idType"]]
        return self._find(kind, values["id"])

    def _find(self, kind: str, value: str) -> Person | None:
        wanted = normalize_name(value)
        kinds = ("email", "name") if kind == "either" else (kind,)
        found = (one for k in kinds for one in self.people.values() if normalize_name(getattr(one, k)) == wanted)
        return next(found, None)

    def _fetchSalt(self, values: dict[str, str]) -> dict[str, object]:
        person = self._one(values)
        return {"status": "ACCOUNT_NOT_FOUND"} if person is None else {"pass_salt": person.pass_salt}

    def _fetchId(self, values: dict[str, str]) -> dict[str, object]:
        person = self._one(values)
        return {"status": "ACCOUNT_NOT_FOUND"} if person is None else {"connect_id": person.id}

    def _login(self, values: dict[str, str]) -> dict[str, object]:
        person = self._one(values)
        if person is None:
            return {"status": "ACCOUNT_NOT_FOUND"}
        if not person.pass_hash or not secrets.compare_digest(person.pass_hash, values.get("password", "")):
            return {"status": "WRONG_AUTH"}
        return {
            "connect_status": "VALIDATING" if person.revalidate_url else "SUCCESS",
            "email": person.email,
            "name": person.name,
            "connect_id": person.id,
            "connect_revalidate_url": person.revalidate_url,
        }

    def _checkEmail(self, values: dict[str, str]) -> dict[str, object]:
        return {"used": int(self._find("email", values["email"]) is not None)}

    def _checkName(self, values: dict[str, str]) -> dict[str, object]:
        return {"used": int(self._find("name", values["name"]) is not None)}

    def _verifySettings(self, values: dict[str, str]) -> dict[str, object]:
        if not values.get("url") or not values.get("ourKey"):
            return {"status": "FAILURE"}
        self.slaves[values["url"]] = values["ourKey"]
        return {}

    def _register(self, values: dict[str, str]) -> dict[str, object]:
        if not all(values.get(key) for key in ("name", "email", "pass_hash", "pass_salt")):
            return {"status": "REQUEST_MISSING_DATA"}
        person = self._find("email", values["email"]) or self._find("name", values["name"])
        if person is None:
            self._last_id += 1
            told = (values[key] for key in ("name", "email", "pass_hash", "pass_salt"))
            person = self.people[self._last_id] = Person(self._last_id, *told)
        return {"connect_id": person.id, "push": {"do": "register", "id": person.id, **self._registered(person)}}

    def _registered(self, person: Person) -> dict[str, str]:
        names = {"name": person.name, "email": person.email, "revalidateUrl": person.revalidate_url}
        return {**names, "pass_hash": person.pass_hash or "", "pass_salt": person.pass_salt or ""}

    def _changed(self, values: dict[str, str]) -> dict[str, object]:
        raise NotImplementedError(values["do"])

    def _apply(self, method: str, id: str, values: Mapping[str, str]) -> None:
        person = self.people[int(id)]
        match method:
            case "validate":
                person.revalidate_url = ""
            case "delete":
                del self.people[person.id]
            case "merge":
                del self.people[int(values["remove"])]
            case "ban":
                person.is_banned = values["status"] == "1"
            case "changeEmail":
                person.email = values["email"]
            case "changeName":
                person.name = values["name"]
            case "changePassword":
                person.pass_hash, person.pass_salt = values["pass_hash"], values["pass_salt"]


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
