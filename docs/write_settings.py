"""Writes docs/settings.rst from the Settings classes; a test compares the two.

Run it with ``.venv/bin/python docs/write_settings.py``.
"""

from __future__ import annotations

import re
import types
import typing
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from integration_server.config import CoreSettings
from integration_server.plugins import load_plugins
from integration_server.sdk.settings import (
    BackendSettings,
    ConsumerSettings,
    FieldRule,
    FilterSettings,
    FrontendSettings,
    GuardSettings,
    MapSettings,
    SyncGuardSettings,
    SyncSettings,
)

TARGET = Path(__file__).with_name("settings.rst")

_INTRODUCTION = """\
========
Settings
========

The configuration is every ``*.toml`` file of one folder. Each table stands in one file only. A key that does not exist
is an error that names the nearest one that does. Relative paths start in the configuration's folder.

A secret is text, ``{ env = "NAME" }`` or ``{ file = "path" }``. "texts" is one text or a list of texts. A field of
``map`` is an attribute's name, a template, a list of both, or a table with the keys of `A field's rule`_.

.. Written by write_settings.py from the classes that read the configuration; change the descriptions there.
"""


def _type(annotation: Any) -> str:
    if annotation is SecretStr:
        return "secret"
    if isinstance(annotation, type) and issubclass(annotation, FieldRule):
        return "field"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return " or ".join(f"``{choice}``" for choice in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(a) for a in arguments if a is not type(None))
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin is tuple:
        return "texts"
    if origin is dict:
        return f"table of {_type(arguments[1])}s"
    return {str: "text", int: "number", float: "number", bool: "true/false"}[annotation]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if default in (None, "", (), {}) or isinstance(default, BaseModel):
        return ""
    if isinstance(default, tuple):
        return ", ".join(f"``{each}``" for each in default)
    if isinstance(default, bool):
        return str(default).lower()
    return f"``{default:g}``" if isinstance(default, float) else f"``{default}``"


def _escaped(description: str) -> str:
    """As rst; a word with an underline at its end would be a link."""
    return re.sub(r"_(?=\s)", r"\_", description)


def _section(title: str, schema: type[BaseModel], without: type[BaseModel] | None = None) -> str:
    lines = [title, "-" * len(title), ""]
    for name, field in schema.model_fields.items():
        if without is not None and name in without.model_fields and name != "path":
            continue
        facts = ", ".join(filter(None, (_type(field.annotation), _default(field))))
        lines.append(f"``{field.alias or name}`` ({facts})")
        assert field.description, f"{schema.__name__}.{name} has no description"
        lines.append(f"    {_escaped(field.description)}")
    return "\n".join([*lines, ""])


def reference() -> str:
    """The whole page."""
    plugins = load_plugins()
    parts = [_INTRODUCTION]
    for name, field in CoreSettings.model_fields.items():
        assert isinstance(field.annotation, type)
        parts.append(_section(f"[{name}]", field.annotation))
    parts.append(_section("[backends.NAME], every type", BackendSettings))
    for kind, backend in plugins.backends.items():
        parts.append(_section(f'[backends.NAME] with type = "{kind}"', backend.Settings, BackendSettings))
        for key, field in backend.Settings.model_fields.items():
            inner = [a for a in typing.get_args(field.annotation) if isinstance(a, type) and issubclass(a, BaseModel)]
            if inner and key not in BackendSettings.model_fields:
                several = ".ID" if typing.get_origin(field.annotation) is dict else ""
                parts.append(_section(f"[backends.NAME.{key}{several}] of {kind}", inner[0]))
    parts.append(_section("[backends.NAME.sync]", SyncSettings))
    parts.append(_section("[backends.NAME.sync.guard]", SyncGuardSettings))
    parts.append(_section("[backends.NAME.map]", MapSettings))
    parts.append(_section("A field's rule", FieldRule))
    parts.append(_section("[backends.NAME.filter] and [frontends.NAME.filter]", FilterSettings))
    parts.append(_section("[frontends.NAME], every type", FrontendSettings))
    for kind, frontend in plugins.frontends.items():
        parts.append(_section(f'[frontends.NAME] with type = "{kind}"', frontend.Settings, FrontendSettings))
    parts.append(_section("[frontends.NAME.guard]", GuardSettings))
    parts.append(_section("[subscriptions.NAME], every type", ConsumerSettings))
    for kind, consumer in plugins.consumers.items():
        if consumer.is_implied or consumer.takes == "versions":
            continue
        parts.append(_section(f'[subscriptions.NAME] with type = "{kind}"', consumer.Settings, ConsumerSettings))
    return "\n".join(parts)


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8", newline="\n")
