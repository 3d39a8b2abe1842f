"""Warnings and errors for the event log of Windows, beside all that goes to standard error."""

from __future__ import annotations

import logging
import sys
from logging.handlers import NTEventLogHandler

from integration_server.sdk.errors import ConfigError

logger = logging.getLogger(__name__)

SOURCE = "integration-server"
"""What events are found under, in the log called Application."""

#: ReportEvent takes texts of up to 31,839 characters.
_LONGEST = 30_000


class EventLogHandler(NTEventLogHandler):
    """Writes what is a warning or worse. Windows only, with pywin32.

    The first time takes an administrator: it tells Windows where the texts of events are. Without, they are written all
    the same, and the viewer puts a remark before each. Raises ConfigError where nothing can be written.
    """

    def __init__(self) -> None:
        import pywintypes

        self._is_complained = False
        try:
            super().__init__(SOURCE)
        except pywintypes.error as exc:
            raise ConfigError(f"[log] event_log: the event log cannot be used: {exc.strerror or exc}") from exc
        self.setLevel(logging.WARNING)

    def format(self, record: logging.LogRecord) -> str:
        """What the formatter makes of it, as long as the event log takes."""
        return super().format(record)[:_LONGEST]

    def handleError(self, record: logging.LogRecord) -> None:
        """Say once that an event was not taken; it stands on standard error, too."""
        if not self._is_complained:
            self._is_complained = True
            logger.error("the event log takes nothing: %s", sys.exc_info()[1])
