"""Released and held lists: what the guard compares with, and who owned a name last."""

from __future__ import annotations

import random

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_server.store import name_lists
from integration_server.store.name_lists import NameList, NameLists, NamePacker, unpack_left_out

NAME = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
#: Letters of one to four bytes, so that every cut falls into the middle of one sooner or later.
WIDE = st.text("aé€\N{GRINNING FACE}", min_size=1, max_size=12)
#: Per backend, the batches in which its names come.
COURSE = st.lists(st.lists(st.lists(NAME | WIDE, max_size=4), max_size=3), max_size=4)


def packed(course: list[list[list[str]]]) -> NameList:
    packer = NamePacker()
    for number, batches in enumerate(course):
        for names in batches:
            packer.add(f"b{number}", names)
    return packer.finish()


def listing(*names: str, backend: str = "hq") -> NameList:
    packer = NamePacker()
    packer.add(backend, names)
    return packer.finish()


def numbered(count: int, first: int = 0) -> NameList:
    return listing(*(f"user{n}" for n in range(first, first + count)))


@pytest.fixture
def lists(engine: sa.Engine) -> NameLists:
    return NameLists(engine)


# -- packing ---------------------------------------------------------------------------------------------------------


@given(COURSE, st.integers(1, 7), st.integers(0, 200))
def test_names_come_out_as_they_went_in_wherever_the_cuts_fall(
    course: list[list[list[str]]], chunk: int, loose: int
) -> None:
    names = [name for batches in course for some in batches for name in some]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(name_lists, "_CHUNK", chunk)
        patch.setattr(name_lists, "_LOOSE_BYTES", loose)
        content = packed(course)

        assert [name for some in content.chunks() for name in some] == names
        assert content.names() == names
    assert content.count == len(names)


@given(COURSE, NAME)
def test_each_name_has_the_owner_that_listed_it_first(course: list[list[list[str]]], stranger: str) -> None:
    content = packed(course)
    owners: dict[str, str] = {}
    for number, batches in enumerate(course):
        for some in batches:
            for name in some:
                owners.setdefault(name, f"b{number}")

    for name, owner in owners.items():
        assert content.owner(name) == owner
    assert content.owner(stranger) == owners.get(stranger)
    assert content.owner("") is None


@given(st.lists(NAME, unique=True, min_size=1, max_size=8), st.data())
def test_the_digest_tells_lists_apart_and_not_batches(names: list[str], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(names)))

    assert packed([[names]]).digest == packed([[names[:cut], names[cut:]]]).digest
    assert packed([[names]]).digest != packed([[names[:-1]]]).digest
    assert packed([[names]]).digest != packed([[[*names, "x" * 13]]]).digest


def test_a_long_list_of_wide_names_survives_real_cuts() -> None:
    names = [f"{n}-" + "é€\N{GRINNING FACE}"[n % 3 :] * (n % 5) for n in range(60_000)]
    random.Random(1).shuffle(names)
    content = packed([[names[:20_000], names[20_000:]]])

    chunks = list(content.chunks())
    assert [name for some in chunks for name in some] == names
    assert len(chunks) > 5
    assert max(map(len, chunks)) < 20_000
    assert content.owner("59999-") is None
    assert content.owner(names[-1]) == "b0"


def test_names_are_stored_small_and_long_lists_are_small_all_along(lists: NameLists) -> None:
    short, long = numbered(10_000), numbered(300_000)
    assert len(short.packed) > 80_000
    assert len(long.packed) < 1_000_000
    for content in (short, long):
        lists.release("m", content, 100, 0)
        found = lists.latest("m")
        assert found is not None
        assert found.content.names() == content.names()
        assert len(found.content.packed) < len("\0".join(content.names())) // 3


def test_what_was_packed_so_far_can_be_taken_out_and_more_may_follow() -> None:
    packer = NamePacker()
    packer.add("a", ["one", "two"])
    early = packer.finish()
    packer.add("b", ["three"])

    assert early.names() == ["one", "two"]
    assert packer.finish().names() == ["one", "two", "three"]
    assert packer.finish().owners == (("a", 2), ("b", 1))


