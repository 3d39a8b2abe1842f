"""The configuration as it is in force: every setting with its file, secrets masked, and whether its files have changed
since."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, SecretStr

from integration_server.config import Config, Table, digest_of, toml_files
from integration_server.plugins import Plugins
from integration_server.sdk.errors import ConfigError
from integration_server.sdk.settings import BackendSettings, ConsumerSettings, FrontendSettings, MapSettings
from integration_server.sdk.urls import URL_PASSWORD

MASK = "**********"


@dataclass(frozen=True, slots=True)
class Setting:
    """One key. ``value`` is plain data, masked; ``file`` is None for a default."""

    table: str
    key: str
    value: object
    file: str | None


def settings(
    config: Config,
    plugins: Plugins,
    backends: Mapping[str, BackendSettings],
    frontends: Mapping[str, FrontendSettings],
    subscriptions: Mapping[str, ConsumerSettings],
) -> Iterator[Setting]:
    """Every setting of a configuration, whose tables are given as parsed."""
    for name in type(config.core).model_fields:
        table = config.core_tables.get(name)
        raw, file = (table.values, table.file.name) if table is not None else ({}, None)
        yield from _of_model(name, "", getattr(config.core, name), raw, file)
    for name, table in config.backends.items():
        parsed = backends[name]
        yield from _of_table(table, parsed, plugins.backends[parsed.type].default_mapping(parsed))
    for name, table in config.frontends.items():
        yield from _of_table(table, frontends[name])
    for name, table in config.subscriptions.items():
        yield from _of_table(table, subscriptions[name])


def changed_files(config: Config) -> list[tuple[str, str]]:
    """The files that are no longer as they were read, by name: ``changed``, ``removed`` or ``new``."""
    read = {path.name: digest for path, digest in config.digests.items()}
    try:
        there = {path.name: digest_of(path) for path in toml_files(config.base_dir)}
    except ConfigError:
        there = {}
    changed = [(name, "changed") for name in read.keys() & there.keys() if there[name] != read[name]]
    removed = [(name, "removed") for name in read.keys() - there.keys()]
    return sorted([*changed, *removed, *((name, "new") for name in there.keys() - read.keys())])


def written(value: object) -> str:
    """A value about as one writes it in the file."""
    if isinstance(value, str) and value.startswith(MASK):
        return value
    if value is None:
        return "(not set)"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {written(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _of_table(table: Table, parsed: BaseModel, default_map: MapSettings | None = None) -> Iterator[Setting]:
    return _of_model(table.path, "", parsed, table.values, table.file.name, default_map)


def _of_model(
    table: str,
    prefix: str,
    model: BaseModel,
    raw: Mapping[str, Any],
    file: str | None,
    default_map: MapSettings | None = None,
) -> Iterator[Setting]:
    for name, field in type(model).model_fields.items():
        key = field.alias or name
        value = getattr(model, name)
        given = raw.get(key, raw.get(name))
        if isinstance(value, MapSettings):
            yield from _of_map(table, value, default_map or MapSettings(), file)
        elif isinstance(value, BaseModel):
            inner = given if isinstance(given, Mapping) else {}
            yield from _of_model(table, f"{prefix}{key}.", value, inner, file)
        else:
            yield Setting(table, prefix + key, _plain(value, given), file if given is not None else None)


def _of_map(table: str, chosen: MapSettings, default: MapSettings, file: str | None) -> Iterator[Setting]:
    """The mapping as it is merged: the admin's rules, and the backend type's where the admin says nothing."""
    for name in MapSettings.model_fields:
        mine = getattr(chosen, name)
        rule = mine or getattr(default, name)
        if rule is not None:
            data = rule.model_dump(by_alias=True, mode="json", exclude_defaults=True)
            value = _single(data["from"]) if set(data) == {"from"} else {**data, "from": _single(data["from"])}
            yield Setting(table, f"map.{name}", value, file if mine is not None else None)


def _single(values: list[str]) -> object:
    return values[0] if len(values) == 1 else values


def _plain(value: object, given: object) -> object:
    """A value as plain data. Of a secret only where it is kept is said, not even its length."""
    if isinstance(value, SecretStr):
        kept = f" (from {' '.join(f'{k} {v}' for k, v in given.items())})" if isinstance(given, Mapping) else ""
        return MASK + kept
    if isinstance(value, BaseModel):
        return {f.alias or n: _plain(getattr(value, n), None) for n, f in type(value).model_fields.items()}
    if isinstance(value, tuple | list | frozenset):
        return [_plain(one, None) for one in value]
    if isinstance(value, Mapping):
        return {str(k): _plain(v, None) for k, v in value.items()}
    if isinstance(value, str):
        # Somebody wrote it there although the setting is no secret to its plugin.
        return URL_PASSWORD.sub(rf"\1:{MASK}@", value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)
