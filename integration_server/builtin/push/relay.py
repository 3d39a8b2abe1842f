"""The relay's side that is a client: it asks the upstream server for everybody, keeps what came, and acknowledges that
only then."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

from integration_server import StoreUnavailable
from integration_server.builtin.push.first_api import MOST_UAIDS
from integration_server.builtin.push.relay_office import ERRANDS_AT_ONCE, RelayOffice
from integration_server.builtin.push.upstream import Upstream, UpstreamNonsense, UpstreamRefused, UpstreamUnavailable
from integration_server.builtin.push.upstream_rows import Errand

logger = logging.getLogger(__name__)

#: Who registered a moment ago is asked for so often, until the next long poll has them.
_NEWCOMER_SECONDS = 1.0
_ERRAND_SECONDS = 2.0
#: A server that answers at once although it was asked to wait is asked again after so long.
_LEAST_SECONDS = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
#: One that is not known there, and has something waiting here, is asked for again after so long.
_ASIDE_SECONDS = 30.0
_COMPLAIN_SECONDS = 300.0


class Relay:
    """Three threads: one with a long poll, one for newcomers, one for what else is to be told there."""

    def __init__(
        self,
        office: RelayOffice,
        upstream: Upstream,
        wait_seconds: int,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._office = office
        self._upstream = upstream
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._chance = chance
        self._stopping = threading.Event()
        #: Held around every use of the store, so that there is none once ``stop`` has returned.
        self._store = threading.RLock()
        #: With what stamp links were read, and which.
        self._read: tuple[tuple[int, float], dict[str, str]] = ((0, 0.0), {})
        self._at_once = MOST_UAIDS
        self._covered: frozenset[str] = frozenset()
        self._aside: dict[str, float] = {}
        self._outage_since: float | None = None
        self._complain_at = 0.0
        self._state = threading.Lock()
        self._threads = [
            threading.Thread(target=self._loop, args=(run, pause), name=f"push relay {name}", daemon=True)
            for name, run, pause in (
                ("poll", self._poll, 0.0),
                ("newcomers", self._ask_for_newcomers, _NEWCOMER_SECONDS),
                ("errands", self._run_errands, _ERRAND_SECONDS),
            )
        ]

    def start(self) -> None:
        """Begin, once."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """Touch the store no more. What the upstream server says to calls that are under way is not heard, and comes
        again."""
        self._stopping.set()
        if self._store.acquire(timeout=timeout):
            self._store.release()

    # -- threads -----------------------------------------------------------------------------------------------------

    def _loop(self, run: Callable[[], None], pause: float) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                run()
                failures = 0
                self._stopping.wait(pause)
            except (UpstreamUnavailable, StoreUnavailable) as exc:
                failures += 1
                self._complain(exc)
                longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(failures - 1, 10))
                self._stopping.wait(longest * (0.5 + self._chance() / 2))
            except Exception:
                logger.exception("a push relay failed and goes on")
                self._stopping.wait(_LONGEST_PAUSE / 2)

    def _poll(self) -> None:
        links = self._links()
        if not links:
            self._covered = frozenset()
            self._stopping.wait(_NEWCOMER_SECONDS)
            return
        self._covered = frozenset(links)
        uaids = list(links)
        size = min(self._at_once, len(uaids))
        wait = self._wait_seconds if len(uaids) <= size else 0
        begun, has_found = self._clock(), False
        try:
            for start in range(0, len(uaids), size):
                has_found = self._turn(uaids[start : start + size], links, wait) or has_found
            self._at_once = min(MOST_UAIDS, self._at_once + 1)
        except UpstreamNonsense:
            # Perhaps it was cut, since it was too much for one answer.
            self._at_once = max(1, size // 2)
            raise
        if not has_found and self._clock() - begun < _LEAST_SECONDS:
            self._stopping.wait(_LEAST_SECONDS)

    def _ask_for_newcomers(self) -> None:
        links = self._links()
        new = [uaid for uaid in links if uaid not in self._covered]
        for start in range(0, len(new), self._at_once):
            self._turn(new[start : start + self._at_once], links, 0)

    def _run_errands(self) -> None:
        """One after another. What this server refuses must not hold up the others."""
        after, begun, refused = ("", ""), set(), None
        while True:
            with self._store:
                found = [] if self._stopping.is_set() else self._office.errands(after)
            for errand in found:
                if errand.upstream_uaid is None:
                    if errand.uaid in begun:
                        # With the first one it gets a UAID there, which the others need.
                        continue
                    begun.add(errand.uaid)
                try:
                    self._run_errand(errand)
                except (UpstreamNonsense, UpstreamRefused) as exc:
                    refused = exc
            if len(found) < ERRANDS_AT_ONCE:
                break
            after = found[-1].uaid, found[-1].channel
        if refused is not None:
            raise refused

    def _run_errand(self, errand: Errand) -> None:
        if self._stopping.is_set():
            return
        done = self._office.run_errand(errand)
        with self._store:
            if not self._stopping.is_set():
                self._office.settle_errand(errand, done)

    # -- within ------------------------------------------------------------------------------------------------------

    def _links(self) -> dict[str, str]:
        with self._store:
            if self._stopping.is_set():
                return {}
            stamp = self._office.link_stamp()
            if stamp != self._read[0]:
                self._read = stamp, self._office.links()
            links = self._read[1]
        now = self._clock()
        with self._state:
            self._aside = {uaid: at for uaid, at in self._aside.items() if at > now}
            return {upstream: uaid for upstream, uaid in links.items() if upstream not in self._aside}

    def _turn(self, upstream_uaids: list[str], links: dict[str, str], wait: int) -> bool:
        """Ask for some, and keep what came; whether something did."""
        if self._stopping.is_set():
            return False
        found = self._upstream.connect(upstream_uaids, wait)
        self._note_answer()
        with self._store:
            if self._stopping.is_set():
                return False
            if found.update:
                self._office.deposit({links[uaid]: versions for uaid, versions in found.update.items()})
            if found.unknown:
                with self._state:
                    self._aside.update(dict.fromkeys(found.unknown, self._clock() + _ASIDE_SECONDS))
                self._office.disown([links[uaid] for uaid in found.unknown])
        if found.update:
            self._upstream.acknowledge(found.update)
        return bool(found.update)

    def _complain(self, exc: Exception) -> None:
        with self._state:
            now = self._clock()
            if self._outage_since is None:
                self._outage_since = now
            elif now < self._complain_at:
                return
            self._complain_at = now + _COMPLAIN_SECONDS
        logger.warning("the push relay gets nothing from upstream now, and tries again: %s", exc)

    def _note_answer(self) -> None:
        with self._state:
            since, self._outage_since = self._outage_since, None
        if since is not None:
            logger.info("the push relay is connected again after %d s", self._clock() - since)
