"""The configuration: every ``*.toml`` of one folder, merged, each table from one file only.

This module knows no plugin. Tables of backends and frontends are kept raw until ``parse_table`` reads them with the
Settings class of their type. Every error names file, table and key, and the nearest key that exists.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import ipaddress
import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from integration_server.sdk import windows_paths
from integration_server.sdk.errors import ConfigError
from integration_server.sdk.settings import Secret, Settings, Texts


class ServerSettings(Settings):
    """``[server]``: the listener and the folder for everything the server writes."""

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8080, ge=0, le=65535, description="TCP port to listen on")
    data_dir: str = Field(default="../data", description="folder for the store, spooled lists and keys")
    threads: int = Field(default=32, ge=4, le=256, description="requests answered at one time, in each process")
    processes: int = Field(default=1, ge=1, le=64, description="server processes that share the listening socket")
    connection_limit: int = Field(default=1000, ge=10, description="open connections in each process")
    header_seconds: float = Field(default=10.0, gt=0, description="time within which a request's headers must arrive")
    body_seconds: float = Field(default=30.0, gt=0, description="time within which a request's body must arrive")
    idle_seconds: float = Field(default=60.0, gt=0, description="how long an unused connection is kept")
    send_stall_seconds: float = Field(default=120.0, gt=0, description="how long a reader may take nothing")
    trusted_proxies: Texts = Field(default=(), description="addresses or networks whose X-Forwarded-* are believed")

    monitoring_networks: Texts = Field(
        default=("127.0.0.0/8", "::1"), description="networks from which /metrics and /healthz/BACKEND may be asked for"
    )

    @field_validator("trusted_proxies", "monitoring_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network, strict=False)
        return value


class StoreSettings(Settings):
    """``[store]``: the server's own database."""

    url: Secret | None = Field(default=None, description="SQLAlchemy URL; SQLite in data_dir when left out")


class ThrottleSettings(Settings):
    """``[throttle]``: the brake on guessing passwords, by user name and caller."""

    free_failures: int = Field(default=5, ge=1, description="different wrong passwords without a pause")
    first_pause_seconds: float = Field(default=30.0, gt=0, description="the pause after that; doubles with each more")
    longest_pause_seconds: float = Field(default=900.0, gt=0, le=86400, description="no pause is longer")
    window_seconds: float = Field(default=3600.0, gt=0, description="how long a wrong password is remembered")


class PluginSettings(Settings):
    """``[plugins]``: where drop-in plugins lie."""

    folder: str | None = Field(default=None, description="folder with one .py file per plugin")
    disabled: Texts = Field(default=(), description="names of plugins that are not loaded")


class LogSettings(Settings):
    """``[log]``: what the server says on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="the least that is said")
    format: Literal["text", "json"] = Field(default="text", description="json = one JSON object a line")
    event_log: bool = Field(
        default=False,
        description="Windows: warnings and errors also go to the event log; takes integration-server[windows]",
    )

    @field_validator("event_log")
    @classmethod
    def _event_log(cls, value: bool) -> bool:
        if value and sys.platform != "win32":
            raise ValueError("only Windows has an event log")
        if value and importlib.util.find_spec("win32evtlogutil") is None:
            raise ValueError('the event log takes pywin32: pip install "integration-server[windows]"')
        return value


class ForwardingSettings(Settings):
    """``[forwarding]``: noticing changes and delivering them."""

    allow_networks: Texts = Field(
        default=(), description="private networks or addresses to which deliveries may connect"
    )
    keep_days: float = Field(default=90.0, gt=0, description="how long events stay in the journal")
    workers: int = Field(default=32, ge=1, le=512, description="deliveries under way at one time, over all receivers")
    connections: int = Field(default=4, ge=1, le=64, description="deliveries under way at one time to one receiver")
    quarantine_hours: float = Field(
        default=120.0, gt=0, description="a receiver that fails for so long is only probed now and then"
    )
    subscriptions_per_token: int = Field(
        default=100, ge=0, le=10_000, description="how many subscriptions one token of the API may have"
    )
    channels_per_token: int = Field(
        default=20_000,
        ge=0,
        le=1_000_000,
        description="how many push channels may be bound to backends and groups with one token",
    )

    @field_validator("allow_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network, strict=False)
        return value


class ApiSettings(Settings):
    """``[api]``: the REST API under /api/v1."""

    allow_plain_http: bool = Field(
        default=False, description="take bearer tokens over unencrypted HTTP from other machines"
    )


class DashboardSettings(Settings):
    """``[dashboard]``: the pages for administrators under /dashboard."""

    enabled: bool = Field(default=True, description="whether there is a dashboard")
    allow_plain_http: bool = Field(
        default=False, description="take passwords of administrators over unencrypted HTTP from other machines"
    )
    session_hours: float = Field(default=12.0, gt=0, le=744, description="an administrator signs in again after that")
    idle_minutes: float = Field(default=60.0, gt=0, le=44640, description="and after so long without a page")
    audit_days: float = Field(default=365.0, gt=0, description="how long the audit log keeps what was done")


class CoreSettings(Settings):
    """Every table that is not a plugin's."""

    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    throttle: ThrottleSettings = ThrottleSettings()
    plugins: PluginSettings = PluginSettings()
    log: LogSettings = LogSettings()
    forwarding: ForwardingSettings = ForwardingSettings()
    api: ApiSettings = ApiSettings()
    dashboard: DashboardSettings = DashboardSettings()


