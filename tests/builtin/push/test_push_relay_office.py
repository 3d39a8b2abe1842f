"""The rules of a relay on SQLite and PostgreSQL, and a model of what it may not lose; the server before it is a post
office in the same store, without HTTP between them."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from integration_server import HttpClient, Watchdog
from integration_server.builtin.push.letters import Collected, Hello, Posted, Refusal, Registered, Registration
from integration_server.builtin.push.office import PostOffice, Rules
from integration_server.builtin.push.relay import Relay
from integration_server.builtin.push.relay_office import RelayOffice
from integration_server.builtin.push.tables import TABLES
from integration_server.builtin.push.upstream import Upstream, UpstreamChannel, UpstreamRefused, UpstreamUnavailable
from integration_server.builtin.push.versions import Update
from integration_server.store import Store
from tests.builtin.push.conftest import Clock

A, B, C = (str(uuid.UUID(int=number)) for number in (1, 2, 3))
HOUR = 3600.0
#: Of the mount before it, whose tokens stand for whole URLs.
URL = "http://upstream.example.org/push/update/"
_NUMBERS = itertools.count()
_HTTP = HttpClient((), Watchdog())


class Killed(Exception):
    """The relay's process was."""


Fault = Literal["unreachable", "answer lost", "killed before", "killed after", "refused"]


class DirectUpstream(Upstream):
    """Calls a post office as the wire would. ``faults`` has what goes wrong with a call's name, the next time."""

    def __init__(self, office: PostOffice) -> None:
        super().__init__(_HTTP, "http://upstream.example.org/push")
        self.office = office
        self.faults: dict[str, Fault] = {}
        self.calls: list[str] = []

    def register(self, uaid: str | None, channel: str) -> UpstreamChannel:
        self._before("register")
        (done,) = self.office.register([Registration(uaid, channel)])
        self._after("register")
        if isinstance(done, Refusal):
            raise UpstreamUnavailable(done.value)
        return UpstreamChannel(done.uaid, URL + done.token)

    def unregister(self, uaid: str, channel: str) -> None:
        self._before("unregister")
        self.office.unregister([(uaid, channel)])
        self._after("unregister")

    def connect(self, uaids: list[str], wait: int) -> Collected:
        self._before("connect")
        found = self.office.collect(uaids)
        self._after("connect")
        return found

    def acknowledge(self, update: Update) -> None:
        self._before("acknowledge")
        self.office.confirm((), update)
        self._after("acknowledge")

    def _before(self, call: str) -> None:
        self.calls.append(call)
        fault = self.faults.get(call)
        if fault == "unreachable":
            raise UpstreamUnavailable("unreachable")
        if fault == "refused":
            raise UpstreamRefused("refused", 400)
        if fault == "killed before":
            raise Killed

    def _after(self, call: str) -> None:
        fault = self.faults.get(call)
        if fault == "answer lost":
            raise UpstreamUnavailable("the answer is lost")
        if fault == "killed after":
            raise Killed


@dataclass
class Line:
    """An upstream server and a relay."""

    store: Store
    clock: Clock

    def __post_init__(self) -> None:
        self._mount = f"line{next(_NUMBERS)}"
        self.upstream = DirectUpstream(self.open_upstream())
        self.begin_relay()

    def open_upstream(self) -> PostOffice:
        rules = Rules(in_flight_seconds=10.0)
        return PostOffice(f"{self._mount}-up", self.store.storage(TABLES), rules, clock=self.clock)

    def begin_relay(self) -> None:
        """As another process."""
        storage = self.store.storage(TABLES)
        self.office = RelayOffice(f"{self._mount}-relay", storage, Rules(), self.upstream, clock=self.clock)
        self.relay = Relay(self.office, self.upstream, 1, clock=self.clock)

    def register(self, channel: str, uaid: str | None = None, is_greeted: bool = False) -> Registered:
        (done,) = self.office.register([Registration(uaid, channel, is_greeted=is_greeted)])
        assert isinstance(done, Registered), done
        return done

    def put(self, done: Registered, version: int) -> Posted:
        return self.upstream.office.put(done.token.removeprefix(URL), version).posted

    def turn(self) -> None:
        """One exchange for everybody."""
        links = self.relay._links()
        self.relay._turn(list(links), links, 0)

    def errands(self) -> None:
        self.relay._run_errands()

    def pending(self, uaid: str) -> dict[str, int]:
        """What waits at the relay."""
        (greeting,) = self.office.greet([Hello(uaid)])
        return dict(greeting.pending) if greeting.is_known else {}


@pytest.fixture
def line(push_store: Store, clock: Clock) -> Line:
    return Line(push_store, clock)


def test_version_is_the_relays_once_it_was_acknowledged(line: Line) -> None:
    mine = line.register(A)
    assert line.put(mine, 7) is Posted.STORED
    line.turn()
    assert line.pending(mine.uaid) == {A: 7}
    assert line.put(mine, 7) is Posted.HAS_IT