@given(st.lists(st.tuples(st.sampled_from(["hq", "lab"]), NAME | st.just("a\nb"))))
def test_entries_that_were_left_out_come_out_as_they_went_in(entries: list[tuple[str, str]]) -> None:
    packer = NamePacker()
    for backend, entry_id in entries:
        packer.leave_out(backend, [entry_id])

    assert unpack_left_out(packer.finish().left_out) == frozenset(entries)


def test_an_empty_list_holds_no_name_at_all() -> None:
    content = packed([])

    assert (content.count, content.names(), content.owner("ann")) == (0, [], None)


def test_names_stay_out_of_the_repr() -> None:
    assert "ann" not in repr(listing("ann"))


# -- releasing -------------------------------------------------------------------------------------------------------


def test_a_new_mount_has_no_lists(lists: NameLists) -> None:
    assert lists.reference("m", 0) is None
    assert lists.latest("m") is None
    assert lists.held("m") is None


def test_the_reference_is_the_largest_list_of_the_period(lists: NameLists) -> None:
    lists.release("m", numbered(30), 100, keep_since=0)
    lists.release("m", numbered(25), 200, keep_since=0)
    lists.release("m", numbered(20), 300, keep_since=0)
    lists.release("other", numbered(99), 300, keep_since=0)

    def reference(since: float) -> int:
        found = lists.reference("m", since)
        assert found is not None
        return found.content.count

    assert reference(100) == 30
    assert reference(101) == 25
    assert reference(300) == 20
    # Where nothing is that young, the latest there is.
    assert reference(301) == 20
    latest = lists.latest("m")
    assert latest is not None
    assert latest.content.count == 20


def test_a_list_seen_again_is_as_young_as_its_latest_release(lists: NameLists) -> None:
    lists.release("m", numbered(30), 100, keep_since=0)
    lists.release("m", numbered(25), 200, keep_since=0)
    lists.release("m", numbered(30), 300, keep_since=0)

    reference = lists.reference("m", 250)
    assert reference is not None
    assert (reference.content.count, reference.first_at, reference.last_at) == (30, 100, 300)
    assert lists.latest("m") == reference


def test_the_same_names_from_another_backend_change_their_owner(lists: NameLists) -> None:
    lists.release("m", listing("ann", backend="old"), 100, keep_since=0)
    lists.release("m", listing("ann", backend="new"), 200, keep_since=0)

    latest = lists.latest("m")
    assert latest is not None
    assert latest.content.owner("ann") == "new"


def test_lists_that_serve_as_no_reference_any_more_are_forgotten(lists: NameLists, engine: sa.Engine) -> None:
    lists.release("m", numbered(30), 100, keep_since=0)
    lists.release("m", numbered(25), 200, keep_since=150)

    assert count(engine) == 1
    reference = lists.reference("m", 0)
    assert reference is not None
    assert reference.content.count == 25


def count(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(sa.text("SELECT count(*) FROM name_lists")) or 0)


def test_lists_that_differ_in_their_order_only_do_not_pile_up(lists: NameLists, engine: sa.Engine) -> None:
    """A database gives rows in another order each time, and MailStore may ask every few minutes."""
    names = [f"user{n}" for n in range(50)]
    for turn in range(20):
        random.Random(turn).shuffle(names)
        lists.release("m", listing(*names), 100 + turn, keep_since=0)

    # The oldest of the window and the newest.
    assert count(engine) == 2


@settings(max_examples=20, deadline=None)
@given(counts=st.lists(st.integers(1, 30), min_size=1, max_size=10), since=st.integers(0, 12))
def test_forgetting_what_cannot_be_a_reference_changes_no_reference(counts: list[int], since: int) -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    name_lists.table.metadata.create_all(engine)
    lists = NameLists(engine)
    for now, number in enumerate(counts):
        # Lists of one size differ in their names.
        lists.release("m", numbered(number, first=100 * now), now, keep_since=0)

    found = lists.reference("m", since)
    recent = [(number, now) for now, number in enumerate(counts) if now >= since] or [(counts[-1], len(counts) - 1)]
    assert found is not None
    assert (found.content.count, found.last_at) == max(recent)
    engine.dispose()


# -- holding and accepting -------------------------------------------------------------------------------------------