@dataclass(frozen=True, slots=True)
class Table:
    """One ``[backends.NAME]``, ``[frontends.NAME]`` or ``[subscriptions.NAME]`` table as it stands in its file, or one
    of the core's, which has no ``kind``."""

    kind: str
    name: str
    file: Path
    values: Mapping[str, Any] = field(repr=False)  # passwords stand in it as they were written

    @property
    def path(self) -> str:
        return f"{self.kind}.{self.name}" if self.kind else self.name

    @property
    def type(self) -> str:
        """Which plugin class it is for. Raises ConfigError when it does not say."""
        found = self.values.get("type")
        if not isinstance(found, str):
            sample = {"backends": "csv", "frontends": "mailstore", "subscriptions": "webhook"}.get(self.kind, "...")
            raise ConfigError(f'{self.file}: [{self.path}] needs a type, such as type = "{sample}"')
        return found


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration folder. ``base_dir`` is where its relative paths start. ``core_tables`` are those of
    ``core`` as they stand in their files, and ``digests`` are of what was read."""

    base_dir: Path
    files: tuple[Path, ...]
    core: CoreSettings
    backends: Mapping[str, Table]
    frontends: Mapping[str, Table]
    subscriptions: Mapping[str, Table]
    core_tables: Mapping[str, Table] = field(default_factory=dict)
    digests: Mapping[Path, str] = field(default_factory=dict)

    @property
    def data_dir(self) -> Path:
        return (self.base_dir / self.core.server.data_dir).resolve()


_CORE = tuple(CoreSettings.model_fields)
_PLUGGED = ("backends", "frontends", "subscriptions")
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")


def load(folder: Path) -> Config:
    """Read a configuration folder. Raises ConfigError that lists everything wrong in its files and core tables."""
    if folder.is_file():
        raise ConfigError(f"{folder} is a file; give the folder that holds it")
    if not folder.is_dir():
        raise ConfigError(f"{folder} does not exist; 'integration-server init {folder}' makes one")
    files = toml_files(folder)
    if not files:
        raise ConfigError(f"{folder} holds no .toml file; 'integration-server init DIR' writes a first one")
    base_dir = folder.resolve()
    core: dict[str, Any] = {}
    core_files: dict[str, Path] = {}
    plugged: dict[str, dict[str, Table]] = {kind: {} for kind in _PLUGGED}
    settings = CoreSettings()
    digests: dict[Path, str] = {}
    faults: list[str] = []
    for path in files:
        with _noted(faults):
            content = _content(path)
            digests[path] = _digest(content)
            for key, value in _parsed(path, content).items():
                with _noted(faults):
                    if key in _CORE:
                        _merge_core(core, core_files, key, value, path)
                    elif key in _PLUGGED:
                        _merge_plugged(plugged[key], key, value, path, faults)
                    else:
                        raise ConfigError(f"{path}: unknown table [{key}]{_nearest(key, (*_CORE, *_PLUGGED))}")
    with _noted(faults):
        settings = _validate(
            CoreSettings, core, base_dir, lambda loc: core_files.get(str(loc[0]) if loc else "", folder)
        )
    if faults:
        raise ConfigError("\n".join(faults))
    core_tables = {name: Table("", name, path, core[name]) for name, path in core_files.items()}
    backends, frontends, subscriptions = (plugged[kind] for kind in _PLUGGED)
    return Config(base_dir, files, settings, backends, frontends, subscriptions, core_tables, digests)


def toml_files(folder: Path) -> tuple[Path, ...]:
    """The files of a configuration folder that are read, in order. Raises ConfigError."""
    try:
        # Not glob: it takes a folder that may not be read for an empty one.
        names = sorted(os.listdir(folder))
    except OSError as exc:
        raise ConfigError(f"{folder} cannot be read: {exc.strerror}") from exc
    return tuple(folder / name for name in names if name.endswith(".toml") and not name.startswith("."))


@contextmanager
def _noted(faults: list[str]) -> Iterator[None]:
    """Go on after a fault: whoever mends a configuration wants to see all of them."""
    try:
        yield
    except ConfigError as exc:
        faults.append(str(exc))


def digest_of(path: Path) -> str:
    """To see whether a file has changed since it was read. Raises ConfigError."""
    return _digest(_content(path))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        advice = f"; {windows_paths.ADVICE}" if windows_paths.has_double_quoted(text) else ""
        raise ConfigError(f"{path}: {exc}{advice}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: is not UTF-8 (byte {exc.start})") from exc
    except (ValueError, RecursionError):
        raise ConfigError(f"{path}: a number in it is too long to be read, or lists in it are too deep") from None
    for key, found in windows_paths.texts(values):
        if "\0" in found:
            raise ConfigError(f"{path}: {key}: a NUL character stands in it, which no setting takes")
        if windows_paths.is_broken(found):
            raise ConfigError(
                f"{path}: {key}: a backslash in double quotes became another character; {windows_paths.ADVICE}"
            )
    return values


def _merge_core(core: dict[str, Any], files: dict[str, Path], key: str, value: Any, path: Path) -> None:
    if key in core:
        raise ConfigError(f"{path}: [{key}] stands already in {files[key]}; keep one of them")
    core[key], files[key] = value, path


def _merge_plugged(tables: dict[str, Table], kind: str, value: Any, path: Path, faults: list[str]) -> None:
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: {kind} must be tables, such as [{kind}.hq]")
    for name, values in value.items():
        with _noted(faults):
            _merge_table(tables, Table(kind, name, path, values))


def _merge_table(tables: dict[str, Table], table: Table) -> None:
    name, where = table.name, f"{table.file}: [{table.path}]"
    if not isinstance(table.values, dict):
        raise ConfigError(f"{table.file}: {table.path} must be a table: write [{table.path}]")
    if not name or not set(name) <= _NAME_CHARACTERS or len(name) > 100:
        raise ConfigError(f"{where}: take small letters, digits, - and _ for a name")
    if name in tables:
        raise ConfigError(f"{where} stands already in {tables[name].file}; keep one of them")
    tables[name] = table


S = TypeVar("S", bound=BaseModel)


def parse_table(table: Table, schema: type[S], base_dir: Path) -> S:
    """A plugin's table as its Settings. Raises ConfigError that lists everything wrong in it."""
    return _validate(schema, dict(table.values), base_dir, lambda _loc: table.file, table.path)


