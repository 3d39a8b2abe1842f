"""privacyIDEA, the release below from PyPI, in a virtual environment that is kept in ``build/bench/privacyidea``.

The people are a resolver of a realm: SQL or LDAP. Its list is ``GET /user/``, its check ``POST /validate/check`` with
the policy ``passthru = userstore``: people without a token, which all are, log in with the password of the directory.
It is served by gunicorn. In its favour: no audit records, no signatures on answers, warnings alone in the log, one pool
of connections for each process instead of a connection for each request, and an index for its way of asking for names
(``sources``). Its own database is of the kind that the people are in, or a SQLite file for LDAP.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg

from bench.rivals.processes import end_group, wait_for
from bench.rivals.sources import LDAP_FILTER, Source
from bench.serving import free_port

VERSION = "3.14"
_PACKAGES = ("gunicorn==23.0.0", "psycopg2-binary==2.9.11")
_FOLDER = Path(__file__).parents[2] / "build" / "bench" / "privacyidea"
_ADMIN = "admin"
REALM = "crowd"


@dataclass(frozen=True, slots=True)
class PrivacyIdea:
    """One that runs. ``token`` is the administrator's."""

    port: int
    token: str


def install() -> Path:
    """The folder of the programs; the first time it takes a minute, and half a gigabyte."""
    programs = _FOLDER / "bin"
    stamp = _FOLDER / f".installed-{VERSION}"
    if stamp.exists():
        return programs
    print(f"Installing privacyIDEA {VERSION} into {_FOLDER}", file=sys.stderr)
    venv.create(_FOLDER, clear=True, with_pip=True)
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # The release brings the versions of everything it was tested with.
    subprocess.run([*pip, "--no-deps", f"privacyidea=={VERSION}"], check=True)
    subprocess.run([*pip, "-r", str(_FOLDER / "lib" / "privacyidea" / "requirements.txt")], check=True)
    subprocess.run([*pip, *_PACKAGES], check=True)
    stamp.touch()
    return programs


@contextmanager
def serving(folder: Path, source: Source, workers: int) -> Iterator[PrivacyIdea]:
    programs = install()
    place = folder / f"privacyidea-{source.kind}-{source.count}-{workers}"
    place.mkdir()
    with _own_database(place, source) as database:
        environment = _configured(programs, place, database)
        password = secrets.token_urlsafe()
        _manage(programs, environment, place, "admin", "add", _ADMIN, "-p", password)
        port = free_port()
        command = [str(programs / "gunicorn"), "--workers", str(workers), "--worker-class", "gthread", "--threads", "4"]
        command += ["--timeout", "600", "--keep-alive", "60", "--bind", f"127.0.0.1:{port}", "--log-level", "warning"]
        command.append('privacyidea.app:create_app(config_name="production", silent=True)')
        with (place / "log").open("ab") as log:
            process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, cwd=place, start_new_session=True
            )
        try:
            wait_for(process, port, place / "log")
            yield _set_up(port, password, source)
        finally:
            end_group(process)


@contextmanager
def _own_database(place: Path, source: Source) -> Iterator[str]:
    if source.kind != "postgresql":
        yield f"sqlite:///{place}/privacyidea.db"
        return
    name = f"privacyidea_{secrets.token_hex(4)}"
    url = source.address.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        host, port, user, password, _ = source.database
        yield f"postgresql+psycopg2://{user}:{password}@{host}:{port}/{name}"


