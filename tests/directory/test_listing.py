"""Lists: whole or an error, made once for all who ask, and never short because something broke."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from integration_server import (
    BackendMisconfigured,
    BackendTimeout,
    Busy,
    DirectoryUnavailable,
    IncompleteListing,
    ListingHeld,
    UserPage,
)
from integration_server.directory.guard import Guard
from integration_server.directory.listing import Lister, Listing, View
from integration_server.directory.mount import Mount
from integration_server.directory.source import Source
from tests.directory.full_disk import full_disk
from tests.directory.house import STATES, House, LinesEncoder
from tests.directory.memory import DOWN
from tests.store.processes import at_once

TEN = dict.fromkeys([f"user{n}" for n in range(10)], "x")


def spooled(house: House, mount: Mount) -> list[str]:
    folder = house.lister.folder(mount).path
    return sorted(path.suffix for path in folder.iterdir() if path.suffix not in (".lock", ".json"))


def ask(house: House, mount: Mount) -> Listing:
    """A list asked for one second after whatever was before."""
    house.clock.now += 1
    return house.lister.listing(mount, house.encoder)


# -- whole -----------------------------------------------------------------------------------------------------------


def test_a_list_holds_everybody_of_every_backend_in_order(house: House) -> None:
    house.people("one", ann="x", bob="x", carl="x", dora="x")
    house.people("two", emil="x", fritz="x")
    mount = house.mount("one", "two")
    release = ask(house, mount).release

    assert house.listed(mount) == ["ann", "bob", "carl", "dora", "emil", "fritz"]
    assert (release.count, release.backends, release.collisions, release.bad_rows) == (6, ("one", "two"), 0, 0)
    stored = house.store.name_lists.latest("archive")
    assert stored is not None
    assert stored.content.owners == (("one", 4), ("two", 2))


@pytest.mark.parametrize("size", [1, 2, 3, 10, 1000])
def test_batches_leave_no_trace_in_the_list(size: int, house: House) -> None:
    house.people("one", **TEN).batch_size = size

    assert house.listed(house.mount("one")) == list(TEN)


def test_accounts_that_may_not_be_used_are_left_out_unless_wanted(house: House) -> None:
    people = house.people("one", ann="x")
    people.add("off", "x", off="yes")
    people.add("late", "x", until="2020-01-01")
    source = house.source("one", map=STATES)

    assert house.listed(house.mount(source)) == ["ann"]
    assert house.listed(house.mount(source, name="all", list_disabled=True)) == ["ann", "off", "late"]


def test_accounts_that_are_locked_or_must_change_their_password_stay_on_the_list(house: House) -> None:
    people = house.people("one", ann="x")
    people.add("locked", "x", ou="yes")
    people.add("stale", "x", cn="yes")
    people.add("off", "x", off="yes", cn="yes")
    source = house.source("one", map={**STATES, "is_locked": "ou", "is_password_expired": "cn"})

    assert house.listed(house.mount(source)) == ["ann", "locked", "stale"]


def test_filters_of_backend_and_mount_both_hold(house: House) -> None:
    house.people("one", ann="x", bob="x", anton="x")
    source = house.source("one", filter={"include": "a*"})

    assert house.listed(house.mount(source, filter={"exclude": "*on"})) == ["ann"]


def test_a_backend_without_people_is_no_fault_beside_others(house: House) -> None:
    house.people("one", ann="x")

    assert house.listed(house.mount("two", "one")) == ["ann"]


# -- or an error -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        DOWN,
        BackendTimeout("too late"),
        IncompleteListing("size limit exceeded"),
        BackendMisconfigured("no such column"),
        ConnectionResetError("the library's own"),
        RuntimeError("generator raised StopIteration"),
    ],
)
@pytest.mark.parametrize("after", [0, 1, 3, 99], ids=["at once", "after a batch", "late", "after the last"])
def test_a_listing_that_breaks_is_no_list(error: Exception, after: int, house: House) -> None:
    one, two = house.people("one", **TEN), house.people("two", ann="x")
    one.breaks_after = after
    if not isinstance(error, type(DOWN)) or after:
        one.error = error
    mount = house.mount("two", "one")

    with pytest.raises(DirectoryUnavailable, match="one"):
        house.listed(mount)
    assert spooled(house, mount) == []
    assert two.called("users")
    assert house.store.name_lists.latest("archive") is None


def test_recovery_needs_no_restart(house: House) -> None:
    people = house.people("one", ann="x")
    people.error = DOWN
    mount = house.mount("one")
    for _ in range(20):
        with pytest.raises(DirectoryUnavailable):
            ask(house, mount)
    people.error = None

    assert ask(house, mount).release.count == 1


def test_the_generator_of_a_broken_listing_is_closed(house: House) -> None:
    people = house.people("one", **TEN)
    people.rows[4] = (None,) * len(people.rows[0])
    source = house.source("one")
    closed: list[bool] = []
    users = source.backend.users

    def watched(deadline: Any) -> Any:
        try:
            yield from users(deadline)
        finally:
            closed.append(True)

    source.backend.users = watched  # type: ignore[method-assign]
    with pytest.raises(DirectoryUnavailable):
        house.listed(house.mount(source))
    assert closed == [True]


def test_a_missing_canary_voids_the_list(house: House) -> None:
    house.people("one", **TEN)

    assert len(house.listed(house.mount(house.source("one", canary="USER7")))) == 10
    with pytest.raises(DirectoryUnavailable, match=r"backend one: the canary 'user10' is missing"):
        house.listed(house.mount(house.source("one", canary="user10"), name="b"))


def test_a_canary_need_not_be_listed_itself(house: House) -> None:
    people = house.people("one", ann="x")
    people.add("canary", None, off=1)
    source = house.source("one", canary="canary", map=STATES, filter={"exclude": "canary"})

    assert house.listed(house.mount(source)) == ["ann"]


@pytest.mark.parametrize(("bad", "allowed", "is_list"), [(0, 0, True), (1, 0, False), (2, 2, True), (3, 2, False)])
def test_unreadable_entries_are_left_out_up_to_what_is_allowed(
    bad: int, allowed: int, is_list: bool, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    people = house.people("one", **TEN)
    for n in range(bad):
        # One in each batch.
        people.rows[4 * n] = (people.rows[4 * n][0], "broken\0", *people.rows[4 * n][2:])
    mount = house.mount(house.source("one", bad_rows_allowed=allowed))

    if not is_list:
        with pytest.raises(DirectoryUnavailable, match=r"broken\\x00.*NUL"):
            house.listed(mount)
        return
    release = ask(house, mount).release
    assert (release.count, release.bad_rows) == (10 - bad, bad)
    assert caplog.text.count("bad_rows_allowed permits") == bad


def test_many_unreadable_entries_in_one_batch_are_counted_one_by_one(house: House) -> None:
    people = house.people("one", **TEN)
    people.batch_size = 10
    for n in range(3):
        people.rows[n] = (None, *people.rows[n][1:])

    with pytest.raises(DirectoryUnavailable, match="more than 2"):
        house.listed(house.mount(house.source("one", bad_rows_allowed=2)))
    assert len(house.listed(house.mount(house.source("one", bad_rows_allowed=3), name="b"))) == 7


def test_a_backend_that_takes_too_long_gives_no_list(house: House) -> None:
    house.people("one", **TEN).delay = 30
    began = time.monotonic()

    with pytest.raises(DirectoryUnavailable, match="one"):
        house.listed(house.mount(house.source("one", list_seconds=0.05)))
    assert time.monotonic() - began < 10


def test_a_backend_that_drips_past_its_limit_gives_no_list(house: House) -> None:
    people = house.people("one", **TEN)
    people.batch_size = 1
    source = house.source("one", list_seconds=0.05)
    users = source.backend.users

    def dripping(deadline: Any) -> Any:
        for batch in users(deadline):
            time.sleep(0.02)
            yield batch

    source.backend.users = dripping  # type: ignore[method-assign]
    with pytest.raises(DirectoryUnavailable, match=r"0\.05 s"):
        house.listed(house.mount(source))


class FailingEncoder(LinesEncoder):
    def page(self, users: UserPage) -> bytes:
        raise TypeError("cannot be encoded")


def test_a_frontend_that_cannot_encode_somebody_gives_no_list(house: House) -> None:
    house.people("one", ann="x")
    mount = house.mount("one")

    with pytest.raises(DirectoryUnavailable, match="encoded"):
        house.lister.listing(mount, FailingEncoder())
    assert spooled(house, mount) == []


def test_an_empty_first_list_is_held(house: House) -> None:
    house.people("one")
    mount = house.mount("one")

    with pytest.raises(ListingHeld, match="empty"):
        house.listed(mount)
    assert spooled(house, mount) == []


# -- the disk and the store ------------------------------------------------------------------------------------------


def test_an_unusable_spool_folder_is_an_outage(house: House) -> None:
    house.people("one", ann="x")
    mount = house.mount("one", max_age_seconds=60.0)
    (house.folder / "spool").write_text("a file where the folder should be")

    with pytest.raises(DirectoryUnavailable, match="spool folder"):
        house.listed(mount)


def test_a_full_disk_is_an_outage_and_heals(house: House) -> None:
    house.people("one", **{f"user{n:0400}": "x" for n in range(100)}).batch_size = 10
    mount = house.mount("one")
    folder = house.lister.folder(mount).path
    folder.mkdir(parents=True)
    # The store and its log are larger than that already; only new files meet the limit.
    with pytest.raises(DirectoryUnavailable, match="cannot be written"), full_disk(free=20_000):
        ask(house, mount)
    assert spooled(house, mount) == []

    assert ask(house, mount).release.count == 100


def test_a_store_that_fails_at_the_end_leaves_no_file(house: House) -> None:
    house.people("one", ann="x")
    mount = house.mount("one")
    house.store.close()
    (house.folder / "store.db").unlink()
    (house.folder / "store.db").mkdir()

    with pytest.raises(DirectoryUnavailable, match="the server's own store"):
        house.listed(mount)
    assert spooled(house, mount) == []


def test_a_list_whose_file_was_removed_is_made_anew(house: House) -> None:
    people = house.people("one", ann="x")
    mount = house.mount("one", max_age_seconds=3600.0, on_outage="last_good")
    release = ask(house, mount).release
    (house.lister.folder(mount).path / release.file).unlink()

    assert ask(house, mount).release.file != release.file
    people.error = DOWN
    shutil.rmtree(house.lister.folder(mount).path)
    with pytest.raises(DirectoryUnavailable):
        ask(house, mount)


def test_old_files_go_with_the_next_list(house: House) -> None:
    house.people("one", ann="x")
    mount = house.mount("one")
    folder = house.lister.folder(mount).path
    first = folder / ask(house, mount).release.file
    os.utime(first, (house.clock.now, house.clock.now))
    house.clock.now += 200
    second = folder / ask(house, mount).release.file

    assert not first.exists()
    assert second.exists()


# -- taken names -----------------------------------------------------------------------------------------------------


def test_the_earlier_backend_wins_a_name_in_any_case_and_it_is_told(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.people("one", ann="x", bob="x")
    house.people("two", ANN="x", carl="x", BOB="x")
    mount = house.mount("one", "two")
    release = ask(house, mount).release

    assert house.listed(mount) == ["ann", "bob", "carl"]
    assert (release.count, release.collisions) == (3, 2)
    assert "'ANN' of backend two is left out" in caplog.text
    assert "'BOB' of backend two is left out" in caplog.text


def test_a_name_counts_once_within_a_backend_too(house: House) -> None:
    people = house.people("one", ann="x")
    people.add("Jo\N{COMBINING DIAERESIS}rg", "x")
    people.add("JÖRG", "x")
    people.add("ANN", "x")
    mount = house.mount("one")

    assert house.listed(mount) == ["ann", "Jo\N{COMBINING DIAERESIS}rg"]


def test_a_thousand_collisions_do_not_fill_the_log(house: House, caplog: pytest.LogCaptureFixture) -> None:
    names = dict.fromkeys([f"user{n}" for n in range(1000)], "x")
    for backend in ("one", "two"):
        house.people(backend, **names).batch_size = 500
    with caplog.at_level(logging.WARNING):
        release = ask(house, house.mount("one", "two")).release

    assert (release.count, release.collisions) == (1000, 1000)
    assert caplog.text.count("is left out") < 50


@pytest.mark.parametrize(
    "logins",
    [
        ["ann", "bob", "carl", "Ann"],
        ["ann", "bob", "carl", "dora", "BOB", "ann "],
        ["ann", " ann"],
        [7, "7"],
        ["7", 7],
        ["straße", "bob", "carl", "STRASSE"],
        ["ann", "Bob", "bob", "carl", "bob "],
    ],
)
@pytest.mark.parametrize("is_alone", [True, False])
def test_what_a_source_keeps_unique_may_still_be_one_name(logins: list[object], is_alone: bool, house: House) -> None:
    """Unique letter for letter; the list takes case, blanks around a name and a number's type for nothing."""
    people = house.people("one")
    people.unique, people.batch_size = frozenset({"login"}), 2
    for login in logins:
        people.add(login, "x")
    seen: dict[str, str] = {}
    for login in logins:
        seen.setdefault(str(login).strip().casefold(), str(login).strip())
    mount = house.mount("one") if is_alone else house.mount("two", "one")

    assert house.listed(mount) == list(seen.values())


