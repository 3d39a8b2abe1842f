"""``integration-server config``: every setting as it is in force."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import BaseModel, SecretStr

from integration_server import MapSettings
from integration_server.cli.findings import URL_PASSWORD
from integration_server.cli.options import config_argument, json_option
from integration_server.cli.output import print_json, print_table

if TYPE_CHECKING:
    from integration_server.config import Config
    from integration_server.plugins import Plugins

MASK = "**********"
_DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """One key. ``value`` is plain data, masked; ``file`` is None for a default."""

    table: str
    key: str
    value: object
    file: str | None


@click.group()
def command() -> None:
    """Look at the configuration."""


@command.command()
@config_argument
@json_option
def show(folder: Path, is_json: bool) -> None:
    """Every setting with its value in force and the file it stands in. Secrets are masked."""
    from integration_server.config import load
    from integration_server.server.installation import plugins_of

    config = load(folder)
    found = list(settings(config, plugins_of(config)))
    if is_json:
        print_json([asdict(one) for one in found])
        return
    rows = [(f"[{s.table}]", s.key, _written(s.value), s.file or _DEFAULT) for s in found]
    print_table(["TABLE", "KEY", "VALUE", "FROM"], rows)


def settings(config: Config, plugins: Plugins) -> Iterator[Setting]:
    """Every setting of a configuration. Raises ConfigError."""
    from integration_server.config import parse_table
    from integration_server.server.installation import frontend_settings
    from integration_server.server.receivers import subscription_settings

    files = core_files(config)
    for name in type(config.core).model_fields:
        file, raw = files.get(name, (None, {}))
        yield from _of_model(name, "", getattr(config.core, name), raw, file)
    for table in config.backends.values():
        cls = _known(plugins.backends, table.type, table.file, table.path)
        parsed = parse_table(table, cls.Settings, config.base_dir)
        yield from _of_model(table.path, "", parsed, table.values, table.file.name, cls.default_mapping(parsed))
    parsed_frontends = frontend_settings(config, plugins)
    for name, table in config.frontends.items():
        yield from _of_model(table.path, "", parsed_frontends[name], table.values, table.file.name)
    parsed_subscriptions = subscription_settings(config.subscriptions, config, plugins)
    for name, table in config.subscriptions.items():
        yield from _of_model(table.path, "", parsed_subscriptions[name], table.values, table.file.name)


def core_files(config: Config) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Each table of the core with the name of its file and what stands there."""
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for path in config.files:
        for name, values in tomllib.loads(path.read_text(encoding="utf-8-sig")).items():
            if name in type(config.core).model_fields:
                found[name] = (path.name, values)
    return found


def _known(classes: Mapping[str, Any], kind: str, file: Path, path: str) -> Any:
    from integration_server import ConfigError

    if kind not in classes:
        raise ConfigError(f"{file}: {path}.type: there is no {kind!r}; there are: {', '.join(sorted(classes))}")
    return classes[kind]


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


def _written(value: object) -> str:
    """A value about as one writes it in the file."""
    if isinstance(value, str) and value.startswith(MASK):
        return value
    if value is None:
        return "(not set)"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_written(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
