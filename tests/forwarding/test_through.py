"""Batches that pass through a flow without items, and what becomes of them when something must wait."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from typing import Any

from integration_server.forwarding.delivery.flow import BATCHES_AHEAD, Flow
from integration_server.forwarding.delivery.ledger import BATCH_WINDOW, WINDOW
from integration_server.forwarding.delivery.parcels import Ending, Item, Parcel
from integration_server.forwarding.delivery.through import Through
from integration_server.sdk.events import MEMBERSHIP_ADDED, USER_CREATED, USER_UPDATED
from integration_server.sdk.stretches import Stretch, page_of
from integration_server.store.settlements import Settlement
from integration_server.store.subscriptions import Resource
from tests.forwarding.test_flow import NOW, event, feed, finish, make_flow, serials, take


def batching(size: int, people: str, **fields: Any) -> Flow:
    """A flow of a receiver that took the first event; one event about each person of the text follows, from 2 on."""
    flow = make_flow(batch_size=size, **fields)
    feed(flow, [event(1, "first")])
    finish(flow, take(flow))
    feed(flow, [event(serial, person) for serial, person in enumerate(people, 2)])
    return flow


def settle(flow: Flow) -> Settlement:
    draft = flow.collect()
    assert draft is not None
    flow.ledger.settled(draft)
    return draft.settlement


def test_nothing_is_made_of_events_that_pass_by_the_batch() -> None:
    flow = make_flow(batch_size=3)
    page = page_of([event(serial, f"p{serial}") for serial in range(1, 7)])
    flow.feed_page(page, 0, True)

    parcel = take(flow)
    assert (parcel.stretch is not None, parcel.members) == (True, [[1], [2], [3]])
    settle(flow)
    finish(flow, parcel)

    assert "events" not in vars(page)
    assert settle(flow).progress["cursor"] == 3
    assert flow.size == 3


def test_batch_goes_on_over_the_pages_that_were_read() -> None:
    flow = batching(5, "ab")
    feed(flow, [event(4, "c"), event(5, "d")])
    feed(flow, [event(6, "e"), event(7, "f")])

    assert serials(take(flow)) == [2, 3, 4, 5, 6]


def test_events_of_one_person_in_a_row_go_in_one_batch() -> None:
    flow = batching(3, "abccd")

    first, second = take(flow), take(flow)

    assert (serials(first), serials(second)) == ([2, 3], [4, 5, 6])
    assert first.stretch is not None
    assert second.stretch is not None


def test_events_of_one_person_alone_fill_batches_nevertheless() -> None:
    flow = batching(3, "aaaaa")

    first = take(flow)
    assert serials(first) == [2, 3, 4]
    assert flow.take(NOW) is None
    finish(flow, first)
    assert serials(take(flow)) == [5, 6]


def test_person_waits_for_the_batch_that_they_are_in_and_nobody_else_does() -> None:
    flow = batching(2, "abcade")

    first, second, third = take(flow), take(flow), take(flow)

    assert [serials(one) for one in (first, second, third)] == [[2, 3], [4], [6, 7]]
    finish(flow, second)
    finish(flow, third)
    assert flow.take(NOW) is None
    finish(flow, first)
    assert serials(take(flow)) == [5]


def test_batch_that_was_refused_is_taken_apart_and_its_people_wait_alone() -> None:
    flow = batching(2, "abcd", connections=1)
    refused = take(flow)
    finish(flow, refused, Ending.REFUSED)
    untouched = take(flow)
    finish(flow, untouched)
    ada = take(flow)
    finish(flow, ada, Ending.REFUSED)
    bob = take(flow)
    finish(flow, bob)
    feed(flow, [event(6, "a"), event(7, "e")])

    assert [serials(one) for one in (refused, untouched, ada, bob)] == [[2, 3], [4, 5], [2], [3]]
    assert serials(take(flow)) == [7]
    rows = [row.values for row in settle(flow).rows if row.values]
    assert {row["serial"]: row["state"] for row in rows} == {2: "dead", 6: "held"}


def test_batch_whose_receiver_is_down_comes_again_as_it_was() -> None:
    flow = batching(2, "abcd")
    parcel = take(flow)
    members = parcel.members
    settle(flow)
    finish(flow, parcel, Ending.UNAVAILABLE)

    again = take(flow, flow.health.next_probe_at)

    assert (again.id, again.members, serials(again)) == (parcel.id, members, [2, 3])
    finish(flow, again)
    assert serials(take(flow)) == [4, 5]


def test_batch_that_was_not_sent_goes_out_in_its_turn() -> None:
    flow = batching(2, "abcdef")
    first, second = take(flow), take(flow)
    flow.cancel(first)

    assert take(flow) is first
    assert serials(second) == [4, 5]
    finish(flow, first)
    finish(flow, second)
    assert settle(flow).progress["cursor"] == 5


def test_cursor_passes_a_batch_that_hangs_while_many_are_done_after_it() -> None:
    flow = batching(2, "".join(chr(0x4E00 + number) for number in range(200)))
    hanging = take(flow)
    settle(flow)
    for _ in range(4 * BATCH_WINDOW):
        finish(flow, take(flow))
        written = settle(flow)

    assert written.progress["cursor"] > 2 * BATCH_WINDOW
    assert {item.position for item in hanging.items() if item.has_row} == {2, 3}
    finish(flow, hanging)
    assert {row.event_id: row.values for row in settle(flow).rows} == {"evt_2": None, "evt_3": None}


def test_cursor_passes_a_batch_that_hangs_while_many_single_events_are_done_after_it() -> None:
    flow = batching(2, "".join(chr(0x4E00 + number) for number in range(4 * WINDOW)), connections=2)
    hanging, cursor = take(flow), 0
    for _ in range(4 * WINDOW):
        parcel = take(flow)
        finish(flow, parcel, Ending.REFUSED if len(parcel.events) > 1 else Ending.TAKEN)
        cursor = settle(flow).progress.get("cursor", cursor)

    assert cursor > WINDOW
    assert {item.position for item in hanging.items() if item.has_row} == {2, 3}


def test_what_is_made_ready_at_once_are_several_full_batches() -> None:
    flow = batching(2, "".join(chr(0x4E00 + number) for number in range(200)))
    take(flow)

    assert len(settle(flow).opened) == 1 + BATCHES_AHEAD


def test_coalescing_and_single_events_are_items_from_the_beginning() -> None:
    assert take(batching(2, "ab", is_coalescing=True)).stretch is None
    assert take(batching(1, "ab")).stretch is None


def test_only_what_a_receiver_wants_is_in_its_batches() -> None:
    events = [
        event(1, "a", USER_CREATED),
        event(2, "b"),
        event(3, "c", origin="sub"),
        event(4, "d", origin="other"),
        event(5, "e", MEMBERSHIP_ADDED, group="staff"),
        replace(event(6, "f"), backend="branch"),
        event(7, "g", groups=("staff",)),
    ]

    def told(**fields: Any) -> list[int]:
        flow = make_flow(batch_size=10, **fields)
        flow.feed_page(page_of(events), 1, True)
        parcel = flow.take(NOW)
        return [] if parcel is None else serials(parcel)

    assert told() == [2, 4, 5, 6, 7]
    assert told(events=(USER_UPDATED,)) == [2, 4, 6, 7]
    assert told(resource=Resource("backend", "hq")) == [2, 4, 5, 7]
    assert told(resource=Resource("backend", "branch")) == [6]
    assert told(resource=Resource("group", "hq", "staff")) == [5, 7]
    assert told(resource=Resource("backend", "nowhere")) == []


def test_stretches_that_wait_are_counted_until_they_are_done() -> None:
    through = Through()
    page = page_of([event(serial, f"p{serial}") for serial in range(1, 8)])
    through.append(page, range(2, 7))
    through.append(page, [])

    stretch = through.take(3)
    assert isinstance(stretch, Stretch)
    assert (through.size, through.waiting, through.first) == (5, 2, 6)
    free, items = through.take_free(stretch, {"hq/p4"})
    assert free is not None
    assert (free.serials, [item.position for item in items]) == ([3, 5], [4])
    assert (through.size, through.take(0)) == (4, None)

    parcel = Parcel((), True, stretch=free)
    through.hand(parcel, free)
    assert through.busy(["hq/p9", "hq/p3"]) == [parcel]
    through.drop(parcel)
    assert (through.size, through.out, through._out_lanes) == (2, [], set())


def test_cursor_stays_before_the_first_of_several_batches_that_were_not_taken() -> None:
    flow = batching(2, "abcd")
    first, second = take(flow), take(flow)

    finish(flow, second, Ending.UNAVAILABLE)
    assert settle(flow).progress["cursor"] == 1
    finish(flow, first, Ending.UNAVAILABLE)
    flow.collect()

    assert flow.ledger.outstanding == 4
    probe = take(flow, flow.health.next_probe_at)
    finish(flow, probe)
    assert settle(flow).progress["cursor"] == 3
    assert serials(probe) == [2, 3]


def test_batches_are_made_up_before_anybody_comes_for_them() -> None:
    flow = batching(2, "abcdefg")

    assert flow.make_ready()
    assert list(settle(flow).opened.values()) == [[[2], [3]], [[4], [5]], [[6], [7]]]
    assert not flow.make_ready()
    parcel = take(flow)
    assert (serials(parcel), parcel.is_saved) == ([2, 3], True)


def test_nothing_is_made_up_for_who_has_taken_nothing_or_is_about_to_end() -> None:
    unproven = make_flow(batch_size=2)
    feed(unproven, [event(1, "a"), event(2, "b")])
    assert not unproven.make_ready()

    closing = batching(2, "abcd")
    closing.is_closing = True
    assert not closing.make_ready()

    failing = batching(2, "abcd")
    finish(failing, take(failing), Ending.UNAVAILABLE)
    assert not failing.make_ready()


def test_what_joins_a_lane_while_its_rows_are_read_is_read_after_them() -> None:
    flow = batching(2, "a")
    finish(flow, take(flow), Ending.FAILED)
    feed(flow, [event(3, "b"), event(4, "c"), event(5, "d"), event(6, "e")])
    finish(flow, take(flow))
    feed(flow, [event(7, "a")])
    at_hand = take(flow, NOW + 10)
    assert flow.wanted_lane() == "hq/a"
    settle(flow)
    # A courier meets the next event of the lane between the settlement and the reading.
    assert (serials(at_hand), flow.take(NOW + 10)) == ([5, 6], None)
    flow.load("hq/a", [Item(event(2, "a"), 2, "hq/a", 1, has_row=True, limit=1)], True)
    first = take(flow, NOW + 10)
    finish(flow, first)

    assert serials(first) == [2]
    assert flow.wanted_lane() == "hq/a"
    flow.load("hq/a", [Item(event(7, "a"), 7, "hq/a", has_row=True)], True)
    assert serials(take(flow, NOW + 10)) == [7]
    assert flow.wanted_lane() is None


def test_others_are_asked_about_at_rest_however_many_are_under_suspicion() -> None:
    flow = make_flow(batch_size=2)
    feed(flow, [event(serial, f"p{serial}") for serial in range(3, 30)])
    for serial, person in enumerate("xy", 1):
        lane = flow._lanes.get(f"hq/{person}")
        flow._parking.want(lane)
        flow.load(lane.key, [Item(event(serial, person), serial, lane.key, 1, has_row=True, limit=1)], True)

    now = NOW
    told: list[int] = []
    while len(told) < 12:
        now = max(now, flow.due(now) or now)
        parcel = take(flow, now)
        told += serials(parcel)
        is_bad = told[-1] <= 2
        finish(flow, parcel, Ending.UNAVAILABLE if is_bad else Ending.TAKEN, now)

    assert told[-1] > 2


def test_few_events_that_wait_do_not_keep_what_nobody_wants_alive() -> None:
    flow = make_flow(batch_size=2, events=(USER_CREATED,))
    page = page_of([event(1, "a", USER_CREATED), *(event(serial, f"p{serial}") for serial in range(2, 100))])
    kept = weakref.ref(page)
    flow.feed_page(page, 0, True)
    del page
    gc.collect()

    assert kept() is None
    assert (serials(take(flow)), flow.ledger.read_position) == ([1], 99)


def test_people_whose_events_are_not_read_yet_do_not_wait_for_one_whose_request_hangs() -> None:
    flow = batching(100, "a" * (32 * 100 * 3 // 4))
    take(flow)
    assert flow.take(NOW) is None
    assert flow.memory // 2 < flow.size < flow.memory

    assert flow.wants_input(NOW)
    feed(flow, [event(9000, "b")])
    assert serials(take(flow)) == [9000]


def test_batch_that_is_done_above_the_cursor_is_kept_until_the_cursor_has_passed_its_last_event() -> None:
    flow = batching(3, "abcdae", connections=2)
    hanging, done = take(flow), take(flow)
    assert (serials(hanging), serials(done)) == ([2, 3, 4], [5, 7])
    settle(flow)
    finish(flow, done)
    assert settle(flow).marked == [done.id]

    finish(flow, hanging)
    written = settle(flow)
    assert (written.progress["cursor"], written.closed) == (5, [hanging.id])
    finish(flow, take(flow))
    assert done.id in settle(flow).closed


def test_cursor_stays_before_a_batch_whose_items_were_made_after_those_of_a_later_one() -> None:
    flow = batching(2, "abcd", connections=2)
    hanging, later = take(flow), take(flow)
    settle(flow)
    finish(flow, later, Ending.REFUSED)
    finish(flow, hanging, Ending.REFUSED)
    again = take(flow)
    assert serials(again) == [2]
    finish(flow, take(flow))

    assert settle(flow).progress.get("cursor", 1) == 1


def test_batches_are_full_however_many_wait_for_somebody() -> None:
    flow = batching(10, "".join("aaa" + chr(0x4E00 + number) for number in range(100)))

    first, others = take(flow), [take(flow) for _ in range(3)]

    assert {one.person_id for one in first.events} > {"a"}
    assert [len(one.events) for one in others] == [10, 10, 10]


def test_flow_that_begins_far_back_reads_no_more_than_its_memory() -> None:
    flow = make_flow(batch_size=2)
    for begin in range(1, flow.memory * 4, 256):
        if not flow.wants_input(NOW):
            break
        flow.feed_page(page_of([event(begin + one, f"p{begin + one}") for one in range(256)]), 0, False)

    assert flow.is_primed
    assert flow.size <= flow.memory
