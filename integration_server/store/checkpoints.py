"""What large transactions wrote goes from SQLite's log into its file beside whoever writes, not before they go on."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import Any

import sqlalchemy as sa

logger = logging.getLogger(__name__)

#: In the info of a connection: a large transaction was written over it.
WROTE_MUCH = "wrote_much"


class Checkpoints:
    """Makes a checkpoint after a connection over which much was written goes back to its pool. Thread-safe.

    Those who write little make their own, as SQLite does by itself once its log has a thousand pages; who writes much
    would wait for them every time, for longer than for the transaction itself.
    """

    def __init__(self, engine: sa.Engine) -> None:
        """Ends with the engine's disposal."""
        # Not of the pool, which would hand out the connection that knows the file best, and this would close it.
        self._engine = sa.create_engine(engine.url, poolclass=sa.NullPool, hide_parameters=True)
        self._lock = threading.Lock()
        self._is_wanted = False
        self._thread: threading.Thread | None = None
        sa.event.listen(engine, "checkin", self._look)
        sa.event.listen(engine, "engine_disposed", self._wait)

    def _look(self, _: object, record: Any) -> None:
        if not record.info.pop(WROTE_MUCH, False):
            return
        with self._lock:
            self._is_wanted = True
            if self._thread is None:
                # Nobody is left to wait for it where the process ends: the log is whole at any moment.
                thread = threading.Thread(target=self._run, name="checkpoint", daemon=True)
                # An interpreter that is about to end begins no more threads.
                with contextlib.suppress(RuntimeError):
                    thread.start()
                    self._thread = thread

    def _run(self) -> None:
        while self._is_still_wanted():
            try:
                with self._engine.connect() as connection:
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
            except sa.exc.SQLAlchemyError as exc:
                # Whoever writes next makes another one.
                logger.warning(
                    "the store's log could not be written into its file: %s", getattr(exc, "orig", None) or exc
                )

    def _is_still_wanted(self) -> bool:
        with self._lock:
            is_wanted, self._is_wanted = self._is_wanted, False
            if not is_wanted:
                self._thread = None
            return is_wanted

    def _wait(self, _: object) -> None:
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()