def test_a_held_list_is_no_reference(lists: NameLists) -> None:
    lists.release("m", numbered(30), 100, keep_since=0)
    lists.hold("m", numbered(5), 200, 25, "25 of 30 are missing")

    held, reference, latest = lists.held("m"), lists.reference("m", 0), lists.latest("m")
    assert held is not None
    assert (held.content.count, held.missing_count, held.reason, held.first_at) == (5, 25, "25 of 30 are missing", 200)
    assert reference is not None
    assert reference == latest
    assert reference.content.count == 30


def test_a_new_held_list_replaces_the_one_before_and_keeps_since_when(lists: NameLists, engine: sa.Engine) -> None:
    lists.hold("m", numbered(5), 200, 25, "first")
    lists.hold("m", numbered(4), 300, 26, "second")

    held = lists.held("m")
    assert held is not None
    assert (held.content.count, held.reason, held.first_at, held.last_at) == (4, "second", 200, 300)
    assert count(engine) == 1


def test_a_good_list_ends_the_hold(lists: NameLists) -> None:
    lists.hold("m", numbered(5), 200, 25, "x")
    lists.release("m", numbered(30), 300, keep_since=0)

    assert lists.held("m") is None


def test_an_accepted_list_is_the_only_reference_from_then_on(lists: NameLists) -> None:
    lists.release("m", numbered(30), 100, keep_since=0)
    lists.release("other", numbered(7), 100, keep_since=0)
    lists.hold("m", numbered(5), 200, 25, "x")
    held = lists.held("m")
    assert held is not None

    assert lists.accept("m", held.id, 250)

    reference = lists.reference("m", 0)
    assert reference is not None
    assert (reference.content.count, reference.last_at, reference.missing_count) == (5, 250, 0)
    assert lists.held("m") is None
    assert not lists.accept("m", held.id, 260)
    other = lists.reference("other", 0)
    assert other is not None
    assert other.content.count == 7


def test_what_is_accepted_is_what_was_shown_and_not_what_came_after_it(lists: NameLists) -> None:
    """The operator said yes to 5 missing names; by then a list without anybody is held."""
    lists.release("m", numbered(30), 100, keep_since=0)
    lists.hold("m", numbered(25), 200, 5, "5 are missing")
    shown = lists.held("m")
    lists.hold("m", numbered(1), 300, 29, "29 are missing")
    assert shown is not None

    assert not lists.accept("m", shown.id, 310)
    held = lists.held("m")
    assert held is not None
    assert held.content.count == 1


def test_the_same_list_held_again_can_still_be_accepted(lists: NameLists) -> None:
    """MailStore may ask every few minutes while the operator is still reading."""
    lists.release("m", numbered(30), 100, keep_since=0)
    lists.hold("m", numbered(5), 200, 25, "25 are missing")
    shown = lists.held("m")
    lists.hold("m", numbered(5), 300, 24, "24 are missing")
    held = lists.held("m")
    assert shown is not None
    assert held is not None

    assert (held.first_at, held.last_at, held.missing_count, held.reason) == (200, 300, 24, "24 are missing")
    assert lists.accept("m", shown.id, 310)


def test_nothing_is_accepted_on_another_mount(lists: NameLists) -> None:
    lists.hold("m", numbered(5), 200, 25, "x")
    held = lists.held("m")
    assert held is not None

    assert not lists.accept("other", held.id, 250)
    assert lists.held("m") == held


def test_lists_survive_a_restart(lists: NameLists, url: str) -> None:
    lists.release("m", listing("jörg", "\N{GRINNING FACE}"), 100, keep_since=0)
    engine = sa.create_engine(url)

    latest = NameLists(engine).latest("m")
    assert latest is not None
    assert latest.content.names() == ["jörg", "\N{GRINNING FACE}"]
    engine.dispose()


def test_summaries_name_every_list_the_latest_last(lists: NameLists) -> None:
    assert lists.summaries() == []
    lists.release("b", numbered(3), 100.0, 0.0)
    lists.release("a", numbered(2), 200.0, 0.0)
    lists.hold("a", numbered(1), 300.0, 1, "one is missing")
    found = lists.summaries()
    assert [(one.mount, one.state, one.name_count, one.missing_count, one.reason) for one in found] == [
        ("b", "released", 3, 0, ""),
        ("a", "released", 2, 0, ""),
        ("a", "held", 1, 1, "one is missing"),
    ]
    held = lists.held("a")
    assert held is not None
    assert (found[2].id, found[2].digest) == (held.id, held.content.digest)
