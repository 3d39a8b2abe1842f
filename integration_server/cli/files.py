"""New files, never in the place of old ones."""

from __future__ import annotations

import os
from pathlib import Path

from integration_server import ConfigError


def write_new(path: Path, text: str, *, is_private: bool = False) -> None:
    """Write a file that is not there yet, readable by its owner alone where ``is_private`` (POSIX). Raises ConfigError.

    Newlines are written as they are in ``text``.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Private from the first byte on: a mode that is set later leaves a moment in between.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags, 0o600 if is_private else 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{path} exists already; it is not overwritten") from None
    except OSError as exc:
        raise ConfigError(f"{path} cannot be written: {exc.strerror or exc}") from exc
