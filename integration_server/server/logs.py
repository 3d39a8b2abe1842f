"""What the server says on standard error: lines for people, or JSON for machines; and in the event log of Windows.

Nothing here decides what is said; but the loggers of libraries stay at warnings, whatever the level, since what they
say below that holds statements and their parameters.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
from typing import TextIO

from integration_server.server.event_log import EventLogHandler
from integration_server.web import request_ids

_QUIET = ("alembic", "filelock", "ldap3", "sqlalchemy", "urllib3", "waitress", "werkzeug")
#: Names come from callers; a line break in one must not begin a line that we never wrote.
_VISIBLE = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_VISIBLE |= {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t", 0x2028: "\\u2028", 0x2029: "\\u2029"}
#: What turns the direction of writing lets a line read as another (Unicode UAX #9).
_BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_VISIBLE |= {code: f"\\u{code:04x}" for code in _BIDI}


def configure(level: str, form: str, stream: TextIO | None = None, *, has_event_log: bool = False) -> None:
    """Send the log of the whole process to ``stream`` (standard error), from ``level`` on, as ``text`` or ``json``.

    With ``has_event_log`` (Windows, with pywin32) warnings and errors also go to the event log. Raises ConfigError
    where that cannot be used.
    """
    _install(JsonFormatter() if form == "json" else TextFormatter(), logging.getLevelName(level.upper()), stream)
    if has_event_log:
        handler = EventLogHandler()
        handler.setFormatter(EventFormatter())
        logging.getLogger().addHandler(handler)


def configure_command(is_debug: bool, stream: TextIO | None = None) -> None:
    """For commands: warnings and errors, one line each and without tracebacks, unless ``is_debug``."""
    if is_debug:
        configure("debug", "text", stream)
    else:
        _install(CommandFormatter(), logging.WARNING, stream)


def _install(formatter: logging.Formatter, level: int, stream: TextIO | None) -> None:
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in root.handlers[:]:
        if type(old) in (logging.StreamHandler, EventLogHandler):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def visible(text: str) -> str:
    """Text on one line, without characters that steer a terminal."""
    return text.translate(_VISIBLE)


def _moment(record: logging.LogRecord) -> str:
    return dt.datetime.fromtimestamp(record.created, dt.UTC).astimezone().isoformat(timespec="milliseconds")


class TextFormatter(logging.Formatter):
    """``2026-01-31T12:00:00.000+01:00 INFO [4711 4be1f0d1c2a37e90] integration_server.access: ...``, with the id of the
    request where there is one; tracebacks follow, indented."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{_moment(record)} {record.levelname} {self.said(record)}"

    def said(self, record: logging.LogRecord) -> str:
        """The line without what is known wherever each record has a time and a level of its own."""
        request = request_ids.current()
        which = f"{record.process} {request}" if request is not None else record.process
        line = f"[{which}] {record.name}: {visible(record.getMessage())}"
        if record.exc_info:
            traceback = self.formatException(record.exc_info)
            line += "".join(f"\n    {visible(part)}" for part in traceback.splitlines())
        return line


class EventFormatter(TextFormatter):
    """The same for the event log, which knows the time and the level."""

    def format(self, record: logging.LogRecord) -> str:
        return self.said(record)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        said = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "process": record.process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (request := request_ids.current()) is not None:
            said["request"] = request
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        # ASCII: whatever collects standard error may read it in any encoding.
        return json.dumps(said)


class CommandFormatter(logging.Formatter):
    """``warning: ...``, as commands speak."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{record.levelname.lower()}: {visible(record.getMessage())}"