def test_a_unique_column_that_is_not_the_user_name_proves_nothing(house: House) -> None:
    people = house.people("one")
    people.unique = frozenset({"no", "login"})
    people.add("ann@x.test", "x")
    people.add("ann@y.test", "x")
    by_local_part = {"username": {"from": "login", "local_part": True}}

    assert house.listed(house.mount(house.source("one", map=by_local_part))) == ["ann"]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_disabled_account_of_a_unique_source_holds_its_name_too(size: int, house: House) -> None:
    people = house.people("one")
    people.unique, people.batch_size = frozenset({"login"}), size
    people.add("ann", "x", off=1)
    people.add("ANN", "x")
    people.add("bob", "x")

    assert house.listed(house.mount(house.source("one", map=STATES))) == ["bob"]


def test_who_is_not_on_a_view_of_a_list_holds_their_name_there_too(house: House) -> None:
    people = house.people("one")
    people.unique, people.batch_size = frozenset({"login"}), 1
    for login in ("ann", "Ann", "bob"):
        people.add(login, "x")

    def chosen(source: Source, page: UserPage) -> list[int]:
        return [i for i, name in enumerate(page.usernames) if name != "ann"]

    listing = house.lister.listing(house.mount("one"), house.encoder, View("members", chosen))
    assert (listing.folder.path / listing.release.file).read_text() == "<bob>"


