"""What a flow hands over, case by case; ``test_flow_model`` tries everything else."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from integration_server.forwarding.delivery.flow import MOST_PARKED, Flow
from integration_server.forwarding.delivery.health import Health
from integration_server.forwarding.delivery.intake import ROWS_AT_ONCE
from integration_server.forwarding.delivery.lanes import MOST_MERGED
from integration_server.forwarding.delivery.ledger import BATCH_WINDOW, WINDOW
from integration_server.forwarding.delivery.parcels import Ending, Item, Outcome, Parcel, merged
from integration_server.forwarding.delivery.signal import SignalFlow
from integration_server.sdk.events import MEMBERSHIP_ADDED, USER_CREATED, USER_DELETED, USER_UPDATED, Event
from integration_server.sdk.stretches import page_of
from integration_server.store.subscriptions import Resource
from tests.forwarding.receivers import subscription

NOW = 1_800_000_000.0


def event(serial: int, person: str, type: str = USER_UPDATED, **fields: Any) -> Event:
    return Event(serial, f"evt_{serial}", type, "hq", person, NOW, **fields)


def make_flow(connections: int = 4, **fields: Any) -> Flow:
    one = subscription("sub", **fields)
    return Flow(one, Health(one, 3600.0, random.Random(1).random), connections, random.Random(1).random)


def feed(flow: Flow, events: Iterable[Event]) -> None:
    some = list(events)
    if some:
        flow.feed_page(page_of(some), 0, True)
    else:
        flow.feed((), 0, True)


def take(flow: Flow, now: float = NOW) -> Parcel:
    parcel = flow.take(now)
    assert parcel is not None
    return parcel


def finish(flow: Flow, parcel: Parcel, ending: Ending = Ending.TAKEN, now: float = NOW, **fields: Any) -> None:
    flow.finish(parcel, Outcome(ending, error="no", **fields), now)


def prove(flow: Flow) -> None:
    """Let the first event pass, so that more than one is handed over at a time."""
    finish(flow, take(flow))


def serials(parcel: Parcel) -> list[int]:
    return [one.serial for one in parcel.events]


def settle(flow: Flow) -> dict[str, Any]:
    draft = flow.collect()
    assert draft is not None
    flow.ledger.settled(draft)
    rows = {row.event_id: row.values and row.values["state"] for row in draft.settlement.rows}
    return {**draft.settlement.progress, **draft.settlement.health, "rows": rows}


def test_updates_that_became_one_are_written_down_before_they_are_sent_and_stay_one_after_a_crash() -> None:
    flow = make_flow(is_coalescing=True)
    feed(flow, [event(n, "ada", changed={"m": (n - 1, n)}) for n in (1, 2, 3)])
    parcel = take(flow)
    draft = flow.collect()
    assert draft is not None
    assert list(draft.settlement.opened.values()) == [[[1, 2, 3]]]
    delivery = parcel.delivery("sub", ())
    assert (delivery.id, delivery.is_batch, [one.id for one in delivery.events]) == ("evt_3", False, ["evt_3"])

    after = make_flow(is_coalescing=True)
    items = [Item(event(n, "ada", changed={"m": (n - 1, n)}), n, "hq/ada") for n in (1, 2, 3)]
    after.restore([], [Parcel([items], True, parcel.id)])
    feed(after, [event(n, "ada") for n in (1, 2, 3, 4)])
    again = take(after)

    assert again.delivery("sub", ()) == replace(delivery, attempt=again.attempt)
    finish(after, again)
    assert serials(take(after)) == [4]


def test_receiver_that_took_nothing_yet_gets_one_at_a_time() -> None:
    flow = make_flow()
    feed(flow, [event(n, f"p{n}") for n in range(1, 9)])

    first = take(flow)
    assert flow.take(NOW) is None
    finish(flow, first)

    assert [serials(take(flow)) for _ in range(4)] == [[2], [3], [4], [5]]
    assert flow.take(NOW) is None


def test_events_of_one_person_wait_for_each_other_and_nobody_else() -> None:
    flow = make_flow()
    feed(flow, [event(1, "zoe"), event(2, "ada"), event(3, "ada"), event(4, "bob")])
    prove(flow)

    ada, bob = take(flow), take(flow)
    assert (serials(ada), serials(bob)) == ([2], [4])
    assert flow.take(NOW) is None
    finish(flow, ada)
    assert serials(take(flow)) == [3]


def test_failed_event_holds_its_lane_only_and_lets_the_cursor_pass() -> None:
    flow = make_flow()
    feed(flow, [event(1, "ada"), event(2, "ada"), event(3, "bob")])

    finish(flow, take(flow), Ending.FAILED, status=500)
    finish(flow, take(flow))

    assert flow.take(NOW) is None
    written = settle(flow)
    assert written["cursor"] == 3
    assert written["rows"] == {"evt_1": "parked", "evt_2": "held"}
    assert flow.due(NOW) == pytest.approx(NOW + 5, abs=1)


def test_later_event_of_a_parked_lane_is_held_by_a_row_not_by_memory() -> None:
    flow = make_flow()
    feed(flow, [event(1, "ada")])
    finish(flow, take(flow), Ending.FAILED)
    settle(flow)

    flow.feed([(n, event(n, "ada")) for n in range(2, 5000)], 4999, True)

    assert flow.size == 0
    written = settle(flow)
    assert written["cursor"] == 4999
    assert set(written["rows"].values()) == {"held"}


def test_what_is_done_above_something_slow_gets_a_row_so_that_it_never_comes_again() -> None:
    flow = make_flow()
    feed(flow, [event(1, "zoe"), event(2, "slow"), event(3, "ada"), event(4, "bob")])
    prove(flow)
    slow = take(flow)
    for _ in range(2):
        finish(flow, take(flow))

    written = settle(flow)
    assert written["cursor"] == 1
    assert written["rows"] == {"evt_3": "settled", "evt_4": "settled"}

    finish(flow, slow)
    written = settle(flow)
    assert written["cursor"] == 4
    assert written["rows"] == {"evt_3": None, "evt_4": None}


def test_settled_rows_stay_few_however_long_one_request_hangs() -> None:
    flow = make_flow()
    feed(flow, [event(1, "zoe"), event(2, "slow")])
    prove(flow)
    slow = take(flow)
    kept: dict[str, str | None] = {}
    for serial in range(3, 3000):
        feed(flow, [event(serial, f"p{serial}")])
        finish(flow, take(flow))
        if serial % 100 == 0:
            kept.update(settle(flow)["rows"])
            kept = {id: state for id, state in kept.items() if state is not None}
            assert list(kept.values()).count("settled") <= WINDOW

    assert kept["evt_2"] == "held"
    finish(flow, slow)
    written = settle(flow)
    assert written["cursor"] == 2999
    assert written["rows"]["evt_2"] is None


def test_window_is_all_that_is_handed_over_before_it_is_written_down() -> None:
    flow = make_flow()
    feed(flow, [event(n, f"p{n}") for n in range(1, 2 * WINDOW)])
    count = 0
    while (parcel := flow.take(NOW)) is not None:
        finish(flow, parcel)
        count += 1

    assert count == WINDOW
    assert flow.is_pressing
    settle(flow)
    assert flow.take(NOW) is not None


def test_only_what_was_written_down_makes_room_in_the_window() -> None:
    """Not what was taken while the cursor was being written."""
    one = subscription("sub")
    chance = random.Random(1).random
    flow = Flow(one, Health(one, 3600.0, chance), 4, chance, is_one_lane=True)
    feed(flow, [event(n, f"p{n}") for n in range(1, 10)])
    finish(flow, take(flow))
    settle(flow)
    finish(flow, take(flow))
    written = flow.ledger.advance(flow.health)
    assert written is not None
    finish(flow, take(flow))
    flow.ledger.advanced(*written)
    finish(flow, take(flow))

    assert flow.must_settle
    assert flow.take(NOW) is None


def test_nothing_is_taken_ahead_where_a_rate_is_kept() -> None:
    """Sent right behind an answer that took long, it would be too soon after what follows it, or too soon before."""
    flow = make_flow(connections=1, rate_per_second=10.0)
    feed(flow, [event(n, f"p{n}") for n in range(1, 10)])
    prove(flow)
    parcel = take(flow, NOW + 1)
    assert flow.take_ahead(NOW + 2) is None
    finish(flow, parcel, now=NOW + 2)
    assert flow.take(NOW + 2) is not None


def test_open_batches_are_few() -> None:
    flow = make_flow(batch_size=3)
    feed(flow, [event(n, f"p{n}") for n in range(1, 100)])
    count = 0
    while (parcel := flow.take(NOW)) is not None:
        finish(flow, parcel)
        count += 1

    assert count == BATCH_WINDOW


def test_receiver_that_is_down_rests_and_is_probed_without_using_up_tries() -> None:
    flow = make_flow()
    feed(flow, [event(1, "ada"), event(2, "bob")])
    now = NOW
    finish(flow, take(flow), Ending.UNAVAILABLE)
    pauses = []
    for _ in range(8):
        assert flow.take(now) is None
        due = flow.due(now)
        assert due is not None
        pauses.append(due - now)
        now = due
        probe = take(flow, now)
        assert probe.is_probe
        assert probe.attempt == 1
        assert flow.take(now) is None
        finish(flow, probe, Ending.UNAVAILABLE, now)

    assert settle(flow)["rows"] == {}
    assert [round(pause / 5) for pause in pauses[:5]] == pytest.approx([1, 2, 4, 8, 16], abs=2)
    assert max(pauses) <= 330


def test_retry_after_is_obeyed() -> None:
    flow = make_flow()
    feed(flow, [event(1, "ada")])

    finish(flow, take(flow), Ending.UNAVAILABLE, retry_after=120.0)

    assert flow.due(NOW) == NOW + 120


def test_success_ends_the_rest() -> None:
    flow = make_flow()
    feed(flow, [event(n, f"p{n}") for n in range(1, 9)])
    finish(flow, take(flow), Ending.UNAVAILABLE)
    due = flow.due(NOW)
    assert due is not None

    finish(flow, take(flow, due), Ending.TAKEN, due)

    assert flow.health.state == "ok"
    assert [serials(take(flow, due)) for _ in range(4)] == [[2], [3], [4], [5]]


def test_five_failures_in_a_row_make_it_rest_instead_of_parking_everybody() -> None:
    flow = make_flow()
    feed(flow, [event(n, f"p{n}") for n in range(1, 100)])
    count = 0
    while (parcel := flow.take(NOW)) is not None:
        finish(flow, parcel, Ending.FAILED)
        count += 1

    assert count == 5
    written = settle(flow)
    assert written["state"] == "resting"
    assert list(written["rows"].values()) == ["parked"] * 5


def test_more_than_a_thousand_parked_lanes_are_the_receivers_fault() -> None:
    flow = make_flow(connections=1)
    serial = 0
    while not flow.health.is_resting:
        serial += 1
        feed(flow, [event(serial, f"p{serial}")])
        ending = Ending.TAKEN if serial % 3 == 0 else Ending.FAILED
        finish(flow, take(flow), ending)
        settle(flow)

    assert flow._parking.count == MOST_PARKED + 1


def test_event_on_which_every_probe_fails_is_parked_once_another_passes() -> None:
    flow = make_flow()
    feed(flow, [event(1, "poison"), event(2, "poison"), event(3, "ada")])
    now = NOW
    finish(flow, take(flow), Ending.UNAVAILABLE)
    tried = []
    for _ in range(4):
        due = flow.due(now)
        assert due is not None
        now = due
        probe = take(flow, now)
        tried += serials(probe)
        finish(flow, probe, Ending.TAKEN if tried[-1] == 3 else Ending.UNAVAILABLE, now)

    assert tried == [1, 1, 1, 3]
    assert flow.health.state == "ok"
    assert settle(flow)["rows"] == {"evt_1": "parked", "evt_2": "held"}


def test_refused_event_is_dead_and_holds_its_lane() -> None:
    flow = make_flow()
    feed(flow, [event(1, "ada"), event(2, "ada"), event(3, "bob")])

    finish(flow, take(flow), Ending.REFUSED)

    assert serials(take(flow)) == [3]
    assert flow.due(NOW + 1e9) is None
    assert settle(flow)["rows"] == {"evt_1": "dead", "evt_2": "held"}
    assert [action for action, _ in flow.notices] == ["delivery.dead"]


def test_blocked_events_are_parked_and_their_receiver_never_rests() -> None:
    flow = make_flow()
    feed(flow, [event(n, f"p{n}") for n in range(1, MOST_PARKED + 10)])

    for n in range(1, MOST_PARKED + 9):
        finish(flow, take(flow), Ending.BLOCKED)
        assert settle(flow)["rows"] == {f"evt_{n}": "parked"}

    assert (flow.health.state, flow.health.is_proven) == ("ok", True)
    assert flow._parking.count == MOST_PARKED + 8
    assert serials(take(flow)) == [MOST_PARKED + 9]


def test_blocked_event_among_others_is_found_by_halving_their_batch() -> None:
    flow = make_flow(batch_size=4)
    feed(flow, [event(n, f"p{n}") for n in range(1, 5)])

    sent = []
    while (parcel := flow.take(NOW)) is not None:
        settle(flow)
        sent.append(serials(parcel))
        finish(flow, parcel, Ending.BLOCKED if 3 in serials(parcel) else Ending.TAKEN)

    assert sent[0] == [1, 2, 3, 4]
    assert [3] in sent
    assert [one for one in sent if 3 not in one] == [[1, 2], [4]]
    assert flow.health.state == "ok"


def test_receiver_that_is_gone_gets_nothing_more() -> None:
    flow = make_flow()
    feed(flow, [event(1, "ada"), event(2, "bob")])

    finish(flow, take(flow), Ending.GONE)

    assert flow.take(NOW + 1e6) is None
    written = settle(flow)
    assert (written["state"], written["cursor"]) == ("ended", 0)


def test_failing_for_long_is_told_once_probed_hourly_and_heals() -> None:
    flow = make_flow()
    feed(flow, [event(1, "ada")])
    now = NOW
    finish(flow, take(flow), Ending.UNAVAILABLE)
    while flow.health.state != "quarantined":
        due = flow.due(now)
        assert due is not None
        now = due
        finish(flow, take(flow, now), Ending.UNAVAILABLE, now)
    assert now - NOW >= 3600
    due = flow.due(now)
    assert due is not None
    assert due - now == pytest.approx(3600, rel=0.11)

    finish(flow, take(flow, due), Ending.UNAVAILABLE, due)
    healed = flow.due(due)
    assert healed is not None
    finish(flow, take(flow, healed), Ending.TAKEN, healed)

    assert [action for action, _ in flow.notices] == ["subscription.quarantined", "subscription.recovered"]


def test_ten_waiting_updates_become_one_with_the_newest_id_and_the_oldest_value() -> None:
    flow = make_flow(is_coalescing=True)
    changes = [event(n, "ada", changed={"n": (n - 1, n), f"f{n}": ("", n)}, groups=(f"g{n}",)) for n in range(1, 11)]
    feed(flow, changes)

    parcel = take(flow)

    assert parcel.sent_id == "evt_10"
    assert parcel.events[0].changed == {"n": (0, 10), **{f"f{n}": ("", n) for n in range(1, 11)}}
    assert parcel.events[0].groups == tuple(f"g{n}" for n in range(1, 11))
    finish(flow, parcel)
    assert settle(flow)["cursor"] == 10


def test_only_updates_become_one() -> None:
    flow = make_flow(is_coalescing=True)
    kinds = [USER_CREATED, USER_UPDATED, USER_UPDATED, MEMBERSHIP_ADDED, USER_UPDATED, USER_DELETED, USER_CREATED]
    feed(flow, [event(n, "ada", kind) for n, kind in enumerate(kinds, 1)])
    got = []
    while (parcel := flow.take(NOW)) is not None:
        got += serials(parcel)
        finish(flow, parcel)

    assert got == [1, 3, 4, 5, 6, 7]


def test_updates_of_two_people_never_become_one() -> None:
    one = subscription("sub", is_coalescing=True)
    flow = Flow(one, Health(one, 3600.0, random.random), 4, random.random, is_one_lane=True)
    feed(flow, [event(1, "ada"), event(2, "bob"), event(3, "bob")])
    got = []
    while (parcel := flow.take(NOW)) is not None:
        got += serials(parcel)
        finish(flow, parcel)
        settle(flow)

    assert got == [1, 3]


def test_no_more_becomes_one_in_a_batch_than_is_at_hand_at_once_after_a_crash() -> None:
    flow = make_flow(batch_size=4, is_coalescing=True)
    feed(flow, [event(n, "ada") for n in range(1, 2 * MOST_MERGED)])

    parcel = take(flow)

    assert [len(unit) for unit in parcel.units] == [MOST_MERGED, 1, 1, 1]
    assert sum(len(unit) for unit in parcel.units) <= ROWS_AT_ONCE


def test_field_that_came_back_to_what_it_was_did_not_change() -> None:
    there, back = event(1, "ada", changed={"n": (1, 2), "m": (0, 1)}), event(2, "ada", changed={"n": (2, 1)})

    assert merged([there, back]).changed == {"m": (0, 1)}


def test_batch_holds_several_of_one_person_in_order() -> None:
    flow = make_flow(batch_size=5)
    feed(flow, [event(1, "ada"), event(2, "bob"), event(3, "ada"), event(4, "ada"), event(5, "cyd"), event(6, "ada")])

    parcel = take(flow)

    assert parcel.is_batch
    assert serials(parcel) == [1, 2, 3, 4, 5]
    draft = flow.collect()
    assert draft is not None
    assert draft.settlement.opened == {parcel.id: [[1], [2], [3], [4], [5]]}
    finish(flow, parcel)
    assert serials(take(flow)) == [6]


def test_full_batches_are_made_up_ahead_so_that_one_settlement_writes_several() -> None:
    flow = make_flow(batch_size=3)
    feed(flow, [event(n, f"p{n}") for n in range(1, 18)])
    prove(flow)
    settle(flow)

    first = take(flow)
    assert not first.is_saved
    draft = flow.collect()
    assert draft is not None
    opened = [[4], [5], [6]], [[7], [8], [9]], [[10], [11], [12]], [[13], [14], [15]]
    assert tuple(sorted(draft.settlement.opened.values())) == opened
    flow.ledger.settled(draft)

    assert first.is_saved
    others = [take(flow) for _ in range(3)]
    assert all(one.is_saved for one in others)
    assert {one.id for one in (first, *others)} == draft.settlement.opened.keys()
    assert flow.take(NOW) is None
    finish(flow, first)
    last = take(flow)
    assert (serials(last), last.is_saved) == ([16, 17], False)


def test_batch_made_up_ahead_waits_like_every_other_while_its_receiver_rests() -> None:
    flow = make_flow(batch_size=2)
    feed(flow, [event(n, f"p{n}") for n in range(1, 7)])
    prove(flow)
    first = take(flow)
    finish(flow, first, Ending.UNAVAILABLE)
    feed(flow, [event(7, "p5"), event(8, "p3")])

    assert flow.take(NOW) is None
    due = flow.due(NOW)
    assert due is not None
    probe = take(flow, due)
    assert probe.id == first.id
    finish(flow, probe, now=due)
    assert [serials(take(flow, due)) for _ in range(2)] == [[5, 6], [8]]


def test_batch_that_counts_for_nobody_any_more_is_not_sent() -> None:
    flow = make_flow(batch_size=3)
    feed(flow, [event(n, f"p{n}") for n in range(1, 4)])
    parcel = take(flow)
    draft = flow.collect()
    assert draft is not None
    flow.ledger.settled(draft, is_written=False)
    assert not parcel.is_saved


def test_batch_that_keeps_failing_is_halved_until_the_poison_is_alone() -> None:
    flow = make_flow(batch_size=8)
    feed(flow, [event(n, f"p{n}") for n in range(1, 9)])
    now = NOW
    sizes = []
    while (due := flow.due(now)) is not None and due < NOW + 60:
        now = max(now, due)
        parcel = flow.take(now)
        if parcel is None:
            break
        sizes.append(len(parcel.events))
        is_poisoned = any(one.serial == 6 for one in parcel.events)
        finish(flow, parcel, Ending.FAILED if is_poisoned else Ending.TAKEN, now)

    assert sizes[:3] == [8, 8, 8]
    written = settle(flow)
    assert written["cursor"] == 8
    assert {id: state for id, state in written["rows"].items() if state} == {"evt_6": "parked"}
    assert flow.health.state == "ok"


def test_batch_comes_again_unchanged_after_an_outage() -> None:
    flow = make_flow(batch_size=2)
    feed(flow, [event(1, "ada"), event(2, "bob")])
    parcel = take(flow)
    finish(flow, parcel, Ending.UNAVAILABLE)
    feed(flow, [event(3, "cyd")])
    due = flow.due(NOW)
    assert due is not None

    again = take(flow, due)

    assert (again.id, serials(again)) == (parcel.id, [1, 2])


def test_rate_is_not_exceeded() -> None:
    flow = make_flow(rate_per_second=2.0)
    feed(flow, [event(n, f"p{n}") for n in range(1, 9)])
    now, count = NOW, 0
    while now < NOW + 3:
        parcel = flow.take(now)
        if parcel is not None:
            finish(flow, parcel, now=now)
            count += 1
        now += 0.1

    assert count == 6


def test_receiver_is_not_told_what_it_did_itself_nor_what_it_did_not_ask_for() -> None:
    flow = make_flow(events=("user.*",), resource=Resource("group", "hq", "staff"))
    feed(
        flow,
        [
            event(1, "ada", groups=("staff",), origin="sub"),
            event(2, "ada", groups=("staff",), origin="other"),
            event(3, "bob", groups=("sales",)),
            event(4, "cyd", MEMBERSHIP_ADDED, groups=("staff",), group="staff"),
        ],
    )

    parcel = take(flow)
    assert serials(parcel) == [2]
    finish(flow, parcel)
    assert flow.take(NOW) is None
    assert settle(flow)["cursor"] == 4


def test_signal_waits_until_it_is_quiet_and_stands_for_all() -> None:
    one = subscription("sub")
    flow = SignalFlow(one, Health(one, 3600.0, random.random), 10.0, random.random)
    feed(flow, [event(1, "ada"), event(2, "bob")])
    assert flow.take(NOW + 9) is None

    parcel = take(flow, NOW + 10)
    assert serials(parcel) == [2]
    feed(flow, [event(3, "cyd")])
    finish(flow, parcel, now=NOW + 10)
    assert settle(flow)["cursor"] == 2
    assert serials(take(flow, NOW + 20)) == [3]


def test_failed_signal_is_given_again_for_all_that_happened() -> None:
    one = subscription("sub")
    flow = SignalFlow(one, Health(one, 3600.0, random.random), 0.0, random.random)
    feed(flow, [event(1, "ada")])
    parcel = take(flow)
    feed(flow, [event(2, "bob")])
    finish(flow, parcel, Ending.FAILED)
    assert settle(flow)["cursor"] == 0
    due = flow.due(NOW)
    assert due is not None
    assert due > NOW + 4

    again = take(flow, due)
    assert serials(again) == [2]
    finish(flow, again, now=due)
    assert settle(flow)["cursor"] == 2


def test_event_of_a_receiver_that_is_never_given_up_is_parked_however_often_it_failed() -> None:
    one = subscription("sub")
    health = Health(one, 3600.0, random.Random(1).random)
    flow = Flow(one, health, 4, random.Random(1).random, is_one_lane=True, gives_up=False)
    feed(flow, [event(1, "ada"), event(2, "bob")])
    parcel = take(flow)
    parcel.units[0][0].attempts = 500
    finish(flow, parcel, Ending.FAILED)

    assert settle(flow)["rows"] == {"evt_1": "parked", "evt_2": "held"}


@pytest.mark.parametrize("ends_for_good", [True, False])
def test_what_waits_is_cancelled_where_a_receiver_ends_for_good(ends_for_good: bool) -> None:
    one = subscription("sub")
    health = Health(one, 3600.0, random.Random(1).random)
    flow = Flow(one, health, 4, random.Random(1).random, ends_for_good=ends_for_good)
    feed(flow, [event(1, "ada")])
    parcel = take(flow)
    before = flow.collect()
    assert before is None or not before.settlement.is_cancelled
    finish(flow, parcel, Ending.GONE)
    draft = flow.collect()

    assert draft is not None
    assert draft.settlement.is_cancelled is ends_for_good
