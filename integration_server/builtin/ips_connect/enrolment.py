"""This server as a slave of another master: the key that it is called with, and that the master was told of it."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from integration_server import BackendError, Deadline, Storage, parse_url
from integration_server.builtin.ips_connect.master_key import MasterKey
from integration_server.builtin.ips_connect.remote_client import MasterClient
from integration_server.builtin.ips_connect.tables import masters

logger = logging.getLogger(__name__)

#: Seconds from a try that failed to the next one.
_PAUSE = 300.0


@dataclass(frozen=True, slots=True)
class KnownMaster:
    """What backend and gateway know of each other. ``registration`` is empty where the master was not told, or has
    been told to forget this server."""

    host: str
    registration: str


class MasterRecord:
    """What the store has of the master of one backend. Thread-safe; raises StoreUnavailable."""

    def __init__(self, backend: str, storage: Storage) -> None:
        self._backend = backend
        self._storage = storage

    def read(self) -> KnownMaster | None:
        query = sa.select(masters.c.host, masters.c.registration).where(masters.c.backend == self._backend)
        with self._storage.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else KnownMaster(*row)

    def write(self, known: KnownMaster) -> None:
        with self._storage.writing() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO ips_connect_masters (backend, host, registration)"
                    " VALUES (:backend, :host, :registration) ON CONFLICT (backend)"
                    " DO UPDATE SET host = excluded.host, registration = excluded.registration"
                ),
                {"backend": self._backend, "host": known.host, "registration": known.registration},
            )

    def forget_registration(self) -> None:
        """The master does not tell this server any more; the next use of the backend registers again."""
        known = self.read()
        if known is not None and known.registration:
            self.write(KnownMaster(known.host, ""))


class Enrolment:
    """Registers this server with its master: once, and again only where something about it changed. A master that is
    told of a slave it knows may drop what waits for it. Thread-safe."""

    def __init__(
        self,
        backend: str,
        storage: Storage,
        client: MasterClient,
        url: str,
        our_url: str | None,
        our_key: str | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``our_url`` None: an administrator registers this server, or nobody. ``our_key`` None: it is made."""
        self._backend = backend
        self._record = MasterRecord(backend, storage)
        self._kept_key = MasterKey(backend, storage, None)
        self._configured_key = our_key
        self._client = client
        self._url = url
        self._our_url = our_url
        self._clock = clock
        self._lock = threading.Lock()
        self._is_settled = False
        self._next_try = clock()

    def key(self) -> str:
        """The key with which the master calls us."""
        return self._configured_key or self._kept_key.value()

    def is_registered(self) -> bool:
        """Whether the master was told of this server as it is now. Asks the store alone."""
        return self._our_url is not None and self._record.read() == self._wanted()

    def ensure(self, deadline: Deadline) -> None:
        """Have the gateway's mount know what it must know, and the master this server. Called at each use; a try that
        fails is told in the log, and the next one comes minutes later. Raises StoreUnavailable."""
        if self._is_settled or self._clock() < self._next_try or not self._lock.acquire(blocking=False):
            return
        try:
            self._next_try = self._clock() + _PAUSE
            self._is_settled = self._settled(deadline)
        finally:
            self._lock.release()

    def _settled(self, deadline: Deadline) -> bool:
        if self._configured_key is not None and self._kept_key.value() != self._configured_key:
            # The mount knows no settings of backends.
            self._kept_key.rotate(self._configured_key)
        wanted, known = self._wanted(), self._record.read()
        if known == wanted:
            return True
        if known is None or known.host != wanted.host:
            self._record.write(KnownMaster(wanted.host, ""))
        if self._our_url is not None and not self._is_told(self._our_url, deadline):
            return False
        self._record.write(wanted)
        return True

    def _is_told(self, our_url: str, deadline: Deadline) -> bool:
        try:
            if self._client.verify_settings(our_url, self.key(), deadline):
                logger.info("backend %s: %s tells this server of changes now", self._backend, self._client.origin)
                return True
            reason = f"{self._client.origin} does not want this server as a slave; its own log may say why"
        except BackendError as exc:
            reason = str(exc)
        logger.warning("backend %s: changes will not be pushed to this server yet: %s", self._backend, reason)
        return False

    def _wanted(self) -> KnownMaster:
        if self._our_url is None:
            return KnownMaster(parse_url(self._url).host, "")
        parts = "\0".join((self._url, self._our_url, self.key()))
        return KnownMaster(parse_url(self._url).host, hashlib.sha256(parts.encode()).hexdigest())
