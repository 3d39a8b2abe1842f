"""A model of what waits for whom, held against the post office and the sessions of both protocols while they do
anything in any order: store, in flight, ACK, re-send, connections that break, processes that are killed, and time."""

from __future__ import annotations

import math
import tempfile
import uuid
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from integration_server.builtin.push.first_api import Ack
from integration_server.builtin.push.letters import Hello, Posted, Registered, Registration
from integration_server.builtin.push.office import PostOffice, Rules
from integration_server.builtin.push.relayed import FirstApiSession
from integration_server.builtin.push.session import Ask, Collect, Effect, End, Received, Say, Session
from integration_server.builtin.push.simplepush import SimplePushSession
from integration_server.builtin.push.tables import TABLES
from integration_server.store import Store
from tests.builtin.push.conftest import Clock

CHANNELS = [str(uuid.UUID(int=number)) for number in range(1, 3)]
RESEND, IN_FLIGHT = 60.0, 10.0
channels = st.sampled_from(range(len(CHANNELS)))
versions = st.integers(0, 6)


class PushMachine(RuleBasedStateMachine):
    """One user agent. ``newest`` and ``had`` are the model: the highest version of each channel, and the highest that
    the client acknowledged after it was told."""

    folder: tempfile.TemporaryDirectory[str]

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = Store("", Path(self.folder.name))
        self.clock = Clock()
        self.mono = 0.0
        self.office = self.open_office()
        self.newest: dict[str, int] = {}
        self.had: dict[str, int] = {}
        self.in_flight_until = 0.0
        #: What the last UPDATE that the server made held.
        self.sent: dict[str, int] = {}
        self.session: Session | None = None
        #: What the client was told over this connection and has not acknowledged, and in what messages.
        self.told: dict[str, int] = {}

    def open_office(self) -> PostOffice:
        rules = Rules(in_flight_seconds=IN_FLIGHT)
        return PostOffice("m", self.store.storage(TABLES), rules, clock=self.clock)

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @initialize()
    def register(self) -> None:
        done = self.office.register([Registration(None, CHANNELS[0], {"ip": "192.0.2.1", "port": 7})])
        assert isinstance(done[0], Registered)
        self.uaid = done[0].uaid
        more = self.office.register([Registration(self.uaid, channel) for channel in CHANNELS])
        self.tokens = {one.channel: one.token for one in more if isinstance(one, Registered)}
        assert len(self.tokens) == len(CHANNELS)

    # -- app servers -------------------------------------------------------------------------------------------------

    @rule(number=channels, version=versions)
    def put(self, number: int, version: int) -> None:
        channel = CHANNELS[number]
        posted = self.office.put(self.tokens[channel], version).posted
        if self.clock.now < self.in_flight_until:
            assert posted is Posted.IN_FLIGHT
            return
        newest = self.newest[channel] = max(version, self.newest.get(channel, -1))
        assert posted is (Posted.HAS_IT if self.had.get(channel, -1) >= newest else Posted.STORED)
        if posted is Posted.STORED and self.session is not None and self.uaid in self.session.uaids:
            self.perform(self.session.news(self.uaid, {channel: newest}, self.mono))

    @rule()
    def kill(self) -> None:
        """The next process has the store, and no connection."""
        self.office = self.open_office()
        self.session = None
        self.told = {}

    # -- a client that polls -----------------------------------------------------------------------------------------

    @rule(is_acknowledged=st.booleans())
    def poll(self, is_acknowledged: bool) -> None:
        found = self.office.collect([self.uaid])
        self.made(found.update.get(self.uaid, {}))
        if is_acknowledged:
            self.office.confirm([self.uaid])
            self.confirmed()

    @rule()
    def late_ack(self) -> None:
        """Of the last UPDATE, whenever that was."""
        self.office.confirm([self.uaid])
        self.confirmed()

    @rule(number=channels, version=versions)
    def poll_and_ack_late(self, number: int, version: int) -> None:
        """Meanwhile there is another version."""
        self.made(self.office.collect([self.uaid]).update.get(self.uaid, {}))
        self.pass_time(IN_FLIGHT + 1)
        if not isinstance(self.session, FirstApiSession):
            self.put(number, version)
        self.late_ack()

    # -- a client that is connected ----------------------------------------------------------------------------------

    @rule(is_simple=st.booleans())
    def connect(self, is_simple: bool) -> None:
        """Also where there was a connection, which then is lost."""
        kind: Any = SimplePushSession if is_simple else FirstApiSession
        self.session = session = kind(str, RESEND)
        self.told = {}
        waiting = self.waiting()
        hello = {"messageType": "hello", "uaid": self.uaid} if is_simple else {"CONNECT": [self.uaid]}
        self.perform(session.received(hello, self.mono))
        assert self.told == waiting, "not everything came with the connection"

    @precondition(lambda self: self.session is not None)
    @rule()
    def break_connection(self) -> None:
        self.session = None
        self.told = {}

    @precondition(lambda self: isinstance(self.session, SimplePushSession) and self.told)
    @rule(data=st.data(), less=st.integers(0, 2))
    def ack(self, data: st.DataObject, less: int) -> None:
        """One of the channels, with what was told or an older version."""
        assert self.session is not None
        channel = data.draw(st.sampled_from(sorted(self.told)))
        version = max(0, self.told[channel] - less)
        updates = [{"channelID": channel, "version": version}]
        self.perform(self.session.received({"messageType": "ack", "updates": updates}, self.mono))
        self.had[channel] = max(version, self.had.get(channel, -1))
        if version == self.told[channel]:
            del self.told[channel]

    @precondition(lambda self: isinstance(self.session, FirstApiSession) and self.told)
    @rule(with_versions=st.booleans())
    def ack_update(self, with_versions: bool) -> None:
        assert self.session is not None
        content: object = {self.uaid: dict(self.told)} if with_versions else [self.uaid]
        if with_versions:
            for channel, version in self.told.items():
                self.had[channel] = max(version, self.had.get(channel, -1))
            self.in_flight_until = 0.0
        else:
            self.confirmed()
        self.told = {}
        self.perform(self.session.received({"ACK": content}, self.mono))

    @rule(seconds=st.sampled_from([1.0, IN_FLIGHT + 1, RESEND + 1]))
    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        self.mono += seconds
        if self.session is not None and self.mono >= self.session.due:
            before, self.told = dict(self.told), {}
            self.perform(self.session.tick(self.mono))
            if isinstance(self.session, FirstApiSession):
                # Asked for again, so that nothing comes that was acknowledged by a poll.
                assert self.told == self.waiting()
            else:
                assert self.told, "nothing came again"
                assert all(version >= before.get(channel, 0) for channel, version in self.told.items())
                self.told = {**before, **self.told}

    # -- the model ---------------------------------------------------------------------------------------------------

    def waiting(self) -> dict[str, int]:
        return {one: newest for one, newest in self.newest.items() if newest > self.had.get(one, -1)}

    def made(self, update: dict[str, int]) -> None:
        """The server made an UPDATE."""
        assert update == self.waiting()
        if update:
            self.sent.update(update)
            self.in_flight_until = self.clock.now + IN_FLIGHT

    def confirmed(self) -> None:
        for channel, version in self.sent.items():
            self.had[channel] = max(version, self.had.get(channel, -1))
        self.in_flight_until = 0.0

    def perform(self, effects: Any) -> None:
        """What the connection and the clerk do."""
        session = self.session
        assert session is not None
        queue: list[Effect] = list(effects)
        while queue:
            effect = queue.pop(0)
            if isinstance(effect, Say):
                self.hear(effect.message)
            elif isinstance(effect, Ask):
                queue += session.answered(effect.job, self.result(effect.job), self.mono)
            else:
                assert not isinstance(effect, End), effect

    def hear(self, message: Any) -> None:
        for one in message.get("updates", ()):
            self.told[one["channelID"]] = one["version"]
        self.told.update(message.get("UPDATE", {}).get(self.uaid, {}))
        assert all(version <= self.newest[channel] for channel, version in self.told.items())

    def result(self, job: Any) -> Any:
        if isinstance(job, Hello):
            (greeting,) = self.office.greet([job])
            assert greeting.uaid == self.uaid
            return greeting
        if isinstance(job, Collect):
            found = self.office.collect(job.uaids)
            self.made(found.update.get(self.uaid, {}))
            return found
        if isinstance(job, Received):
            self.office.acknowledge((job.uaid, channel, version) for channel, version in job.versions.items())
        else:
            assert isinstance(job, Ack)
            self.office.confirm(job.uaids, job.received)
        return None

    @invariant()
    def nothing_is_lost_and_nothing_made_up(self) -> None:
        if self.newest:
            (greeting,) = self.office.greet([Hello(self.uaid)])
            assert dict(greeting.pending) == self.waiting()

    @invariant()
    def who_has_something_waiting_is_one_to_be_woken(self) -> None:
        if not self.newest:
            return
        found = self.office.sleepers(None)
        assert found == self.office.sleepers([self.uaid])
        assert [one.uaid for one in found] == ([self.uaid] if self.waiting() else [])
        assert all(one.is_in_flight == (self.clock.now < self.in_flight_until) for one in found)

    @invariant()
    def who_is_connected_was_told_the_newest(self) -> None:
        if self.session is not None:
            for channel, version in self.waiting().items():
                assert self.told.get(channel, -1) == version
            assert (self.session.due < math.inf) == bool(self.told), "what is not acknowledged must come again"


TestPushModel = PushMachine.TestCase
TestPushModel.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
