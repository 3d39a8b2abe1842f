"""The rules behind REST and WebSocket, on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
import uuid

import pytest

from integration_server import Rates, StoreUnavailable
from integration_server.builtin.push.letters import Hello, Posted, Refusal, Registered, Registration
from integration_server.builtin.push.office import PostOffice
from integration_server.builtin.push.tables import TABLES
from integration_server.builtin.push.together import Together
from integration_server.store import Store
from tests.builtin.push.conftest import NOON, Clock, OpenOffice, Woken, registered

A, B, C = (str(uuid.UUID(int=number)) for number in (1, 2, 3))
HOUR = 3600.0
DAY = 24 * HOUR


def waiting(office: PostOffice, uaid: str) -> dict[str, int]:
    (greeting,) = office.greet([Hello(uaid)])
    assert greeting.uaid == uaid
    return dict(greeting.pending)


# -- who is registered ---------------------------------------------------------------------------------------------


def test_new_user_agent_gets_an_id_and_an_endpoint_that_tells_neither(office: PostOffice) -> None:
    first, second = registered(office, A), registered(office, A)
    assert first.uaid != second.uaid
    assert first.token != second.token
    assert first.uaid not in first.token
    assert len(first.token) == 44


def test_same_channel_again_is_the_same_endpoint_in_any_process(office: PostOffice, open_office: OpenOffice) -> None:
    first = registered(office, A)
    assert registered(open_office(), A, first.uaid) == first


@pytest.mark.parametrize("uaid", [None, "", "0" * 32, "F" * 32, "x", "é", "0" * 33, str(uuid.UUID(int=5))])
def test_unknown_or_malformed_user_agent_gets_another_id(office: PostOffice, uaid: str | None) -> None:
    assert registered(office, A, uaid).uaid != uaid
    (greeting,) = office.greet([Hello(uaid)])
    assert greeting.uaid != uaid
    assert not greeting.is_known


def test_user_agent_that_was_just_greeted_keeps_its_id(office: PostOffice) -> None:
    (greeting,) = office.greet([Hello(None)])
    (done,) = office.register([Registration(greeting.uaid, A, is_greeted=True)])
    assert isinstance(done, Registered)
    assert done.uaid == greeting.uaid
    assert office.greet([Hello(greeting.uaid)])[0].is_known


def test_greeting_alone_leaves_nothing_in_the_store(office: PostOffice) -> None:
    (greeting,) = office.greet([Hello("")])
    assert not office.greet([Hello(greeting.uaid)])[0].is_known


def test_many_are_greeted_at_once_each_with_what_waits_for_it(office: PostOffice) -> None:
    mine, other = registered(office, A), registered(office, A)
    office.put(other.token, 7)
    first, second, third = office.greet([Hello(mine.uaid), Hello(other.uaid), Hello("nobody")])
    assert (first.pending, second.pending, third.is_known) == ({}, {A: 7}, False)


def test_channels_that_were_lost_are_registered_again_with_their_endpoints(office: PostOffice, clock: Clock) -> None:
    kept = registered(office, A)
    lost = registered(office, B, kept.uaid)
    office.put(kept.token, 1)
    clock.now += 4 * HOUR
    office.prune()
    assert office.put(lost.token, 1).posted is Posted.UNKNOWN
    (greeting,) = office.greet([Hello(kept.uaid, (A, B, C))])
    assert (greeting.uaid, greeting.pending) == (kept.uaid, {A: 1})
    assert office.put(lost.token, 1).posted is Posted.STORED


def test_who_comes_with_too_many_channels_begins_anew(open_office: OpenOffice) -> None:
    office = open_office(channels_per_agent=2)
    mine = registered(office, A)
    assert office.greet([Hello(mine.uaid, (A, B))])[0].is_known
    assert not office.greet([Hello(mine.uaid, (A, B, C))])[0].is_known
    assert not office.greet([Hello(mine.uaid, (C,))])[0].is_known


def test_channels_of_one_user_agent_have_a_limit(open_office: OpenOffice) -> None:
    office = open_office(channels_per_agent=2)
    mine = registered(office, A)
    registered(office, B, mine.uaid)
    assert office.register([Registration(mine.uaid, C)]) == [Refusal.TOO_MANY_CHANNELS]
    assert registered(office, B, mine.uaid).uaid == mine.uaid
    office.unregister([(mine.uaid, B)])
    assert registered(office, C, mine.uaid).uaid == mine.uaid


def test_user_agents_have_a_limit_which_the_known_ones_do_not_feel(open_office: OpenOffice, clock: Clock) -> None:
    office = open_office(agents=2)
    mine = registered(office, A)
    registered(office, A)
    assert office.register([Registration(None, A)]) == [Refusal.TOO_MANY_AGENTS]
    assert registered(office, B, mine.uaid).uaid == mine.uaid
    clock.now += 4 * HOUR
    office.prune()
    assert registered(office, A).uaid != mine.uaid


def test_mounts_know_nothing_of_each_other(office: PostOffice, push_store: Store, clock: Clock) -> None:
    mine = registered(office, A)
    other = PostOffice("another", push_store.storage(TABLES), office._rules, clock=clock)
    assert other.put(mine.token, 1).posted is Posted.UNKNOWN
    assert not other.greet([Hello(mine.uaid)])[0].is_known
    assert other.collect([mine.uaid]).unknown == (mine.uaid,)


# -- versions ------------------------------------------------------------------------------------------------------


def test_version_waits_until_it_is_acknowledged(office: PostOffice) -> None:
    mine = registered(office, A)
    receipt = office.put(mine.token, 5)
    assert (receipt.posted, receipt.uaid, receipt.channel, receipt.version) == (Posted.STORED, mine.uaid, A, 5)
    assert waiting(office, mine.uaid) == {A: 5}
    office.acknowledge([(mine.uaid, A, 5)])
    assert waiting(office, mine.uaid) == {}
    assert office.put(mine.token, 5).posted is Posted.HAS_IT
    assert office.put(mine.token, 4).posted is Posted.HAS_IT
    assert waiting(office, mine.uaid) == {}


def test_lower_version_never_takes_the_place_of_a_higher_one(office: PostOffice) -> None:
    mine = registered(office, A)
    office.put(mine.token, 9)
    receipt = office.put(mine.token, 3)
    assert (receipt.posted, receipt.version) == (Posted.STORED, 9)
    assert waiting(office, mine.uaid) == {A: 9}


def test_version_0_is_a_version(office: PostOffice) -> None:
    mine = registered(office, A)
    assert office.put(mine.token, 0).posted is Posted.STORED
    assert waiting(office, mine.uaid) == {A: 0}
    office.acknowledge([(mine.uaid, A, 0)])
    assert waiting(office, mine.uaid) == {}


def test_missing_version_is_the_second_in_utc(office: PostOffice, clock: Clock) -> None:
    mine = registered(office, A)
    assert office.put(mine.token, None).version == int(NOON)
    clock.now += 10
    assert office.put(mine.token, None).version == int(NOON) + 10


def test_two_missing_versions_within_one_second_are_two_versions(office: PostOffice) -> None:
    mine = registered(office, A)
    office.put(mine.token, None)
    office.acknowledge([(mine.uaid, A, int(NOON))])
    assert office.put(mine.token, None).posted is Posted.STORED
    assert waiting(office, mine.uaid) == {A: int(NOON) + 1}


def test_missing_version_is_no_more_than_a_time_where_versions_are_none(office: PostOffice) -> None:
    mine = registered(office, A)
    office.put(mine.token, 2**52)
    assert office.put(mine.token, None).version == 2**52


@pytest.mark.parametrize("acknowledged", [4, 0])
def test_acknowledging_less_than_there_is_clears_nothing(office: PostOffice, acknowledged: int) -> None:
    mine = registered(office, A)
    office.put(mine.token, 5)
    office.acknowledge([(mine.uaid, A, acknowledged)])
    assert waiting(office, mine.uaid) == {A: 5}


def test_acknowledging_more_than_there_is_swallows_nothing_that_comes(office: PostOffice) -> None:
    mine = registered(office, A)
    office.put(mine.token, 5)
    office.acknowledge([(mine.uaid, A, 2**53 - 1), (mine.uaid, B, 1)])
    assert waiting(office, mine.uaid) == {}
    office.put(mine.token, 6)
    assert waiting(office, mine.uaid) == {A: 6}


def test_an_older_acknowledgement_takes_nothing_back(office: PostOffice) -> None:
    mine = registered(office, A)
    office.put(mine.token, 5)
    office.acknowledge([(mine.uaid, A, 5), (mine.uaid, A, 2)])
    office.acknowledge([(mine.uaid, A, 3)])
    assert waiting(office, mine.uaid) == {}


def test_nobody_acknowledges_for_others(office: PostOffice) -> None:
    mine, other = registered(office, A), registered(office, A)
    office.put(mine.token, 5)
    office.acknowledge([(other.uaid, A, 5)])
    assert waiting(office, mine.uaid) == {A: 5}


def test_forged_endpoints_are_known_to_nobody(office: PostOffice) -> None:
    mine = registered(office, A)
    for token in (mine.token[:-1], mine.token + "A", mine.token[1:] + "A", "", "é", "A" * 44, mine.token.lower()):
        assert office.put(token, 1).posted is Posted.UNKNOWN
    assert waiting(office, mine.uaid) == {}


def test_endpoint_takes_no_more_versions_than_its_rate(open_office: OpenOffice) -> None:
    office = open_office()
    office._rates = Rates(2, lambda: 0.0)
    mine, other = registered(office, A), registered(office, A)
    assert [office.put(mine.token, n).posted for n in (1, 2, 3)] == [Posted.STORED, Posted.STORED, Posted.TOO_OFTEN]
    assert office.put(other.token, 1).posted is Posted.STORED


def test_changes_are_seen_by_other_processes_in_their_order(office: PostOffice, open_office: OpenOffice) -> None:
    watcher = open_office()
    mine, other = registered(office, A), registered(office, B)
    before = watcher.last_change()
    office.put(mine.token, 5)
    between = watcher.last_change()
    office.put(other.token, 6)
    after = watcher.last_change()
    assert before < between < after
    assert watcher.changes(before, after) == {mine.uaid: {A: 5}, other.uaid: {B: 6}}
    assert watcher.changes(between, after) == {other.uaid: {B: 6}}
    office.put(mine.token, 4)
    assert watcher.last_change() == after
    office.acknowledge([(mine.uaid, A, 5)])
    assert watcher.changes(before, between) == {}


def test_versions_of_many_threads_at_once_are_all_kept(office: PostOffice, open_office: OpenOffice) -> None:
    tokens = [registered(office, str(uuid.UUID(int=n))) for n in range(8)]
    offices = [office, open_office()]

    def run(number: int) -> None:
        for version in range(1, 11):
            receipt = offices[number % 2].put(tokens[number].token, version)
            assert receipt.posted is Posted.STORED

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [waiting(office, one.uaid) for one in tokens] == [{one.channel: 10} for one in tokens]


def test_who_is_written_along_with_others_hears_of_their_failure() -> None:
    begun, go_on = threading.Event(), threading.Event()
    batches: list[list[int]] = []

    def write(items: object) -> None:
        assert isinstance(items, list)
        batches.append(items)
        begun.set()
        go_on.wait(20)
        if len(batches) > 1:
            raise StoreUnavailable("gone")

    together = Together[int](write)
    failed: list[int] = []

    def add(item: int) -> None:
        try:
            together.add(item)
        except StoreUnavailable:
            failed.append(item)

    first = threading.Thread(target=add, args=(1,))
    first.start()
    begun.wait(20)
    others = [threading.Thread(target=add, args=(n,)) for n in (2, 3)]
    for thread in others:
        thread.start()
    while len(together._waiting) < 2:
        pass
    go_on.set()
    for thread in (first, *others):
        thread.join(20)
    assert [sorted(batch) for batch in batches] == [[1], [2, 3]]
    assert sorted(failed) == [2, 3]


# -- the first API -------------------------------------------------------------------------------------------------


def test_update_holds_everything_that_waits_for_several_user_agents(office: PostOffice) -> None:
    mine, other, quiet = registered(office, A), registered(office, A), registered(office, A)
    second = registered(office, B, mine.uaid)
    for token, version in ((mine.token, 1), (second.token, 2), (other.token, 3)):
        office.put(token, version)
    found = office.collect([mine.uaid, other.uaid, quiet.uaid, "x", "0" * 32])
    assert found.update == {mine.uaid: {A: 1, B: 2}, other.uaid: {A: 3}}
    assert found.unknown == ("x", "0" * 32)


def test_app_servers_are_held_off_while_an_update_is_on_its_way(office: PostOffice, clock: Clock) -> None:
    mine, other = registered(office, A), registered(office, A)
    assert office.collect([mine.uaid]).update == {}
    assert office.put(mine.token, 1).posted is Posted.STORED
    office.collect([mine.uaid])
    assert office.put(mine.token, 2).posted is Posted.IN_FLIGHT
    assert office.put(other.token, 2).posted is Posted.STORED
    office.confirm([mine.uaid])
    assert office.collect([mine.uaid]).update == {}
    assert office.put(mine.token, 2).posted is Posted.STORED
    office.collect([mine.uaid])
    clock.now += 9.9
    assert office.put(mine.token, 3).posted is Posted.IN_FLIGHT
    clock.now += 0.2
    assert office.put(mine.token, 3).posted is Posted.STORED


def test_ack_clears_only_what_was_in_the_update(office: PostOffice, clock: Clock) -> None:
    mine = registered(office, A)
    second = registered(office, B, mine.uaid)
    office.put(mine.token, 1)
    office.collect([mine.uaid])
    clock.now += 11
    office.put(mine.token, 2)
    office.put(second.token, 7)
    office.confirm([mine.uaid])
    assert office.collect([mine.uaid]).update == {mine.uaid: {A: 2, B: 7}}


def test_ack_without_an_update_clears_nothing(office: PostOffice) -> None:
    mine = registered(office, A)
    office.put(mine.token, 1)
    office.confirm([mine.uaid, "x", "0" * 32])
    assert office.collect([mine.uaid]).update == {mine.uaid: {A: 1}}


def test_ack_with_versions_clears_these_and_not_what_another_update_had(office: PostOffice, clock: Clock) -> None:
    mine = registered(office, A)
    office.put(mine.token, 1)
    first = office.collect([mine.uaid]).update
    clock.now += 11
    office.put(mine.token, 2)
    assert office.collect([mine.uaid]).update == {mine.uaid: {A: 2}}
    office.confirm((), first)
    assert office.collect([mine.uaid]).update == {mine.uaid: {A: 2}}


def test_update_that_is_not_acknowledged_comes_with_the_next_connection(office: PostOffice) -> None:
    mine = registered(office, A)
    office.put(mine.token, 1)
    assert office.collect([mine.uaid]) == office.collect([mine.uaid])


# -- what becomes old ----------------------------------------------------------------------------------------------


def test_channel_that_never_had_a_version_is_kept_for_three_hours(office: PostOffice, clock: Clock) -> None:
    mine = registered(office, A)
    clock.now += 3 * HOUR - 1
    assert office.prune() == 0
    assert office.put(mine.token, 1).posted is Posted.STORED
    clock.now += 3 * DAY - 1
    assert office.prune() == 0
    clock.now += 2
    assert office.prune() == 1
    assert office.put(mine.token, 2).posted is Posted.UNKNOWN
    assert not office.greet([Hello(mine.uaid)])[0].is_known


def test_every_sign_of_life_of_a_user_agent_keeps_its_channels(office: PostOffice, clock: Clock) -> None:
    mine = registered(office, A)
    for sign in (
        lambda: office.greet([Hello(mine.uaid)]),
        lambda: office.collect([mine.uaid]),
        lambda: office.touch([mine.uaid]),
        lambda: registered(office, B, mine.uaid),
    ):
        clock.now += 2 * HOUR
        sign()
        office.prune()
    assert office.put(mine.token, 1).posted is Posted.STORED


def test_removed_channel_is_told_for_a_day_and_then_forgotten(office: PostOffice, clock: Clock) -> None:
    mine = registered(office, A)
    kept = registered(office, B, mine.uaid)
    office.put(mine.token, 5)
    office.put(kept.token, 5)
    office.unregister([(mine.uaid, A)])
    assert waiting(office, mine.uaid) == {B: 5}
    clock.now += DAY - 1
    office.prune()
    assert office.put(mine.token, 6).posted is Posted.REMOVED
    clock.now += 2
    office.prune()
    assert office.put(mine.token, 6).posted is Posted.UNKNOWN
    assert waiting(office, mine.uaid) == {B: 5}


def test_removed_channel_that_is_registered_again_has_nothing_old_waiting(office: PostOffice) -> None:
    mine = registered(office, A)
    office.put(mine.token, 5)
    office.unregister([(mine.uaid, A)])
    assert registered(office, A, mine.uaid) == mine
    assert waiting(office, mine.uaid) == {}
    office.put(mine.token, 6)
    assert waiting(office, mine.uaid) == {A: 6}


def test_nobody_removes_the_channels_of_others(office: PostOffice) -> None:
    mine, other = registered(office, A), registered(office, A)
    office.unregister([(other.uaid, A), (other.uaid, B), ("x", A)])
    assert office.put(mine.token, 1).posted is Posted.STORED
    assert office.put(other.token, 1).posted is Posted.REMOVED


def test_purge_removes_all_channels_of_one_user_agent(office: PostOffice) -> None:
    mine, other = registered(office, A), registered(office, A)
    second = registered(office, B, mine.uaid)
    office.purge(mine.uaid)
    posted = [office.put(one.token, 1).posted for one in (mine, second, other)]
    assert posted == [Posted.REMOVED, Posted.REMOVED, Posted.STORED]


# -- waking --------------------------------------------------------------------------------------------------------


def test_driver_hears_of_user_agents_with_kick_data(office: PostOffice, woken: Woken, clock: Clock) -> None:
    (_, kicked) = office.register([Registration(None, A), Registration(None, A, {"type": "udp", "port": 7})])
    assert isinstance(kicked, Registered)
    assert woken.said == [("register", kicked.uaid, {"type": "udp", "port": 7})]
    woken.said.clear()
    office.greet([Hello(kicked.uaid, kick={"port": 8})])
    assert woken.said == [("register", kicked.uaid, {"port": 8})]
    woken.said.clear()
    office.greet([Hello(kicked.uaid, kick={"port": 8}), Hello(kicked.uaid)])
    assert woken.said == []
    clock.now += 4 * HOUR
    assert office.prune() == 2
    assert woken.said == [("forget", kicked.uaid)]
