"""Dovecot's auth service, of Debian's packages, with a configuration of its own and nothing else of Dovecot.

Its list is ``doveadm user '*'``, which tells user names and no more. Its check is asked over the socket that its own
IMAP and POP3 processes use: a line for each question, no HTTP. That is the quickest way in, and quicker than any that a
product on another machine could take. Its cache of passwords is off, as it is unless asked for.
"""

from __future__ import annotations

import base64
import itertools
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.rivals.driver import Asking
from bench.rivals.processes import end, wait_until
from bench.rivals.sources import LDAP_FILTER, Source
from tests.servers.server import program

_PACKAGE = "dovecot-core"


@dataclass(frozen=True, slots=True)
class Dovecot:
    """One that runs."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "dovecot.conf"

    @property
    def socket(self) -> Path:
        return self.folder / "run" / "login-auth"


def can_run() -> bool:
    """Whether Dovecot can be measured here: it starts as root alone."""
    return os.geteuid() == 0


@contextmanager
def serving(folder: Path, source: Source, workers: int) -> Iterator[Dovecot]:
    place = folder / f"dovecot-{source.kind}-{source.count}-{workers}"
    (place / "run").mkdir(parents=True)
    # Its processes are another user's.
    for each in (folder, place, place / "run"):
        each.chmod(0o711)
    found = Dovecot(place)
    (place / "people.conf.ext").write_text(_ldap(source) if source.kind == "ldap" else _sql(source), encoding="utf-8")
    found.config.write_text(_config(place, source, workers), encoding="utf-8")
    if source.kind == "sqlite":
        Path(source.address).chmod(0o644)
    command = [program("dovecot", package=_PACKAGE), "-F", "-c", str(found.config)]
    with (place / "output").open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_until(process, found.socket.exists, place / "log")
        yield found
    finally:
        end(process)


def _config(place: Path, source: Source, workers: int) -> str:
    driver = "ldap" if source.kind == "ldap" else "sql"
    args = place / "people.conf.ext"
    return (
        f"base_dir = {place}/run\nstate_dir = {place}/run\nlog_path = {place}/log\ninstance_name = bench\n"
        "protocols =\nssl = no\ndisable_plaintext_auth = no\nauth_mechanisms = plain\nauth_cache_size = 0\n"
        f"auth_worker_max_count = {workers}\n"
        "mail_uid = 65534\nmail_gid = 65534\nfirst_valid_uid = 1\n"
        f"passdb {{\n  driver = {driver}\n  args = {args}\n}}\n"
        f"userdb {{\n  driver = {driver}\n  args = {args}\n}}\n"
        "service auth {\n  client_limit = 4096\n  unix_listener login-auth {\n    mode = 0666\n  }\n}\n"
        "service stats {\n  client_limit = 4096\n}\n"
    )


def _sql(source: Source) -> str:
    if source.kind == "sqlite":
        place = f"driver = sqlite\nconnect = {source.address}\n"
    else:
        host, port, user, password, name = source.database
        place = f"driver = pgsql\nconnect = host={host} port={port} dbname={name} user={user} password={password}\n"
    where = "WHERE username = '%u' AND active = 1"
    return (
        f"{place}default_pass_scheme = SSHA256\n"
        f"password_query = SELECT username AS user, password FROM people {where}\n"
        f"user_query = SELECT '/nonexistent' AS home, 65534 AS uid, 65534 AS gid FROM people {where}\n"
        "iterate_query = SELECT username AS user FROM people WHERE active = 1\n"
    )


def _ldap(source: Source) -> str:
    one = LDAP_FILTER.replace("(&", "(&(uid=%u)", 1)
    return (
        f"uris = {source.address}\ndn = {source.user}\ndnpass = {source.password}\nbase = {source.base}\n"
        "ldap_version = 3\nscope = subtree\nauth_bind = yes\n"
        f"pass_filter = {one}\npass_attrs = uid=user\n"
        f"user_filter = {one}\nuser_attrs = =home=/nonexistent,=uid=65534,=gid=65534\n"
        f"iterate_filter = {LDAP_FILTER}\niterate_attrs = uid=user\n"
    )


def list_to(server: Dovecot, output: Path) -> float:
    """Everybody's name to a file; seconds."""
    command = [program("doveadm", package=_PACKAGE), "-c", str(server.config), "user", "*"]
    began = time.perf_counter()
    with output.open("wb") as file:
        subprocess.run(command, check=True, stdout=file)
    return time.perf_counter() - began


class Auth(Asking):
    """A connection to the auth socket."""

    _numbers = itertools.count(1)

    def __init__(self, server: Dovecot) -> None:
        sock = socket.socket(socket.AF_UNIX)
        super().__init__(sock)
        sock.connect(str(server.socket))
        # Clients are told apart by a number that would be their process's.
        sock.sendall(f"VERSION\t1\t2\nCPID\t{os.getpid() * 1000 + next(self._numbers)}\n".encode())
        greeting = b""
        while b"DONE\n" not in greeting:
            greeting += sock.recv(65536)
        self._id = 0

    def question(self, username: str, password: str) -> bytes:
        self._id += 1
        response = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
        return f"AUTH\t{self._id}\tPLAIN\tservice=imap\tsecured\tresp={response}\n".encode()

    def verdict(self, received: bytes) -> bool | None:
        return received.startswith(b"OK\t") if received.endswith(b"\n") else None
