"""The lines of ``check``, and the rules that need nothing but settings."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr

from integration_server import FrontendSettings
from integration_server.sdk.urls import URL_PASSWORD

if TYPE_CHECKING:
    from integration_server.config import ServerSettings, Table


@dataclass(frozen=True, slots=True)
class Line:
    """One finding. ``level`` is ``ok``, ``warning``, ``error`` or ``unavailable``."""

    where: str
    level: str
    message: str


def frontend_lines(where: str, settings: FrontendSettings, is_open_to_others: bool) -> Iterator[Line]:
    """What is risky or of no effect in one frontend. ``is_open_to_others``: the server listens beyond loopback."""
    if settings.demo_password:
        yield Line(where, "warning", "demo_password: the password is a published sample; only this machine is answered")
    if settings.username is None and settings.allow_anonymous:
        yield Line(where, "warning", "allow_anonymous: whoever reaches the server gets the list and may try passwords")
    elif settings.username is None and not settings.has_own_key:
        yield Line(where, "warning", "no username and password are set; only this machine is answered")
    if settings.allow_plain_http and is_open_to_others:
        yield Line(where, "warning", "allow_plain_http: passwords cross the network unencrypted")
    if settings.auth_outside_list:
        yield Line(where, "warning", "auth_outside_list: also people whom the list leaves out can log in")
    yield from (Line(where, "warning", risk) for risk in settings.risks())
    yield from _password_hash_lines(where, settings)


def _password_hash_lines(where: str, settings: FrontendSettings) -> Iterator[Line]:
    from integration_server.sdk.passwords import PasswordChecker, UnknownScheme

    if settings.password_hash is None:
        return
    try:
        PasswordChecker().verify(settings.password_hash.get_secret_value(), "x")
    except UnknownScheme as exc:
        yield Line(where, "error", f"password_hash: {exc}; 'integration-server hash-password' makes one")


def server_lines(
    settings: ServerSettings, frontends: Mapping[str, FrontendSettings], is_loopback: bool
) -> Iterator[Line]:
    """What the listener's address means for the frontends."""
    if is_loopback:
        return
    refusing = [name for name, frontend in frontends.items() if not frontend.allow_plain_http]
    if refusing and not settings.trusted_proxies:
        yield Line(
            "[server]",
            "warning",
            f"listens on {settings.host}, but {', '.join(refusing)} will refuse other machines, since passwords would "
            "cross the network unencrypted: put a proxy with TLS before the server and name it in trusted_proxies",
        )


def readable_secret_lines(table: Table, settings: BaseModel, is_demo: bool) -> Iterator[Line]:
    """A secret that stands in a file which every account of the machine can read."""
    if os.name == "nt" or is_demo or not _is_readable_by_all(table.file):
        return
    keys = list(secret_keys(settings, table.values))
    if keys:
        yield Line(
            f"[{table.path}]",
            "warning",
            f"{', '.join(keys)}: every account of this machine can read {table.file}; chmod 640 it, or keep the secret "
            'elsewhere with { file = "..." }',
        )


def secret_keys(settings: BaseModel, raw: Mapping[str, Any]) -> Sequence[str]:
    """The keys whose secret stands literally in the table."""
    return [
        field.alias or name
        for name, field in type(settings).model_fields.items()
        if isinstance(getattr(settings, name), SecretStr) and _tells(raw.get(field.alias or name))
    ]


def _tells(value: object) -> bool:
    """Whether a secret stands there: a text, but of a URL only its password is one."""
    return isinstance(value, str) and ("://" not in value or URL_PASSWORD.search(value) is not None)


def _is_readable_by_all(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
