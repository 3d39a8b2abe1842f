"""Make the dumps of stores at earlier revisions of the schema, each by a server that had just that schema.

    python -m tests.store.old_stores.produce REVISION COMMIT

COMMIT is one at which REVISION was the newest. Its code is checked out beside, and run as its users would: by its
command line, over HTTP, with files that change. Written are ``REVISION.sqlite.sql``, ``REVISION.postgresql.sql``
and ``REVISION.json``, what tests must know beside (tokens, ids). Dumps are made once, when a revision is succeeded by
the next one, and not again.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg

from tests.servers import PostgreSql
from tests.servers.postgresql import tool
from tests.servers.server import free_port
from tests.store.old_stores.setting import ADMIN, MASTER_KEY, PERSON, RECEIVER_PORT, REFUSED, SERVICE, Setting
from tests.waiting import wait_for

HERE = Path(__file__).parent
_FORUM_HASH = "$2y$13$" + "oldstore" * 6 + "abcde"


class Receiver:
    """Takes everything but what /crm is told of one person."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, str]] = []
        handler = type("Handler", (_Handler,), {"receiver": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", RECEIVER_PORT), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        is_refused = self.path == "/crm" and f'"{REFUSED}"' in body
        self.send_response(500 if is_refused else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.receiver.bodies.append((self.path, body))

    def log_message(self, format: str, *args: Any) -> None:
        pass


class OldServer:
    """The program of a checked-out tree."""

    def __init__(self, tree: Path, setting: Setting) -> None:
        self.tree = tree
        self.setting = setting
        self.said: list[str] = []

    def run(self, *args: object, typed: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "integration_server", *map(str, args)],
            cwd=self.tree,
            env=self._environment(),
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.tree), "INTEGRATION_SERVER_CONFIG": str(self.setting.config)}

    @contextmanager
    def serving(self) -> Iterator[None]:
        process = subprocess.Popen(
            [sys.executable, "-m", "integration_server", "serve", str(self.setting.config)],
            cwd=self.tree,
            env=self._environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        reader = threading.Thread(target=self.said.extend, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            wait_for(self._is_up, "the old server")
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(40)
            reader.join(10)

    def _is_up(self) -> bool:
        try:
            self.call("/archive", {"cmd": "list"})
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def call(self, path: str, form: dict[str, str], method: str = "POST") -> tuple[int, str]:
        basic = base64.b64encode(":".join(SERVICE).encode()).decode()
        return self._ask(path, urlencode(form).encode(), {"Authorization": f"Basic {basic}"}, method)

    def api(self, path: str, message: object, token: str) -> Any:
        head = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        status, text = self._ask(path, json.dumps(message).encode(), head, "POST")
        assert status < 300, (status, text)
        return json.loads(text)

    def _ask(self, path: str, body: bytes, head: dict[str, str], method: str) -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.setting.port}{path}", body, head, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()


def live(server: OldServer, receiver: Receiver) -> dict[str, Any]:
    """Whatever an installation of that time does; what tests must know of it."""
    setting, facts = server.setting, dict[str, Any]()
    setting.write()
    if setting.revision >= "0002":
        scopes = ("--scope", "events:read", "--scope", "subscriptions:write", "--scope", "sync:admin")
        facts["token"] = re.findall(r"ist_[\w-]+", server.run("token", "create", "reader", *scopes))[0]
    if setting.revision >= "0006":
        server.run("admin", "create", ADMIN[0], "--stdin", typed=f"{ADMIN[1]}\n")
    with server.serving():
        if setting.revision >= "0003":
            _meet_groups(server, facts)
        if setting.revision >= "0002":
            _forward(server, receiver, facts)
        if setting.revision >= "0004":
            _keep(server, facts)
        if setting.revision >= "0005":
            _push(server, facts)
        _list_and_log_in(server)
    return facts


def _list_and_log_in(server: OldServer) -> None:
    for path in ("/archive", "/branch"):
        assert server.call(path, {"cmd": "list"})[0] == 200, path
    assert "true" in server.call("/archive", {"cmd": "auth", "user": PERSON[0], "pass": PERSON[1]})[1]
    for password in ("guess one", "guess two"):
        assert "false" in server.call("/archive", {"cmd": "auth", "user": "u06", "pass": password})[1]
    server.setting.write_branch(12)
    held = wait_for(lambda: (got := server.call("/branch", {"cmd": "list"}))[0] == 503 and got, "the guard")
    assert "guard" in held[1] or "missing" in held[1], held
    if server.setting.revision >= "0002":
        server.run("sync", "scan", "branch")
        assert "branch" in server.run("sync", "show")


def _forward(server: OldServer, receiver: Receiver, facts: dict[str, Any]) -> None:
    server.run("sync", "scan")
    url = f"http://127.0.0.1:{RECEIVER_PORT}/crm"
    made = server.api("/api/v1/subscriptions", {"url": url, "uid": "crm", "resource": {"kind": "all"}}, facts["token"])
    facts["crm"] = {"id": made["id"], "secret": made["secret"]}
    for change in ({"name": "Renamed Seven"}, {"name": "Renamed Seven", "mail": "seven@example.org"}):
        server.setting.write_hq({REFUSED: change})
        server.run("sync", "scan", "hq")
    server.setting.write_hq_changed()
    server.run("sync", "scan", "hq")
    for path in ("/crm", "/wiki"):
        wait_for(lambda path=path: _has(receiver, path, "u30") and _has(receiver, path, "u31"), f"{path} to be told")
    wait_for(lambda: server.run("deliveries", "list", "--json").count(facts["crm"]["id"]) >= 2, "parked ones")
    # What was delivered is written down a moment later.
    time.sleep(1.0)


def _has(receiver: Receiver, path: str, login: str) -> bool:
    return any(one == path and f'"{login}"' in body for one, body in list(receiver.bodies))


def _groups(server: OldServer, hook: str, token: str, **fields: str) -> Any:
    status, text = server.call(f"/groups/{hook}.json", {"token": token, **fields})
    assert status == 200, text
    return json.loads(text)


def _meet_groups(server: OldServer, facts: dict[str, Any]) -> None:
    # Where it prints the token changed; it can always be had anew.
    facts["groups_token"] = server.run("token", "rotate", "groups").strip().split()[-1]
    groups = _groups(server, "gs-group-groups", facts["groups_token"], get="")
    facts["groups"] = sorted(one["id"] for one in groups)
    found = _groups(server, "gs-search-people", facts["groups_token"], search="", user="u05@example.org")
    facts["profile"] = found


def _keep(server: OldServer, facts: dict[str, Any]) -> None:
    token = facts["groups_token"]
    joined = _groups(server, "gs-group-member-add", token, add="", groupId="sales", email="u05@example.org", fn="Five")
    new = _groups(server, "gs-group-member-add", token, add="", groupId="sales", email="new@example.org", fn="New One")
    assert (joined["status"], new["status"]) == (1, 0), (joined, new)
    account = {
        "name": "Eve",
        "email": "eve@example.org",
        "pass_hash": _FORUM_HASH,
        "pass_salt": "oldstoreoldstoreoldsto",
    }
    call = {"do": "register", "key": MASTER_KEY, **account}
    status, text = server.call(f"/connect?{urlencode(call)}", {})
    made = json.loads(text)
    assert made["status"] == "SUCCESS", (status, text)
    facts["forum"] = {"id": made["connect_id"], **account}


def _push(server: OldServer, facts: dict[str, Any]) -> None:
    free, bound = str(uuid.uuid4()), str(uuid.uuid4())
    made = server.api("/push/register", {"UAID": None, "APPID": free}, facts["token"])
    tied = {"UAID": made["UAID"], "APPID": bound, "RESOURCE": {"kind": "backend", "backend": "hq"}}
    server.api("/push/register", {**tied, "TOKEN": facts["token"]}, facts["token"])
    path = made["ENDPOINT"].partition(f":{server.setting.port}")[2]
    assert server.call(path, {"version": "7"}, "PUT")[0] == 202
    facts["push"] = {"uaid": made["UAID"], "free": free, "bound": bound, "endpoint": path}


# -- dumps -----------------------------------------------------------------------------------------------------------


def dump_sqlite(path: Path) -> str:
    with sqlite3.connect(path) as connection:
        return "\n".join(connection.iterdump()) + "\n"


def dump_postgresql(server: PostgreSql, url: str) -> str:
    options = ["--inserts", "--no-owner", "--no-privileges", "--no-comments", "--encoding=UTF8"]
    address = url.replace("postgresql+psycopg:", "postgresql:")
    done = server.run([tool("pg_dump"), *options, address])
    # What psql alone understands.
    return "\n".join(line for line in done.stdout.decode().splitlines() if not line.startswith("\\")) + "\n"


def _with_intent(sqlite: Path | None, url: str) -> None:
    """A write whose process died in the middle: it cannot be had in time, but its row looks so."""
    columns = "INSERT INTO intents (backend, person_id, address, origin, created_at) VALUES "
    row = f"('hq', '5', NULL, 'groups', {time.time() - 600})"
    if sqlite is not None:
        with sqlite3.connect(sqlite) as connection:
            connection.execute(columns + row)
    else:
        with psycopg.connect(url.replace("postgresql+psycopg:", "postgresql:")) as connection:
            connection.execute((columns + row).encode())


def produce(revision: str, tree: Path, new_url: Callable[[], str], postgresql: PostgreSql) -> None:
    facts = {}
    for kind in ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory(prefix="old store ") as place:
            url = new_url() if kind == "postgresql" else ""
            setting = Setting(Path(place), revision, free_port(), store=url)
            receiver = Receiver()
            try:
                facts[kind] = live(OldServer(tree, setting), receiver)
            finally:
                receiver.close()
            file = None if url else setting.data / "store.db"
            if revision >= "0003":
                _with_intent(file, url)
            facts[kind]["made_at"] = time.time()
            facts[kind]["secret_key"] = (setting.data / "secret.key").read_bytes().hex()
            text = dump_sqlite(file) if file else dump_postgresql(postgresql, url)
            (HERE / f"{revision}.{kind}.sql").write_text(text, encoding="utf-8")
    (HERE / f"{revision}.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main(revision: str, commit: str) -> None:
    with tempfile.TemporaryDirectory(prefix="old code ") as place:
        tree = Path(place) / "tree"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(tree), commit], check=True)
        postgresql = PostgreSql(Path(tempfile.mkdtemp(prefix="old stores ")))
        postgresql.directory.chmod(0o755)
        try:
            postgresql.start()
            produce(revision, tree, postgresql.create_database, postgresql)
        finally:
            postgresql.destroy()
            subprocess.run(["git", "worktree", "remove", "--force", str(tree)], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