# -- shared lists ----------------------------------------------------------------------------------------------------


def test_a_young_list_is_served_again_and_says_its_age(house: House) -> None:
    people = house.people("one", ann="x")
    mount = house.mount("one", max_age_seconds=60.0)
    first = ask(house, mount)
    people.add("bob", "x")
    house.clock.now += 59
    again = house.lister.listing(mount, house.encoder)

    assert (first.age, again.age, again.is_last_good) == (0, 59, False)
    assert again.release == first.release
    house.clock.now += 2
    assert ask(house, mount).release.count == 2
    assert len(people.called("users")) == 2


def test_without_max_age_every_list_is_made_anew(house: House) -> None:
    people = house.people("one", ann="x")
    mount = house.mount("one")
    for _ in range(3):
        ask(house, mount)

    assert len(people.called("users")) == 3


def test_a_list_from_the_future_is_not_trusted(house: House) -> None:
    """The clock was set back: by its date the list is younger than young."""
    people = house.people("one", ann="x")
    mount = house.mount("one", max_age_seconds=60.0)
    ask(house, mount)
    house.clock.now -= 7200
    people.add("bob", "x")

    assert ask(house, mount).release.count == 2


def test_a_failure_from_the_future_is_not_repeated(house: House) -> None:
    people = house.people("one", ann="x")
    people.error = DOWN
    mount = house.mount("one")
    with pytest.raises(DirectoryUnavailable):
        ask(house, mount)
    house.clock.now -= 7200
    people.error = None

    assert ask(house, mount).release.count == 1


