"""What is logged in this process, also what the level would drop: a server that runs logs it."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from tests.secrecy.watch import Watch

_OURS = "integration_server"


def _is_ours(logger: logging.Logger) -> bool:
    return logger.name.split(".", 1)[0] == _OURS


def observe(watch: Watch) -> None:
    """For the whole process, to its end."""
    is_enabled, handle = logging.Logger.isEnabledFor, logging.Logger.handle

    def is_enabled_for(self: logging.Logger, level: int) -> bool:
        return is_enabled(self, level) or _is_ours(self)

    def heard(self: logging.Logger, record: logging.LogRecord) -> None:
        watch.hear(_text(record))
        if is_enabled(self, record.levelno):
            handle(self, record)

    _replace(logging.Logger, "isEnabledFor", is_enabled_for)
    _replace(logging.Logger, "handle", heard)


def _replace(owner: Any, name: str, value: Any) -> None:
    setattr(owner, name, value)


def _text(record: logging.LogRecord) -> str:
    try:
        said = record.getMessage()
    except Exception:
        # Arguments that do not fit are the test's or logging's own matter.
        said = f"{record.msg} {record.args}"
    if record.exc_info and record.exc_info[0] is not None:
        said += "\n" + "".join(traceback.format_exception(*record.exc_info))
    return said
