"""What several commands take."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

CONFIG_VARIABLE = "INTEGRATION_SERVER_CONFIG"
DEFAULT_FOLDER = "config.d"

F = TypeVar("F", bound=Callable[..., Any])


def default_folder() -> Path:
    return Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_FOLDER)


def _or_default(_ctx: click.Context, _param: click.Parameter, value: Path | None) -> Path:
    return default_folder() if value is None else value


def config_argument(function: F) -> F:
    """``[CONFIG_DIR]``, as ``folder``."""
    argument = click.argument(
        "folder", metavar="[CONFIG_DIR]", required=False, type=click.Path(path_type=Path), callback=_or_default
    )
    return argument(function)


def config_option(function: F) -> F:
    """``--config DIR``, as ``folder``, for commands whose arguments mean something else."""
    option = click.option(
        "-c",
        "--config",
        "folder",
        metavar="DIR",
        type=click.Path(path_type=Path),
        callback=_or_default,
        help=f"Configuration folder; else ${CONFIG_VARIABLE}, else ./{DEFAULT_FOLDER}.",
    )
    return option(function)


def json_option(function: F) -> F:
    """``--json``, as ``is_json``."""
    return click.option("--json", "is_json", is_flag=True, help="Print JSON.")(function)


class Number(click.IntRange):
    """A whole number that the database can hold."""

    def __init__(self, least: int) -> None:
        # One more is asked for, to see whether there is a next page.
        super().__init__(least, 2**63 - 2)

    def _describe_range(self) -> str:
        return f"x>={self.min}"


class Span(click.FloatRange):
    """A finite length of time; click itself takes ``nan`` for one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = float(super().convert(value, param, ctx))
        if not math.isfinite(found):
            self.fail(f"{value} is no length of time", param, ctx)
        return found