def test_a_failure_is_not_served_as_young(house: House) -> None:
    people = house.people("one", ann="x")
    mount = house.mount("one", max_age_seconds=60.0)
    people.error = DOWN
    with pytest.raises(DirectoryUnavailable):
        ask(house, mount)
    people.error = None

    assert ask(house, mount).release.count == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda house: house.mount(house.source("one", filter={"exclude": "ann"}), max_age_seconds=60.0),
        lambda house: house.mount("one", max_age_seconds=60.0, filter={"exclude": "ann"}),
        lambda house: house.mount("one", "two", max_age_seconds=60.0),
        lambda house: house.mount("two", "one", max_age_seconds=60.0),
        lambda house: house.mount(house.source("one", map={"username": "cn"}), max_age_seconds=60.0),
    ],
)
def test_changed_settings_void_a_spooled_list(change: Callable[[House], Mount], house: House) -> None:
    house.people("one").add("ann", "x", cn="Ann")
    house.people("one").add("bob", "x", cn="Bob")
    house.people("two", zoe="x")
    first = ask(house, house.mount("one", max_age_seconds=60.0, on_outage="last_good")).release
    changed = change(house)

    assert ask(house, changed).release.file != first.file
    for people in house.world.values():
        people.error = DOWN
    other = house.mount("one", max_age_seconds=0.0, on_outage="last_good", list_disabled=True)
    with pytest.raises(DirectoryUnavailable):
        ask(house, other)