def test_upstream_has_no_ack_before_the_relay_has_stored(line: Line) -> None:
    mine = line.register(A)
    line.put(mine, 7)
    line.upstream.faults["connect"] = "killed after"
    with pytest.raises(Killed):
        line.turn()
    line.begin_relay()
    assert line.pending(mine.uaid) == {}
    line.upstream.faults = {"acknowledge": "killed before"}
    with pytest.raises(Killed):
        line.turn()
    line.begin_relay()
    assert line.pending(mine.uaid) == {A: 7}
    line.upstream.faults.clear()
    line.turn()
    assert line.pending(mine.uaid) == {A: 7}
    assert "acknowledge" in line.upstream.calls


def test_user_agents_are_others_to_each_server(line: Line) -> None:
    mine, other = line.register(A), line.register(A)
    assert mine.uaid != other.uaid
    assert not {mine.uaid, other.uaid} & set(line.office.links())
    assert set(line.office.links().values()) == {mine.uaid, other.uaid}


def test_links_are_read_again_when_somebody_is_new(line: Line) -> None:
    first = line.register(A)
    assert list(line.relay._links().values()) == [first.uaid]
    line.clock.now += 1
    second = line.register(A)
    assert list(line.relay._links().values()) == [first.uaid, second.uaid]


def test_one_who_was_greeted_keeps_its_uaid(line: Line) -> None:
    (greeting,) = line.office.greet([Hello(None)])
    done = line.register(A, greeting.uaid, is_greeted=True)
    assert done.uaid == greeting.uaid
    assert line.register(B, greeting.uaid, is_greeted=True).uaid == greeting.uaid
    assert len(line.office.links()) == 1


def test_channel_that_is_known_stays_as_it_is_during_an_outage(line: Line) -> None:
    mine = line.register(A)
    line.upstream.faults["register"] = "unreachable"
    assert line.register(A, mine.uaid) == mine
    assert line.office.register([Registration(mine.uaid, B)]) == [Refusal.NO_UPSTREAM]
    assert line.office.register([Registration(None, A)]) == [Refusal.NO_UPSTREAM]


def test_what_was_unregistered_during_an_outage_is_told_later(line: Line) -> None:
    mine = line.register(A)
    kept = line.register(B, mine.uaid)
    line.upstream.faults["unregister"] = "unreachable"
    line.office.unregister([(mine.uaid, A)])
    with pytest.raises(UpstreamUnavailable):
        line.errands()
    assert line.put(mine, 1) is Posted.STORED
    line.turn()
    assert line.pending(mine.uaid) == {}
    line.begin_relay()
    line.upstream.faults.clear()
    line.errands()
    assert line.put(mine, 2) is Posted.REMOVED
    assert line.put(kept, 2) is Posted.STORED
    line.errands()
    assert line.upstream.calls.count("unregister") == 2


def test_what_is_registered_again_during_an_outage_is_not_unregistered(line: Line) -> None:
    mine = line.register(A)
    line.office.unregister([(mine.uaid, A)])
    line.upstream.faults["register"] = "unreachable"
    assert line.register(A, mine.uaid) == mine
    line.upstream.faults.clear()
    line.errands()
    assert line.put(mine, 1) is Posted.STORED
    line.turn()
    assert line.pending(mine.uaid) == {A: 1}


def test_registration_that_overtakes_the_removal_is_made_again(line: Line) -> None:
    mine = line.register(A)
    line.office.unregister([(mine.uaid, A)])
    (errand,) = line.office.errands(("", ""))
    line.register(A, mine.uaid)
    line.office.settle_errand(errand, line.office.run_errand(errand))
    assert line.put(mine, 1) is Posted.REMOVED
    line.errands()
    assert line.put(mine, 1) is Posted.STORED


def test_one_errand_that_is_refused_holds_up_no_other(line: Line) -> None:
    first, second = line.register(A), line.register(A)
    line.office.unregister([(first.uaid, A), (second.uaid, A)])
    line.upstream.faults["unregister"] = "refused"
    with pytest.raises(UpstreamRefused):
        line.errands()
    assert line.upstream.calls.count("unregister") == 2


def test_channels_that_the_relay_lost_are_registered_at_both(line: Line) -> None:
    kept = line.register(A)
    lost = line.register(B, kept.uaid)
    line.put(kept, 1)
    line.turn()
    line.clock.now += 4 * HOUR
    line.office.prune()
    line.errands()
    assert line.put(lost, 1) is Posted.REMOVED
    (greeting,) = line.office.greet([Hello(kept.uaid, (A, B, C))])
    assert greeting.is_known
    line.errands()
    assert line.put(lost, 2) is Posted.STORED
    line.turn()
    assert line.pending(kept.uaid) == {A: 1, B: 2}
    assert line.register(C, kept.uaid).uaid == kept.uaid


def test_user_agent_that_nobody_uses_is_forgotten_at_both(line: Line) -> None:
    mine = line.register(A)
    line.clock.now += 4 * HOUR
    assert line.office.prune() == 1
    line.errands()
    assert line.office.links() == {}
    assert line.put(mine, 1) is Posted.REMOVED


def forget_upstream(line: Line) -> None:
    line.clock.now += 4 * HOUR
    line.upstream.office.prune()
    line.office.touch(list(line.office.links().values()))


