"""Where secrets pass by: the settings, the store, the checks of passwords and keys, and what tests send over HTTP."""

from __future__ import annotations

import functools
import http.client
import importlib
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import types

from tests.secrecy.watch import Watch

#: Keys of configurations and fields of requests that hold secrets.
_SECRET_NAME = re.compile(
    r"(.*_)?(password|password_hash|pass|secret|token|dsn|url|master_key|key|pass_hash|pass_salt|authorization)", re.I
)
#: Module, name within it, and what is secret there: positions of arguments, or the result.
_RESULT = -1
_PLACES: tuple[tuple[str, str, tuple[int, ...], str], ...] = (
    ("integration_server.directory.dispatch", "Directory.authenticate", (3,), "a password that was typed"),
    ("integration_server.directory.dispatch", "Directory.ask", (3,), "a password that was typed"),
    ("integration_server.sdk.passwords", "PasswordChecker.verify", (1, 2), "a password or its hash"),
    ("integration_server.sdk.passwords", "PasswordChecker.verify_nobody", (1,), "a password that was typed"),
    ("integration_server.sdk.passwords", "hash_password", (0, _RESULT), "a password or its hash"),
    ("integration_server.store.tokens", "Tokens.create", (_RESULT,), "a token of the API"),
    ("integration_server.store.tokens", "Tokens.find", (1,), "a token of the API"),
    ("integration_server.store.frontend_tokens", "new_token", (_RESULT,), "a frontend's token"),
    ("integration_server.store.frontend_tokens", "FrontendTokens.matches", (2,), "a frontend's token"),
    ("integration_server.store.admins", "Admins.begin", (_RESULT,), "a session of the dashboard"),
    ("integration_server.store.admins", "Admins.session", (1,), "a session of the dashboard"),
    ("integration_server.web.callers", "parse_basic", (_RESULT,), "a service password"),
    ("integration_server.builtin.webhook.signatures", "new_secret", (_RESULT,), "a secret of a webhook"),
    ("integration_server.builtin.push.endpoints", "Endpoints.token", (_RESULT,), "an endpoint"),
    ("integration_server.builtin.ips_connect.keys", "key_of_id", (0, _RESULT), "a key of IPS Connect"),
    ("integration_server.builtin.ips_connect.keys", "new_key", (_RESULT,), "a key of IPS Connect"),
    ("integration_server.builtin.ips_connect.keys", "is_same", (0, 1), "a key of IPS Connect"),
    ("integration_server.builtin.ips_connect.passwords", "hashed", (0, 1, _RESULT), "a password, salt or hash"),
    ("integration_server.builtin.ips_connect.passwords", "verify", (0, 1, 2), "a password, salt or hash"),
    ("integration_server.builtin.ips_connect.seals", "Seal.write", (_RESULT,), "a cookie or the state of a chain"),
)


def observe(watch: Watch) -> None:
    """For the whole process, to its end; before other modules take these functions by name."""
    for module, name, positions, kind in _PLACES:
        owner: Any = importlib.import_module(module)
        *path, last = name.split(".")
        for part in path:
            owner = getattr(owner, part)
        setattr(owner, last, _overheard(getattr(owner, last), positions, kind, watch))
    _observe_settings(watch)
    _observe_requests(watch)


def _overheard(function: Callable[..., Any], positions: tuple[int, ...], kind: str, watch: Watch) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **named: Any) -> Any:
        given = [*args, *named.values()]
        for position in positions:
            if 0 <= position < len(given):
                # A user name stands before a password.
                watch.learn(given[position], kind, but=given[position - 1] if position == 3 else None)
        result = function(*args, **named)
        if _RESULT in positions:
            for value in result if isinstance(result, tuple) else (result,):
                watch.learn(value, kind)
        return result

    return wrapper


def _observe_settings(watch: Watch) -> None:
    base: Any = types._SecretBase
    made = base.__init__

    def init(self: Any, secret_value: Any) -> None:
        watch.learn(secret_value, "a secret of the configuration")
        made(self, secret_value)

    base.__init__ = init


def _observe_requests(watch: Watch) -> None:
    connection: Any = http.client.HTTPConnection
    put_header, request = connection.putheader, connection.request

    def overheard_header(self: Any, header: Any, *values: Any) -> None:
        name = header.decode("latin-1") if isinstance(header, bytes) else str(header)
        if name.lower() in ("authorization", "cookie", "x-hook-secret"):
            for value in values:
                text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
                watch.learn(text.partition("=")[2] if name.lower() == "cookie" else text.rpartition(" ")[2], name)
        put_header(self, header, *values)

    def overheard_request(self: Any, method: str, url: str, body: Any = None, *more: Any, **named: Any) -> None:
        for text in (urlsplit(url).query, body):
            for name, value in _fields(text):
                if _SECRET_NAME.fullmatch(name):
                    watch.learn(value, f"the field {name} of a request")
        request(self, method, url, body, *more, **named)

    connection.putheader, connection.request = overheard_header, overheard_request


def _fields(text: object) -> list[tuple[str, str]]:
    if isinstance(text, bytes):
        text = text[:65_536].decode("utf-8", "replace")
    return parse_qsl(text[:65_536]) if isinstance(text, str) and "=" in text else []


def learn_configuration(watch: Watch, folder: Path) -> None:
    """The secrets of a configuration that another process reads."""
    for file in folder.glob("*.toml"):
        try:
            tables = tomllib.loads(file.read_text(encoding="utf-8"))
        except (ValueError, OSError):
            continue
        for name, value in _leaves(tables):
            if _SECRET_NAME.fullmatch(name):
                watch.learn(value, f"{name} of a configuration")


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    else:
        yield name, value