def in_threads(count: int, work: Callable[[], object]) -> tuple[list[threading.Thread], list[object]]:
    results: list[object] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as exc:
            results.append(exc)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, results


@pytest.fixture
def real_time(house: House) -> Lister:
    guard = Guard(house.store.name_lists, house.store.guard_lifts)
    return Lister(house.folder / "spool", guard, house.store.name_index, 4)


def test_callers_who_come_during_a_list_get_that_one(house: House, real_time: Lister) -> None:
    people = house.people("one", **TEN)
    people.gate = threading.Event()
    mount = house.mount("one")
    first, results = in_threads(1, lambda: real_time.listing(mount, house.encoder).release)
    assert people.began.wait(10)
    others, more = in_threads(3, lambda: real_time.listing(mount, house.encoder).release)
    time.sleep(0.1)
    people.gate.set()
    for thread in (*first, *others):
        thread.join(20)

    assert len(people.called("users")) == 1
    assert more == 3 * results


def test_callers_who_come_during_a_failing_list_get_its_failure(house: House, real_time: Lister) -> None:
    people = house.people("one", **TEN)
    people.gate, people.breaks_after = threading.Event(), 99
    mount = house.mount("one")
    first, results = in_threads(1, lambda: real_time.listing(mount, house.encoder))
    assert people.began.wait(10)
    others, more = in_threads(3, lambda: real_time.listing(mount, house.encoder))
    time.sleep(0.1)
    people.gate.set()
    for thread in (*first, *others):
        thread.join(20)

    assert len(people.called("users")) == 1
    assert {(type(result), str(result)) for result in (*results, *more)} == {
        (DirectoryUnavailable, "backend one: the connection was lost")
    }