def _configured(programs: Path, place: Path, database: str) -> dict[str, str]:
    """The environment of its programs, once its configuration, keys and tables are there."""
    settings: dict[str, object] = {
        "SUPERUSER_REALM": ["administrators"],
        "SQLALCHEMY_DATABASE_URI": database,
        "SECRET_KEY": secrets.token_urlsafe(),
        "PI_PEPPER": secrets.token_urlsafe(),
        "PI_ENCFILE": f"{place}/enckey",
        "PI_AUDIT_KEY_PRIVATE": f"{place}/private.pem",
        "PI_AUDIT_KEY_PUBLIC": f"{place}/public.pem",
        "PI_AUDIT_MODULE": "privacyidea.lib.auditmodules.base",
        "PI_AUDIT_NO_SIGN": True,
        "PI_NO_RESPONSE_SIGN": True,
        "PI_ENGINE_REGISTRY_CLASS": "shared",
        "PI_LOGFILE": f"{place}/privacyidea.log",
        "PI_LOGLEVEL": 30,
    }
    lines = [f"{name} = {value!r}\n" for name, value in settings.items()]
    (place / "pi.cfg").write_text("".join(lines), encoding="utf-8")
    environment = {**os.environ, "PRIVACYIDEA_CONFIGFILE": f"{place}/pi.cfg"}
    environment.pop("PYTHONPATH", None)
    for command in ("create_enckey", "create_audit_keys", "create_tables"):
        _manage(programs, environment, place, "setup", command)
    return environment


def _manage(programs: Path, environment: Mapping[str, str], place: Path, *arguments: str) -> None:
    done = subprocess.run([programs / "pi-manage", *arguments], env=environment, cwd=place, capture_output=True)
    if done.returncode:
        raise SystemExit(f"pi-manage {' '.join(arguments[:2])}: {done.stderr.decode(errors='replace')[-2000:]}")


def _set_up(port: int, password: str, source: Source) -> PrivacyIdea:
    """Resolver, realm and policies, over its own API."""
    token = _call(port, "POST", "/auth", {"username": _ADMIN, "password": password})["token"]
    resolver = _ldap(source) if source.kind == "ldap" else _sql(source)
    _call(port, "POST", "/resolver/people", resolver, token)
    _call(port, "POST", f"/realm/{REALM}", {"resolvers": "people"}, token)
    _call(port, "POST", f"/defaultrealm/{REALM}", {}, token)
    policy = {"scope": "authentication", "action": "passthru=userstore", "realm": REALM, "active": True}
    _call(port, "POST", "/policy/directory", policy, token)
    return PrivacyIdea(port, token)


def _call(port: int, method: str, path: str, body: object, token: str = "") -> Any:
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Content-Type": "application/json", **({"Authorization": token} if token else {})}
    connection.request(method, path, json.dumps(body), headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    if response.status != 200:
        raise SystemExit(f"privacyIDEA, {method} {path}: {response.status} {content[:500]!r}")
    return json.loads(content)["result"]["value"]


def _sql(source: Source) -> dict[str, object]:
    columns = {"userid": "id", "username": "username", "surname": "full_name", "email": "email", "alias": "alias"}
    place: dict[str, object] = {"Driver": "sqlite", "Server": "/", "Database": source.address[1:]}
    if source.kind == "postgresql":
        host, port, user, password, name = source.database
        place = {"Driver": "postgresql+psycopg2", "Server": host, "Port": port, "User": user, "Password": password}
        place["Database"] = name
    return {
        "type": "sqlresolver",
        **place,
        "Table": "people",
        "Where": "active == 1",
        "Limit": source.count + 1,
        "Encoding": "utf-8",
        "Map": json.dumps({**columns, "password": "password"}),
    }


def _ldap(source: Source) -> dict[str, object]:
    return {
        "type": "ldapresolver",
        "LDAPURI": source.address,
        "LDAPBASE": source.base,
        "BINDDN": source.user,
        "BINDPW": source.password,
        "AUTHTYPE": "Simple",
        "TIMEOUT": 600,
        "SIZELIMIT": source.count + 1,
        "LOGINNAMEATTRIBUTE": "uid",
        "LDAPSEARCHFILTER": LDAP_FILTER,
        "UIDTYPE": "entryUUID",
        "NOREFERRALS": True,
        "NOSCHEMAS": True,
        "MULTIVALUEATTRIBUTES": '["email"]',
        "USERINFO": json.dumps({"username": "uid", "surname": "cn", "email": "mail"}),
    }


def list_request(server: PrivacyIdea) -> tuple[str, str, str, dict[str, str]]:
    """Method, path, body and headers of the question for everybody."""
    return "GET", f"/user/?realm={REALM}", "", {"Authorization": server.token}


def check_body(username: str, password: str) -> str:
    return urlencode({"user": username, "pass": password, "realm": REALM})
