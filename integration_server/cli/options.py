"""What several commands take."""

from __future__ import annotations

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