def test_callers_beyond_the_slots_are_told_at_once_that_we_are_busy(house: House) -> None:
    people = house.people("one", **TEN)
    house.people("two", ann="x")
    people.gate = threading.Event()
    lister = house.new_lister(slots=2)
    mount, other = house.mount("one"), house.mount("two", name="other")
    threads, results = in_threads(1, lambda: lister.listing(mount, house.encoder))
    assert people.began.wait(10)
    assert lister.listing(other, house.encoder).release.count == 1
    waiting, more = in_threads(1, lambda: lister.listing(mount, house.encoder))
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            house.clock.now += 1
            lister.listing(other, house.encoder)
        except Busy:
            break
    else:
        pytest.fail("nobody was told")
    people.gate.set()
    for thread in (*threads, *waiting):
        thread.join(20)

    assert all(isinstance(result, Listing) for result in (*results, *more))
    house.clock.now += 1
    assert lister.listing(other, house.encoder).release.count == 1


def test_processes_share_one_list(house: House) -> None:
    """Four processes ask at the same moment; one makes the list, and its backend takes its time."""
    log = house.folder / "builds.log"
    results = at_once(
        4,
        """
        import tests.directory.house as home
        from integration_server.directory.guard import Guard
        from integration_server.directory.listing import Lister

        def work(number, arguments):
            folder = Path(arguments["folder"])
            store = Store("", folder)
            house = home.House(folder, store, time.time)
            for n in range(10):
                house.people("one").add(f"user{n}", "x")
            source = house.source("one")
            users = source.backend.users
            def slow(deadline):
                with open(arguments["log"], "a") as log:
                    log.write("build\\n")
                time.sleep(0.5)
                yield from users(deadline)
            source.backend.users = slow
            lister = Lister(folder / "spool", Guard(store.name_lists, store.guard_lifts), store.name_index, 4)
            release = lister.listing(house.mount(source), house.encoder).release
            store.close()
            return [release.file, release.count, (folder / "spool" / "archive" / release.file).stat().st_size]
        """,
        folder=str(house.folder),
        log=str(log),
    )

    assert log.read_text() == "build\n"
    assert len({tuple(result) for result in results}) == 1
    assert results[0][1] == 10


# -- the last good list ----------------------------------------------------------------------------------------------


def test_an_outage_is_an_error_unless_the_last_good_list_may_serve(house: House) -> None:
    people = house.people("one", ann="x")
    strict, lenient = house.mount("one"), house.mount("one", name="lenient", on_outage="last_good")
    ask(house, strict)
    good = ask(house, lenient)
    people.error = DOWN

    with pytest.raises(DirectoryUnavailable):
        ask(house, strict)
    house.clock.now += 98
    stale = ask(house, lenient)
    assert (stale.release, stale.is_last_good, stale.age) == (good.release, True, 100)


def test_the_last_good_list_has_its_day(house: House) -> None:
    people = house.people("one", ann="x")
    mount = house.mount("one", on_outage="last_good", last_good_seconds=3600.0)
    ask(house, mount)
    people.error = DOWN
    house.clock.now += 3599
    assert ask(house, mount).is_last_good

    with pytest.raises(DirectoryUnavailable, match="refuses connections"):
        ask(house, mount)
    people.error = None
    assert not ask(house, mount).is_last_good


def test_there_is_no_last_good_list_before_the_first(house: House) -> None:
    house.people("one").error = DOWN

    with pytest.raises(DirectoryUnavailable):
        ask(house, house.mount("one", on_outage="last_good"))


def test_a_held_list_is_an_error_also_where_the_last_good_one_may_serve(house: House) -> None:
    people = house.people("one", **TEN)
    mount = house.mount("one", on_outage="last_good")
    ask(house, mount)
    people.rows.clear()

    with pytest.raises(ListingHeld):
        ask(house, mount)


def test_the_last_good_list_outlives_a_restart(house: House, tmp_path: Path) -> None:
    people = house.people("one", ann="x")
    mount = house.mount("one", on_outage="last_good")
    good = ask(house, mount)
    people.error = DOWN
    house.lister = house.new_lister()

    assert ask(house, mount).release == good.release
