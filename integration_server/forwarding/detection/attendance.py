"""Who is known, held beside the directory page by page: who is new, who differs, and who was not met at all.

A directory gives its people in the same order every time, as a rule, and they were written down in that order. So the
store is read on beside it, a page of both at a time, which costs a fraction of asking for each page's people; whoever
is not where they were expected is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from integration_server.directory.names import NameTable
from integration_server.sdk.aside import Aside
from integration_server.store.people import SEPARATOR, Block, Left, People

_READ_AT_ONCE = 4_000
#: People read beyond a page's length, for those in between who are gone.
_MARGIN = 50
#: People who were read and not met yet; beyond this they are asked for if they come.
_MOST_WAITING = 20_000
#: Pages of which most people were not where they were expected, after which there is no more reading on.
_MOST_STRANGE = 5
_LONGEST_PAUSE = 15
_BLOCK = 1 << 16


class Ticks:
    """Which of the store's keys were met: a byte each, in blocks, since keys may lie far apart."""

    def __init__(self) -> None:
        self._blocks: dict[int, bytearray] = {}

    def tick(self, key: int) -> bool:
        """Whether it was not ticked yet."""
        block = self._blocks.get(key // _BLOCK)
        if block is None:
            block = self._blocks[key // _BLOCK] = bytearray(_BLOCK)
        if block[key % _BLOCK]:
            return False
        block[key % _BLOCK] = 1
        return True

    def may_tick_range(self, first: int, last: int, count: int) -> bool:
        """Whether the ``count`` keys that there are from ``first`` to ``last`` can be ticked together: none of them was
        yet, and they do not lie far apart."""
        return last - first <= _BLOCK + 4 * count and all(
            1 not in block[part] for block, part in self._parts(first, last)
        )

    def tick_range(self, first: int, last: int) -> None:
        """Tick all keys from ``first`` to ``last``."""
        for block, part in self._parts(first, last):
            block[part] = b"\1" * (part.stop - part.start)

    def _parts(self, first: int, last: int) -> Iterator[tuple[bytearray, slice]]:
        for number in range(first // _BLOCK, last // _BLOCK + 1):
            begin = number * _BLOCK
            block = self._blocks.setdefault(number, bytearray(_BLOCK))
            yield block, slice(max(first - begin, 0), min(last + 1 - begin, _BLOCK))

    def __contains__(self, key: int) -> bool:
        block = self._blocks.get(key // _BLOCK)
        return block is not None and bool(block[key % _BLOCK])


@dataclass(slots=True)
class Looked:
    """Positions in a page: of people who are not known, of those who differ, and of ids that came before. ``keys`` are
    those of the people who differ."""

    new: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    again: list[int] = field(default_factory=list)


class Attendance:
    """One walk over one backend's people. Not thread-safe. Use as a context manager."""

    def __init__(self, people: People, backend: str) -> None:
        self._people = people
        self._backend = backend
        self._ticks = Ticks()
        self._met_new = NameTable()
        self._waiting: dict[str, tuple[int, bytes]] = {}
        self._read_key = 0
        self._met_key = 0
        self._is_reading_on = True
        #: Nobody up to ``_read_key`` was passed over.
        self._is_all_read = True
        self._strange_pages = 0
        self._pause = self._pages_to_pause = 0
        self._ahead = _Ahead(people, backend)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._ahead.end()

    def look(self, ids: Sequence[str], digests: Sequence[bytes]) -> Looked:
        """Hold the people of a page beside what is known. Each person is met once; who comes again is told apart."""
        if self._is_reading_on and self._may_try_block():
            met = self._meet_block(ids, digests)
            if met is not None:
                self._pause = 0
                return met
            self._pause = self._pages_to_pause = min(2 * self._pause + 1, _LONGEST_PAUSE)
        if self._is_reading_on:
            more = self._people.following(self._backend, self._read_key, len(ids) + _MARGIN)
            for person_id, key, digest in more:
                self._waiting[person_id] = (key, digest)
            self._read_key = more[-1][1] if more else self._read_key
        looked = Looked()
        unmet = self._meet(ids, digests, looked)
        if unmet:
            self._ask(ids, digests, unmet, looked)
        if self._is_reading_on:
            self._read_on_behind(len(ids), len(unmet))
        return looked

    def _may_try_block(self) -> bool:
        """Not right after it was in vain: then most pages may hold somebody who came or went."""
        self._pages_to_pause -= 1
        return self._pages_to_pause < 0

    def _meet_block(self, ids: Sequence[str], digests: Sequence[bytes]) -> Looked | None:
        """The usual page: just those who were expected, in just that order. None where it is another."""
        block = self._ahead.block(self._read_key, len(ids))
        joined, mine = SEPARATOR.join(ids), b"".join(digests)
        if block.first is None or block.last is None or block.digests is None or len(block.digests) != len(mine):
            return None
        # An id that holds a separator could make two lists of ids look alike.
        if block.size != len(ids) or joined != block.ids or joined.count(SEPARATOR) != len(ids) - 1:
            return None
        differing = _differing(mine, bytes(block.digests)) if mine != block.digests else []
        looked = Looked()
        may_tick = self._ticks.may_tick_range(block.first, block.last, block.size)
        if differing or not may_tick:
            keys = self._keys_of(block, block.first, block.last)
            if keys is None:
                return None
            if not may_tick:
                looked.again = [i for i, key in enumerate(keys) if not self._ticks.tick(key)]
            came_before = set(looked.again)
            looked.changed = [i for i in differing if i not in came_before]
            looked.keys = [keys[i] for i in looked.changed]
        if may_tick:
            self._ticks.tick_range(block.first, block.last)
        self._read_key = self._met_key = block.last
        self._ahead.begin(block.last, len(ids))
        return looked

    def _keys_of(self, block: Block, first: int, last: int) -> Sequence[int] | None:
        """The keys of a block, in its order. None where somebody in it was deleted since it was read: then they cannot
        be told any more."""
        if last - first + 1 == block.size:
            return range(first, last + 1)
        keys = self._people.keys(self._backend, self._read_key, block.size)
        # Keys are never given out again, so whoever is missing has made room for somebody behind.
        is_same = len(keys) == block.size and (keys[0], keys[-1]) == (first, last)
        return keys if is_same else None

    def _read_on_behind(self, count: int, unmet_count: int) -> None:
        """Go on behind whoever was met last, so that somebody who came or went does not put all that follow out of
        step; or stop reading where the order is quite another."""
        self._strange_pages = self._strange_pages + 1 if unmet_count * 2 > count else 0
        self._is_reading_on = self._strange_pages < _MOST_STRANGE
        self._is_all_read = self._is_all_read and self._met_key <= self._read_key
        self._read_key = self._met_key
        if len(self._waiting) > _MOST_WAITING or not self._is_reading_on:
            self._waiting.clear()
            self._is_all_read = False
        else:
            self._waiting = {i: known for i, known in self._waiting.items() if known[0] <= self._met_key}

    def _meet(self, ids: Sequence[str], digests: Sequence[bytes], looked: Looked) -> list[int]:
        """Tick off those who were expected; the positions of the others."""
        unmet = []
        take, tick = self._waiting.pop, self._ticks.tick
        for i, person_id in enumerate(ids):
            found = take(person_id, None)
            if found is None:
                unmet.append(i)
                continue
            self._met_key = found[0]
            if not tick(found[0]):
                looked.again.append(i)
            elif found[1] != digests[i]:
                looked.changed.append(i)
                looked.keys.append(found[0])
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
                continue
            if i == len(ids) - 1:
                self._met_key = found[0]
            if not self._ticks.tick(found[0]):
                looked.again.append(i)
            elif found[1] != digests[i]:
                looked.changed.append(i)
                looked.keys.append(found[0])
        came_before = {new[n] for n in self._met_new.add([ids[i] for i in new])}
        looked.new += [i for i in new if i not in came_before]
        looked.again += came_before

    def missing(self) -> Iterator[Left]:
        """Everybody who is known and was not met, once the walk is over."""
        if self._is_all_read and not self._waiting and not self._people.keys(self._backend, self._read_key, 1):
            # Everybody was read, and met: no need to count them.
            return
        key = 0
        while keys := self._people.keys(self._backend, key, _READ_AT_ONCE):
            key = keys[-1]
            yield from self._people.left([each for each in keys if each not in self._ticks])


class _Ahead:
    """The next block, read in a thread while a page is looked at: to read them all takes as long as to make the digests
    of all, and lets go of the interpreter. Used by one thread, which has to ``end`` it."""

    def __init__(self, people: People, backend: str) -> None:
        self._people = people
        self._backend = backend
        self._aside = Aside[Block]("attendance")
        self._place: tuple[int, int] | None = None

    def begin(self, after_key: int, size: int) -> None:
        """Read that one, which will probably be asked for."""
        self._place = after_key, size
        self._aside.begin(partial(self._people.block, self._backend, after_key, size))

    def block(self, after_key: int, size: int) -> Block:
        """This one, read now if another was. Raises StoreUnavailable."""
        place, self._place = self._place, None
        if place is not None:
            found = self._aside.outcome()
            if place == (after_key, size):
                return found
        return self._people.block(self._backend, after_key, size)

    def end(self) -> None:
        """Wait for a reading that is under way."""
        self._aside.end()


def _differing(mine: bytes, known: bytes) -> list[int]:
    """At which places two rows of digests differ: looked for in larger pieces first, as most are alike."""
    size, many = 16, 512
    found = []
    for begin in range(0, len(mine), many):
        ours, theirs = mine[begin : begin + many], known[begin : begin + many]
        if ours == theirs:
            continue
        last = (begin + len(ours)) // size - 1
        rest = int.from_bytes(ours, "big") ^ int.from_bytes(theirs, "big")
        while rest:
            # How many digests stand behind the first of these that differ.
            behind = (rest.bit_length() - 1) // (8 * size)
            found.append(last - behind)
            rest &= (1 << (8 * size * behind)) - 1
    return found
