"""Who is known, held beside the directory page by page: who is new, who differs, and who was not met at all.

A directory gives its people in the same order every time, as a rule, and they were written down in that order. So the
store is read on beside it, which costs half of asking for each page's people; whoever is not where they were expected
is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from operator import ne

from integration_server.directory.names import NameTable
from integration_server.store.people import Known, Left, People

_READ_AT_ONCE = 4_000
#: People read ahead who were not met yet; beyond this the order has changed too much for reading on to help.
_MOST_WAITING = 20_000
_BLOCK = 1 << 16


class Ticks:
    """Which of the store's keys were met: a byte each, in blocks, since keys may lie far apart."""

    def __init__(self) -> None:
        self._blocks: dict[int, bytearray] = {}
        self.count = 0

    def tick(self, key: int) -> bool:
        """Whether it was not ticked yet."""
        block = self._blocks.get(key // _BLOCK)
        if block is None:
            block = self._blocks[key // _BLOCK] = bytearray(_BLOCK)
        if block[key % _BLOCK]:
            return False
        block[key % _BLOCK] = 1
        self.count += 1
        return True

    def tick_run(self, keys: Sequence[int]) -> bool:
        """Tick several keys in ascending order at once. False, and nothing done, where that is not so simple."""
        first, last, count = keys[0], keys[-1] + 1, len(keys)
        if last - first != count or first // _BLOCK != (last - 1) // _BLOCK:
            return False
        block = self._blocks.setdefault(first // _BLOCK, bytearray(_BLOCK))
        start = first % _BLOCK
        if any(block[start : start + count]):
            return False
        block[start : start + count] = b"\1" * count
        self.count += count
        return True

    def __contains__(self, key: int) -> bool:
        block = self._blocks.get(key // _BLOCK)
        return block is not None and bool(block[key % _BLOCK])


@dataclass(slots=True)
class Looked:
    """Positions in a page: of people who are not known, of those who differ, and of ids that came before."""

    new: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    again: list[int] = field(default_factory=list)


class Attendance:
    """One walk over one backend's people. Not thread-safe."""

    def __init__(self, people: People, backend: str) -> None:
        self._people = people
        self._backend = backend
        self._ticks = Ticks()
        self._met_new = NameTable()
        self._waiting: dict[str, tuple[int, bytes]] = {}
        self._read: list[Known] = []
        self._read_key = 0
        self._is_reading_on = True

    def look(self, ids: Sequence[str], digests: Sequence[bytes]) -> Looked:
        """Hold the people of a page beside what is known. Each person is met once; who comes again is told apart."""
        if self._is_reading_on and not self._waiting:
            expected = self._next(len(ids))
            if expected and [row[0] for row in expected] == ids:
                return self._meet_all(expected, digests)
            self._waiting = {person_id: (key, digest) for person_id, key, digest in expected}
        elif self._is_reading_on and len(self._waiting) < len(ids):
            for person_id, key, digest in self._next(len(ids) - len(self._waiting)):
                self._waiting[person_id] = (key, digest)
        looked = Looked()
        unmet = self._meet(ids, digests, looked)
        if unmet:
            self._ask(ids, digests, unmet, looked)
            if len(self._waiting) > _MOST_WAITING:
                self._waiting.clear()
                self._is_reading_on = False
        return looked

    def _next(self, count: int) -> Sequence[Known]:
        """The next ``count`` people, fewer at the end."""
        while len(self._read) < count:
            more = self._people.following(self._backend, self._read_key, _READ_AT_ONCE)
            if not more:
                break
            self._read_key = more[-1][1]
            self._read += more
        found, self._read = self._read[:count], self._read[count:]
        return found

    def _meet_all(self, expected: Sequence[Known], digests: Sequence[bytes]) -> Looked:
        """The usual page: just those who were expected, in just that order."""
        looked = Looked()
        _, keys, known = zip(*expected, strict=True)
        if not self._ticks.tick_run(keys):
            looked.again = [i for i, key in enumerate(keys) if not self._ticks.tick(key)]
        if list(known) != digests:
            came_before = set(looked.again)
            differing = compress(range(len(digests)), map(ne, known, digests))
            looked.changed = [i for i in differing if i not in came_before]
        return looked

    def _meet(self, ids: Sequence[str], digests: Sequence[bytes], looked: Looked) -> list[int]:
        """Tick off those who were expected; the positions of the others."""
        unmet = []
        take, tick = self._waiting.pop, self._ticks.tick
        for i, person_id in enumerate(ids):
            found = take(person_id, None)
            if found is None:
                unmet.append(i)
            elif not tick(found[0]):
                looked.again.append(i)
            elif found[1] != digests[i]:
                looked.changed.append(i)
        return unmet

    def _ask(self, ids: Sequence[str], digests: Sequence[bytes], positions: list[int], looked: Looked) -> None:
        known = {
            person_id: (key, digest)
            for person_id, key, digest in self._people.known(self._backend, [ids[i] for i in positions])
        }
        new = []
        for i in positions:
            found = known.get(ids[i])
            if found is None:
                new.append(i)
            elif not self._ticks.tick(found[0]):
                looked.again.append(i)
            elif found[1] != digests[i]:
                looked.changed.append(i)
        came_before = {new[n] for n in self._met_new.add([ids[i] for i in new])}
        looked.new += [i for i in new if i not in came_before]
        looked.again += came_before

    def missing(self) -> Iterator[Left]:
        """Everybody who is known and was not met, once the walk is over."""
        if self._ticks.count >= self._people.count(self._backend):
            return
        key = 0
        while keys := self._people.keys(self._backend, key, _READ_AT_ONCE):
            key = keys[-1]
            yield from self._people.left([each for each in keys if each not in self._ticks])
