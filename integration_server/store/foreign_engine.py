"""An engine on a PostgreSQL database that is somebody else's: whatever it does, an answer or an error comes soon."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import sqlalchemy as sa

#: For a connection, and for each answer. A host that swallows packets, or a server that stands still while its kernel
#: goes on, would otherwise keep a thread for as long as it likes.
ANSWER_SECONDS = 4
_POOL_SIZE = 4


def foreign_engine(url: sa.URL) -> sa.Engine:
    """An engine that connects with psycopg, whatever driver the URL names. The caller disposes of it.

    Raises ImportError where psycopg is missing, and SQLAlchemy's errors.
    """
    defaults = {"connect_timeout": ANSWER_SECONDS, "application_name": "integration-server"}
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_SIZE,
        pool_timeout=ANSWER_SECONDS,
        hide_parameters=True,
        connect_args={key: value for key, value in defaults.items() if key not in url.query},
    )
    connection_class = _impatient_connection()

    def connect(_dialect: object, _record: object, args: list[Any], options: dict[str, Any]) -> Any:
        return connection_class.connect(*args, **options)

    sa.event.listen(engine, "do_connect", connect)
    return engine


def _impatient_connection() -> Any:
    """psycopg's connection, but with a limit to waiting, which libpq itself has for the start only."""
    import psycopg

    class NoAnswer(psycopg.OperationalError):
        """The database did not answer in time."""

    def limited(steps: Any) -> Generator[Any, Any, Any]:
        give_up = time.monotonic() + ANSWER_SECONDS
        try:
            wanted = next(steps)
            while True:
                # psycopg sends 0 every tenth of a second in which nothing came.
                ready = yield wanted
                if not ready and time.monotonic() > give_up:
                    raise NoAnswer(f"no answer within {ANSWER_SECONDS} s")
                wanted = steps.send(ready)
        except StopIteration as done:
            return done.value

    class ImpatientConnection(psycopg.Connection[Any]):
        def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
            try:
                return super().wait(limited(gen), *args, **options)
            except NoAnswer:
                # What comes late would be taken for the answer to the next question.
                self.close()
                raise

    return ImpatientConnection