def _validate(schema: type[S], values: dict[str, Any], base_dir: Path, file_of: Any, prefix: str = "") -> S:
    try:
        return schema.model_validate(values, context={"base_dir": base_dir})
    except ValidationError as exc:
        lines = [
            f"{file_of(error['loc'])}: {_where(prefix, error['loc'])}: {_say(schema, error)}" for error in exc.errors()
        ]
        raise ConfigError("\n".join(lines)) from None


def _where(prefix: str, loc: tuple[int | str, ...]) -> str:
    # "from" rules and secrets are unions to pydantic; its names for their branches mean nothing to an admin.
    parts = [prefix, *(str(part) for part in loc if not str(part).startswith(("function-", "is-instance", "tuple[")))]
    return ".".join(part for part in parts if part)


#: pydantic's types of errors, where its own words are a programmer's.
_EXPECTED = {
    "bool_type": "true or false, without quotes",
    "float_type": "a number, without quotes",
    "int_type": "a whole number, without quotes",
    "model_type": "a table",
    "string_type": "text in quotes",
    "tuple_type": 'a list of texts, such as ["a", "b"]',
}


def _say(schema: type[BaseModel], error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return "unknown key" + _nearest(str(error["loc"][-1]), _keys_at(schema, error["loc"][:-1]))
    if error["type"] == "missing":
        return "is required"
    if error["type"] in _EXPECTED:
        return f"must be {_EXPECTED[error['type']]}"
    message = error["msg"]
    return message.removeprefix("Value error, ").replace("Input should be ", "must be ")


def _keys_at(schema: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """The keys that exist in the table at ``loc``."""
    current = schema
    for part in loc:
        field = current.model_fields.get(str(part))
        inner = _model_in(field.annotation) if field is not None else None
        if inner is None:
            break
        current = inner
    return tuple(field.alias or name for name, field in current.model_fields.items())


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := _model_in(argument)) is not None:
            return found
    return None


def _nearest(key: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are: {', '.join(sorted(known))}"
