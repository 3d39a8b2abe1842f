"""Bound channels: a resource's serial is that of the latest event which a subscription of it would get."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from integration_server.sdk.storage import Notice
from integration_server.store.bound_channels import BoundChannel, BoundChannels, Mark
from integration_server.store.engine import open_store, writing
from integration_server.store.event_rows import write_notices
from integration_server.store.journal import Change, Journal
from integration_server.store.resources import Resource
from integration_server.store.schema import bound_resources
from integration_server.store.subscriptions import Subscription, Subscriptions, new_subscription_id
from integration_server.store.tokens import Tokens
from tests.store.test_journal import CLOCK, put

EVERYTHING = Resource()
HQ, BRANCH = Resource("backend", "hq"), Resource("backend", "branch")
STAFF, MATH, FAR = (Resource("group", *names) for names in (("hq", "staff"), ("hq", "math"), ("branch", "staff")))


class Bench:
    """The parts of a store around channels, with one live token. ``now`` is what its clocks say."""

    def __init__(self, engine: sa.Engine) -> None:
        self.now = CLOCK
        self.engine = engine
        self.journal = Journal(engine, self.clock)
        self.channels = BoundChannels(engine, clock=self.clock)
        self.subscriptions = Subscriptions(engine, self.clock)
        self.tokens = Tokens(engine, self.clock)
        self.owner = self.token("wiki")

    def clock(self) -> float:
        return self.now

    def token(self, name: str, expires_at: float | None = None) -> str:
        return self.tokens.create(name, ["subscriptions:write"], [EVERYTHING], expires_at)[0].id

    def new(self, resource: Resource, uid: str | None = None, owner: str | None = None) -> Subscription:
        return Subscription(
            id=new_subscription_id(),
            owner=owner or self.owner,
            uid=uid,
            type="push",
            resource=resource,
            events=("*",),
            settings={},
            secrets=(),
            batch_size=1,
            rate_per_second=None,
            is_coalescing=False,
            is_active=True,
            state="ok",
            state_reason=None,
            created_at=self.now,
            changed_at=self.now,
            cursor=0,
        )

    def bind(self, resource: Resource, uid: str | None = None, owner: str | None = None) -> str:
        return self.channels.bind(self.new(resource, uid, owner)).id

    def one(self, id: str) -> BoundChannel:
        return self.channels.find([id])[id]

    def version(self, id: str) -> int:
        return self.one(id).version

    def pending(self, *ids: str) -> dict[str, int]:
        return {id: one.version for id, one in self.channels.find(ids, is_pending=True).items() if one.is_told}


@pytest.fixture
def bench(engine: sa.Engine) -> Bench:
    return Bench(engine)


def test_serial_of_a_resource_is_that_of_the_last_event_which_its_subscriber_would_get(bench: Bench) -> None:
    bound = {resource: bench.bind(resource) for resource in (EVERYTHING, HQ, BRANCH, STAFF, MATH, FAR)}
    randomness = random.Random(17)
    groups = ["staff", "math", "chess"]
    for turn in range(60):
        changes = [
            Change("delete", f"p{number}")
            if randomness.random() < 0.2
            else put(f"p{number}", *randomness.sample(groups, randomness.randrange(4)), full_name=f"{turn}")
            for number in randomness.sample(range(6), randomness.randrange(1, 4))
        ]
        last = bench.journal.last_serial()
        bench.journal.apply(randomness.choice(["hq", "branch"]), changes, last)
        events = bench.journal.events(0, 10_000)
        for resource, id in bound.items():
            wanted = bench.new(resource)
            expected = max((event.serial for event in events if wanted.matches(event)), default=0)
            assert bench.version(id) == expected, (resource, turn)


def test_what_plugins_tell_of_their_own_is_for_no_channel(bench: Bench) -> None:
    everything, whole = bench.bind(EVERYTHING), bench.bind(HQ)
    mark = bench.channels.mark()
    with writing(bench.engine) as connection:
        write_notices(connection, [Notice("forum.known", "hq", "ann", {})], CLOCK)

    assert bench.journal.last_serial() == 1
    assert bench.version(everything) == bench.version(whole) == 0
    assert not bench.channels.changed_since(mark)


def test_new_channel_knows_of_everything_until_now(bench: Bench) -> None:
    bench.journal.apply("hq", [put("ann", "staff")], 0)
    first = bench.bind(STAFF)
    assert bench.one(first) == BoundChannel(first, bench.one(first).resource, 2, 2, True)
    bench.journal.apply("hq", [put("ann", "math")], 2)
    bench.journal.apply("branch", [put("bob", "staff")], 4)

    second = bench.bind(STAFF)

    assert bench.pending(first, second) == {first: 3}, "the last one is about another group"
    assert bench.one(second).acknowledged == bench.one(second).version == 3
    assert bench.one(first).resource == bench.one(second).resource


def test_one_change_writes_one_row_for_a_thousand_channels(bench: Bench) -> None:
    ids = [bench.bind(HQ) for _ in range(1000)]
    bench.journal.apply("hq", [put("ann")], 0)
    written: list[str] = []
    sa.event.listen(bench.engine, "before_cursor_execute", lambda *given: written.append(given[2]))

    bench.journal.apply("hq", [put("ann", full_name="Ann")], 1)
    moved = [statement for statement in written if "UPDATE subscriptions" in statement]
    written.clear()
    found = bench.pending(*ids)

    assert not moved
    assert found == dict.fromkeys(ids, 2)
    assert len([statement for statement in written if "SELECT" in statement]) == 1


def test_acknowledged_versions_never_go_back_nor_beyond_the_serial(bench: Bench) -> None:
    first, second = bench.bind(HQ), bench.bind(HQ)
    bench.journal.apply("hq", [put("ann", "staff", "math")], 0)

    bench.channels.acknowledge({first: 2, second: 99, "sub_of_nobody": 3})
    assert [bench.one(id).acknowledged for id in (first, second)] == [2, 3]
    bench.channels.acknowledge({first: 1, second: 3})
    assert [bench.one(id).acknowledged for id in (first, second)] == [2, 3]
    assert bench.pending(first, second) == {first: 3}


def test_acknowledging_for_something_that_is_delivered_moves_nothing(bench: Bench) -> None:
    hook = bench.new(EVERYTHING)
    bench.subscriptions.add(hook)
    bench.journal.apply("hq", [put("ann")], 0)

    bench.channels.acknowledge({hook.id: 1})
    bench.channels.remove([hook.id])

    found = bench.subscriptions.get(hook.id)
    assert found is not None
    assert found.cursor == 0
    assert not bench.channels.find([hook.id])


def test_paused_channel_is_told_nothing_until_it_is_resumed(bench: Bench) -> None:
    id = bench.bind(HQ)
    bench.subscriptions.change(id, is_active=False)
    bench.journal.apply("hq", [put("ann")], 0)
    assert not bench.pending(id)

    bench.subscriptions.change(id, is_active=True)

    assert bench.pending(id) == {id: 1}


def test_replayed_channel_waits_again(bench: Bench) -> None:
    id = bench.bind(STAFF)
    bench.journal.apply("hq", [put("ann", "staff")], 0)
    bench.channels.acknowledge({id: 2})
    bench.journal.apply("hq", [put("bob")], 2)

    bench.subscriptions.replay_from(id, 2)
    assert not bench.pending(id), "nothing touched the group after that"
    bench.subscriptions.replay_from(id, 1)
    assert bench.pending(id) == {id: 2}


def test_whoever_looks_again_learns_which_resources_changed(bench: Bench) -> None:
    first, second, third = bench.bind(STAFF), bench.bind(BRANCH), bench.bind(HQ)
    staff, branch, whole = (bench.one(id).resource for id in (first, second, third))

    def changed(mark: Mark) -> frozenset[int]:
        return bench.channels.changed_since(mark)

    mark = bench.channels.mark()
    assert not changed(mark)
    bench.journal.apply("hq", [put("ann", "staff")], 0)
    assert bench.channels.mark() != mark
    assert changed(mark) == {staff, whole}

    mark = bench.channels.mark()
    bench.subscriptions.change(second, is_active=False)
    assert changed(mark) == {branch}
    mark = bench.channels.mark()
    bench.subscriptions.replay_from(first, 0)
    assert changed(mark) == {staff}
    mark = bench.channels.mark()
    bench.channels.acknowledge({first: 2, third: 2})
    assert bench.channels.mark() == mark, "what was acknowledged is no news"


def test_serials_are_kept_only_while_something_is_bound(bench: Bench) -> None:
    first, second, other = bench.bind(HQ), bench.bind(HQ), bench.bind(STAFF)
    assert len(bench.channels.serials()) == 2
    assert bench.subscriptions.remove(first)
    assert len(bench.channels.serials()) == 2
    bench.channels.remove([second, other, "sub_of_nobody"])
    assert not bench.channels.serials()

    bench.journal.apply("hq", [put("ann", "staff")], 0)
    again = bench.bind(STAFF)
    assert bench.version(again) == 2
    assert not bench.pending(again)


def test_binding_a_name_again_keeps_what_waits_and_a_pause(bench: Bench) -> None:
    id = bench.bind(HQ, "phone")
    bench.journal.apply("hq", [put("ann")], 0)
    assert bench.bind(HQ, "phone") == id
    assert bench.pending(id) == {id: 1}

    bench.subscriptions.change(id, is_active=False)
    assert bench.bind(STAFF, "phone") == id
    assert len(bench.channels.serials()) == 1, "nothing is bound to the backend any more"
    found = bench.subscriptions.get(id)
    assert found is not None
    assert (found.resource, found.is_active) == (STAFF, False)
    assert not bench.pending(id)
    assert bench.bind(HQ, "phone", bench.token("another")) != id


def test_channels_of_a_dead_token_are_told_nothing(bench: Bench) -> None:
    short = bench.token("short", CLOCK + 10)
    first, second = bench.bind(HQ), bench.bind(HQ, owner=short)
    bench.journal.apply("hq", [put("ann")], 0)
    assert bench.pending(first, second) == {first: 1, second: 1}

    bench.now += 10
    assert bench.pending(first, second) == {first: 1}
    bench.tokens.revoke("wiki")
    assert not bench.pending(first, second)
    assert not bench.channels.end_orphans(), "revoking one looks after all"

    for id in (first, second):
        found = bench.subscriptions.get(id)
        assert found is not None
        assert (found.state, found.state_reason) == ("ended", "its token was revoked or has expired")


def test_engine_and_pruning_do_not_see_channels(bench: Bench) -> None:
    hook = bench.new(EVERYTHING)
    bench.bind(HQ)
    assert bench.subscriptions.lowest_cursor() is None
    bench.subscriptions.add(hook)
    bench.journal.apply("hq", [put("ann"), put("bob")], 0)
    bench.subscriptions.replay_from(hook.id, 2)

    assert set(bench.subscriptions.versions()) == {hook.id}
    assert [one.id for one in bench.subscriptions.delivered()] == [hook.id]
    assert bench.subscriptions.lowest_cursor() == 2
    assert bench.subscriptions.count(bench.owner) == 1
    assert bench.channels.count(bench.owner) == 1
    assert len(bench.subscriptions.all()) == 2


def test_pages_of_an_owner_have_each_once(bench: Bench) -> None:
    ids = []
    for number in range(7):
        bench.now += number % 3
        ids.append(bench.bind(HQ, f"phone {number}"))
    found: list[str] = []
    after = (0.0, "")
    while page := bench.subscriptions.page(bench.owner, after, None, 2):
        found += [one.id for one in page]
        after = (page[-1].created_at, page[-1].id)

    assert found == [one.id for one in bench.subscriptions.all()]
    assert sorted(found) == sorted(ids)
    assert [one.uid for one in bench.subscriptions.page(bench.owner, (0.0, ""), "phone 3", 2)] == ["phone 3"]


def test_no_event_falls_between_binding_and_several_writers(bench: Bench, url: str, tmp_path: Path) -> None:
    """Each channel that is bound while others write is told of the last event at the end."""
    ids: list[str] = []
    begun: dict[Resource, int] = {}

    def write(backend: str, groups: Sequence[str]) -> None:
        engine = open_store(url, tmp_path)
        journal = Journal(engine)
        for number in range(25):
            journal.apply(backend, [put("ann", *groups, full_name=f"{number}")], journal.last_serial() + 1000)
        engine.dispose()

    def bind(resource: Resource) -> None:
        engine = open_store(url, tmp_path)
        channels, subscriptions = BoundChannels(engine), Subscriptions(engine)
        for number in range(20):
            made = channels.bind(bench.new(resource))
            id = made.id
            # The first one stays, and so does the row; it began with the last serial of any event.
            begun.setdefault(resource, made.version)
            if number % 2:
                # The last one there was: the row of the resource goes and comes.
                channels.remove([id])
            else:
                subscriptions.change(id, is_active=True)
                ids.append(id)
        engine.dispose()

    work = [
        threading.Thread(target=write, args=("hq", ["staff"])),
        threading.Thread(target=write, args=("branch", [])),
        *(threading.Thread(target=bind, args=(resource,)) for resource in (EVERYTHING, HQ, STAFF)),
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join(60)

    events = bench.journal.events(0, 10_000)
    assert len(ids) == 30
    assert len(bench.channels.serials()) == 3
    for id in ids:
        found = bench.subscriptions.get(id)
        assert found is not None
        expected = max(event.serial for event in events if found.resource.matches(event))
        expected = max(expected, begun[found.resource])
        assert bench.version(id) == expected


def test_row_of_a_resource_is_found_by_however_long_a_name(bench: Bench) -> None:
    group = "\N{GREEK SMALL LETTER ALPHA}" * 3000
    id = bench.bind(Resource("group", "hq", group))
    bench.journal.apply("hq", [put("ann", group)], 0)
    assert bench.pending(id) == {id: 2}
    with bench.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(bound_resources)) == 1


def test_channels_are_counted_and_paged_by_owner(bench: Bench) -> None:
    other = bench.token("helpdesk")
    for uid in ("b", "c", "a"):
        bench.channels.bind(bench.new(HQ, uid))
    bench.channels.bind(bench.new(EVERYTHING, "a", other))

    assert bench.channels.count_by_owner(100) == {bench.owner: 3, other: 1}
    assert sum(bench.channels.count_by_owner(2).values()) == 2
    assert [one.uid for one, _ in bench.channels.page(bench.owner, "", 2)] == ["a", "b"]
    ((last, version),) = bench.channels.page(bench.owner, "b", 2)
    assert (last.uid, last.resource, version) == ("c", HQ, 0)