def test_reset_waits_until_everything_was_delivered(line: Line) -> None:
    told: list[str] = []
    mine, other = line.register(A), line.register(A)
    line.put(mine, 7)
    line.turn()
    line.clock.now += 80 * HOUR
    line.upstream.office.prune()
    line.office.on_reset = told.extend
    line.turn()
    assert told == [other.uaid]
    assert line.pending(mine.uaid) == {A: 7}
    line.turn()
    line.office.acknowledge([(mine.uaid, A, 7)])
    line.clock.now += 31
    line.turn()
    assert told == [other.uaid, mine.uaid]
    assert not line.office.greet([Hello(mine.uaid)])[0].is_known


def test_reset_at_registration_is_a_new_user_agent(line: Line) -> None:
    mine = line.register(A)
    forget_upstream(line)
    new = line.register(B, mine.uaid)
    assert new.uaid != mine.uaid
    assert list(line.office.links().values()) == [new.uaid]
    assert line.put(new, 1) is Posted.STORED


def test_one_who_was_greeted_is_told_to_begin_anew(line: Line) -> None:
    mine = line.register(A)
    forget_upstream(line)
    assert line.office.register([Registration(mine.uaid, B, is_greeted=True)]) == [Refusal.RESET]
    assert not line.office.greet([Hello(mine.uaid)])[0].is_known


def test_lost_answer_to_a_registration_leaves_nothing_that_harms(line: Line) -> None:
    line.upstream.faults["register"] = "answer lost"
    assert line.office.register([Registration(None, A)]) == [Refusal.NO_UPSTREAM]
    line.upstream.faults.clear()
    mine = line.register(A)
    assert line.put(mine, 1) is Posted.STORED
    line.turn()
    assert line.pending(mine.uaid) == {A: 1}


# -- the model -----------------------------------------------------------------------------------------------------

channels = st.sampled_from((A, B))
faults = st.dictionaries(
    st.sampled_from(("connect", "acknowledge")),
    st.sampled_from(("unreachable", "answer lost", "killed before", "killed after")),
)


class RelayMachine(RuleBasedStateMachine):
    """One client with two channels. ``newest`` are the versions that upstream took, ``had`` those that the client
    acknowledged at the relay."""

    def __init__(self, open_line: Callable[[], Line]) -> None:
        super().__init__()
        self.line = open_line()
        self.newest: dict[str, int] = {}
        self.had: dict[str, int] = {}
        self.endpoints: dict[str, Registered] = {}
        self.uaid = ""

    @initialize()
    def register(self) -> None:
        self.uaid = self.line.register(A).uaid
        self.endpoints = {channel: self.line.register(channel, self.uaid) for channel in (A, B)}

    @rule(channel=channels, version=st.integers(0, 9))
    def put(self, channel: str, version: int) -> None:
        posted = self.line.put(self.endpoints[channel], version)
        if posted is not Posted.IN_FLIGHT:
            assert posted in (Posted.STORED, Posted.HAS_IT)
            self.newest[channel] = max(version, self.newest.get(channel, -1))

    @rule(fault=faults)
    def turn(self, fault: dict[str, Fault]) -> None:
        self.line.upstream.faults = dict(fault)
        try:
            self.line.turn()
        except UpstreamUnavailable:
            pass
        except Killed:
            self.line.begin_relay()
        self.line.upstream.faults.clear()

    @rule()
    def kill_relay(self) -> None:
        self.line.begin_relay()

    @rule()
    def kill_upstream(self) -> None:
        self.line.upstream.office = self.line.open_upstream()

    @rule(is_acknowledged=st.booleans())
    def poll(self, is_acknowledged: bool) -> None:
        found = self.line.office.collect([self.uaid])
        assert found.unknown == ()
        update = found.update.get(self.uaid, {})
        for channel, version in update.items():
            assert self.had.get(channel, -1) < version <= self.newest[channel], "old or made up"
        if is_acknowledged:
            self.line.office.confirm([self.uaid])
            for channel, version in update.items():
                self.had[channel] = version

    @rule(channel=channels, is_upstream_there=st.booleans())
    def register_again(self, channel: str, is_upstream_there: bool) -> None:
        if not is_upstream_there:
            self.line.upstream.faults["register"] = "unreachable"
        assert self.line.register(channel, self.uaid) == self.endpoints[channel]
        self.line.upstream.faults.clear()

    @rule(seconds=st.sampled_from([1.0, 11.0]))
    def pass_time(self, seconds: float) -> None:
        self.line.clock.now += seconds

    @invariant()
    def newest_is_at_one_of_the_three(self) -> None:
        if not self.endpoints:
            return
        (link,) = self.line.office.links()
        (greeting,) = self.line.upstream.office.greet([Hello(link)])
        here = self.line.pending(self.uaid)
        for channel, newest in self.newest.items():
            assert newest == max(greeting.pending.get(channel, -1), here.get(channel, -1), self.had.get(channel, -1))


def test_nothing_that_upstream_took_is_lost_whatever_is_killed_when(push_store: Store) -> None:
    run_state_machine_as_test(
        lambda: RelayMachine(lambda: Line(push_store, Clock())),
        settings=settings(
            max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
