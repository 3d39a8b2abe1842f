"""What every consumer must do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from integration_server.sdk.consumers import Consumer, ConsumerContext, Delivery, Preparing, Receipt, Signing
from integration_server.sdk.deadline import Deadline, Watchdog
from integration_server.sdk.errors import DeliveryError, DeliveryFailed
from integration_server.sdk.events import (
    EVENT_TYPES,
    MEMBERSHIP_ADDED,
    MEMBERSHIP_REMOVED,
    USER_DELETED,
    Event,
    is_own_type,
    ping_event,
)
from integration_server.sdk.http import HttpClient
from integration_server.sdk.storage import Storage, Tables, no_storage
from integration_server.sdk.stretches import Stretch, page_of
from integration_server.sdk.testing.harness import in_threads, within
from integration_server.sdk.testing.suite import Outage

#: Connections within this machine, where a test's receiver lives.
_LOOPBACK = ("127.0.0.0/8", "::1")
#: Gives so many events.
Sampling = Callable[[int], Sequence[Event]]


def sample_events(count: int = 1, backend: str = "hq", types: Sequence[str] = EVENT_TYPES) -> list[Event]:
    """Events of every kind about different people, some of them with odd names. Those of a plugin's own kind have no
    details."""
    return [_sample(number, backend, types[number % len(types)]) for number in range(1, count + 1)]


def _sample(number: int, backend: str, kind: str) -> Event:
    if is_own_type(kind):
        return Event(number, f"evt_{number:032x}", kind, backend, f"p{number}", 1_700_000_000.0 + number, after={})
    person = {
        "id": f"p{number}",
        "username": f"user {number} 'Ω\"<&>\\",
        "full_name": "Zoë\u2028\U0001f600",
        "distinguished_name": None,
        "emails": [{"address": f"p{number}@example.org", "is_verified": True, "is_preferred": True}],
        "groups": ["staff"],
        "nickname": None,
        "biography": "line\nline",
        "tz": None,
        "state": "active",
    }
    is_gone = kind == USER_DELETED
    return Event(
        number,
        f"evt_{number:032x}",
        kind,
        backend,
        f"p{number}",
        1_700_000_000.0 + number,
        after=None if is_gone else person,
        before=person if is_gone else None,
        changed={"full_name": ("Zoe", "Zoë")} if kind == "user.updated" else None,
        group="staff" if kind in (MEMBERSHIP_ADDED, MEMBERSHIP_REMOVED) else None,
        groups=("staff",),
    )


class ConsumerConformance:
    """What every consumer must do. Subclass it, name ``consumer_class``, override the fixtures."""

    #: The class under test.
    consumer_class: ClassVar[type[Consumer]]
    #: False for a consumer that cannot be unable to deliver (a list in memory); then ``outages`` may be empty.
    can_fail: ClassVar[bool] = True
    #: The deadline that is set during an outage, and how long after it the error may take.
    outage_seconds: ClassVar[float] = 1.0
    grace_seconds: ClassVar[float] = 5.0
    #: How soon after an outage the consumer must deliver again.
    recovery_seconds: ClassVar[float] = 10.0

    @pytest.fixture
    def table(self) -> Mapping[str, Any]:
        """What stands under ``[subscriptions.test]``, ``type`` included."""
        raise NotImplementedError("override the fixture 'table'")

    @pytest.fixture
    def outages(self) -> Sequence[Outage]:
        """The ways to break the receiver, in each of which it takes nothing."""
        if self.can_fail:
            raise NotImplementedError("override the fixture 'outages', or say can_fail = False")
        return ()

    @pytest.fixture
    def taken(self) -> Callable[[], int] | None:
        """How many deliveries the receiver took so far. Override it where the receiver can tell."""
        return None

    @pytest.fixture
    def table_secrets(self) -> Sequence[str]:
        """Texts of ``table`` that nobody may see: passwords, tokens, keys in a URL."""
        return ()

    @pytest.fixture
    def make_events(self) -> Sampling:
        """So many events of every kind that the consumer is told of. Override it where the details of a plugin's own
        kind matter: all ids must differ, and serials grow."""
        types = self.consumer_class.own_types or EVENT_TYPES
        return lambda count: sample_events(count, types=types)

    @pytest.fixture
    def storage(self) -> Callable[[Tables], Storage]:
        """What opens the server's store, for a consumer that keeps tables there: ``Store("", folder).storage``."""
        return no_storage

    @pytest.fixture
    def make_consumer(
        self, table: Mapping[str, Any], tmp_path: Path, storage: Callable[[Tables], Storage]
    ) -> Iterator[Callable[[], Consumer]]:
        """Opens another consumer on the same table; all are closed after the test."""
        opened: list[Consumer] = []
        watchdog = Watchdog()
        http = HttpClient(_LOOPBACK, watchdog)
        context = ConsumerContext("sub_test", http, watchdog, tmp_path, time.time, storage)

        def make() -> Consumer:
            settings = self.consumer_class.Settings.model_validate(dict(table), context={"base_dir": tmp_path})
            opened.append(self.consumer_class(settings, context))
            return opened[-1]

        yield make
        for consumer in opened:
            consumer.close()
        http.close()

    @pytest.fixture
    def consumer(self, make_consumer: Callable[[], Consumer]) -> Consumer:
        return make_consumer()

    @pytest.fixture
    def secret(self) -> str | None:
        """What deliveries are to be signed with."""
        return self.consumer_class.new_secret() if issubclass(self.consumer_class, Signing) else None

    def delivery(self, secret: str | None, *events: Event, attempt: int = 1) -> Delivery:
        """One delivery as the engine makes it: a batch where there are several events."""
        is_batch = len(events) > 1
        name = "bat_" + "0" * 32 if is_batch else events[0].id
        # Mostly those of a batch are no tuple.
        given = Stretch([(page_of(events), range(len(events)))]) if is_batch else events
        return Delivery(name, "sub_test", given, attempt, is_batch, () if secret is None else (secret,))

    def deliver(self, consumer: Consumer, delivery: Delivery, seconds: float = 30.0) -> Receipt:
        """Deliver; the test fails when neither a receipt nor an error comes soon after the deadline."""
        return within(seconds + self.grace_seconds, "deliver()", lambda: consumer.deliver(delivery, Deadline(seconds)))

    # -- what it promises ------------------------------------------------------------------------------------------

    def test_each_kind_of_event_is_delivered(
        self,
        consumer: Consumer,
        secret: str | None,
        taken: Callable[[], int] | None,
        make_events: Sampling,
    ) -> None:
        before = taken() if taken is not None else 0
        types = self.consumer_class.own_types or EVENT_TYPES
        events = [*make_events(len(types)), ping_event(1_700_000_000.0)]
        for event in events:
            receipt = self.deliver(consumer, self.delivery(secret, event))
            assert isinstance(receipt, Receipt), "deliver() must return a Receipt"
        if taken is not None:
            assert taken() == before + len(events), "the receiver took another number of deliveries than were made"

    def test_batch_is_delivered(
        self,
        consumer: Consumer,
        secret: str | None,
        table: Mapping[str, Any],
        make_events: Sampling,
    ) -> None:
        if self.consumer_class.takes == "signal":
            pytest.skip("a consumer of signals is never given a batch")
        try:
            self.consumer_class.Settings.model_validate({**table, "batch_size": 100})
        except ValidationError:
            pytest.skip("its settings allow no batches")
        self.deliver(consumer, self.delivery(secret, *make_events(100)))

    def test_same_delivery_can_be_made_again(
        self, consumer: Consumer, secret: str | None, make_events: Sampling
    ) -> None:
        """After a crash nobody knows whether the receiver had taken it."""
        event = make_events(1)[0]
        for attempt in (1, 2):
            self.deliver(consumer, self.delivery(secret, event, attempt=attempt))

    def test_what_is_prepared_is_sent_when_it_is_asked_for(
        self,
        consumer: Consumer,
        secret: str | None,
        taken: Callable[[], int] | None,
        make_events: Sampling,
    ) -> None:
        """Not before, and not where it is not asked for."""
        if not isinstance(consumer, Preparing):
            pytest.skip("a consumer that prepares nothing")
        first, second, third = (self.delivery(secret, event) for event in make_events(3))
        before = taken() if taken is not None else 0
        sends = [within(self.grace_seconds, "prepare()", partial(consumer.prepare, one)) for one in (first, second)]
        assert taken is None or taken() == before, "prepare() delivers"
        self.deliver(consumer, third)
        receipt = within(30.0 + self.grace_seconds, "what prepare() gave", lambda: sends[1](Deadline(30.0)))
        assert isinstance(receipt, Receipt), "what prepare() gives must return a Receipt"
        assert taken is None or taken() == before + 2, "what prepare() gives does not deliver once"

    def test_many_threads_deliver_at_once(self, consumer: Consumer, secret: str | None, make_events: Sampling) -> None:
        events = make_events(40)
        in_threads(lambda number: [self.deliver(consumer, self.delivery(secret, e)) for e in events[number * 5 :][:5]])

    def test_outage_is_not_a_receipt(
        self,
        consumer: Consumer,
        secret: str | None,
        outages: Sequence[Outage],
        taken: Callable[[], int] | None,
        make_events: Sampling,
    ) -> None:
        """While the receiver takes nothing, deliver() raises, in time; and goes on by itself afterwards."""
        event = make_events(1)[0]
        self.deliver(consumer, self.delivery(secret, event))
        for name, start in self._all(outages):
            with start():
                self._must_fail(name, consumer, self.delivery(secret, event))
            self._must_recover(name, consumer, self.delivery(secret, event))

    def test_outage_at_the_first_call_is_not_a_receipt(
        self,
        make_consumer: Callable[[], Consumer],
        secret: str | None,
        outages: Sequence[Outage],
        make_events: Sampling,
    ) -> None:
        event = make_events(1)[0]
        for name, start in self._all(outages):
            with start():
                consumer = make_consumer()
                self._must_fail(name, consumer, self.delivery(secret, event))
            self._must_recover(name, consumer, self.delivery(secret, event))

    def test_deadline_that_has_passed_delivers_nothing(
        self,
        consumer: Consumer,
        secret: str | None,
        taken: Callable[[], int] | None,
        make_events: Sampling,
    ) -> None:
        before = taken() if taken is not None else 0
        over = Deadline(0.001)
        time.sleep(0.01)
        delivery = self.delivery(secret, *make_events(1))
        try:
            within(self.grace_seconds, "deliver()", lambda: consumer.deliver(delivery, over))
        except DeliveryFailed:
            if taken is not None:
                assert taken() == before, "delivered although the deadline had passed"
        except Exception as exc:
            pytest.fail(f"a deadline that has passed came out as {type(exc).__name__} where DeliveryFailed must")
        else:
            pytest.fail("a deadline that has passed came out as a receipt")

    def test_no_secret_is_shown(
        self,
        table: Mapping[str, Any],
        table_secrets: Sequence[str],
        make_consumer: Callable[[], Consumer],
        secret: str | None,
        outages: Sequence[Outage],
        caplog: pytest.LogCaptureFixture,
        make_events: Sampling,
    ) -> None:
        """Not in representations, not in what the API shows of the settings, not in errors, receipts or the log."""
        settings = self.consumer_class.Settings.model_validate(dict(table))
        consumer = make_consumer()
        shown = [repr(settings), str(settings), settings.model_dump_json(), repr(consumer), str(consumer)]
        delivery = self.delivery(secret, *make_events(1))
        with caplog.at_level("DEBUG"):
            shown.append(repr(self.deliver(consumer, delivery)))
            for _, start in outages:
                with start(), suppress(Exception):
                    try:
                        self.deliver(consumer, delivery, self.outage_seconds)
                    except DeliveryError as exc:
                        shown += [repr(exc), str(exc), repr(exc.response), *map(repr, exc.args)]
        shown += [record.getMessage() for record in caplog.records]
        for hidden in (*table_secrets, *(() if secret is None else (secret,))):
            assert not [text for text in shown if hidden in text], "a secret is shown"

    def test_consumer_may_be_closed_twice(
        self,
        make_consumer: Callable[[], Consumer],
        secret: str | None,
        make_events: Sampling,
    ) -> None:
        consumer = make_consumer()
        consumer.close()
        consumer = make_consumer()
        self.deliver(consumer, self.delivery(secret, *make_events(1)))
        consumer.close()
        consumer.close()

    def test_secrets_it_makes_differ_and_can_be_signed_with(self) -> None:
        if not issubclass(self.consumer_class, Signing):
            pytest.skip("a consumer that signs nothing")
        made = {self.consumer_class.new_secret() for _ in range(20)}
        assert len(made) == 20, "new_secret() gave one twice"
        for each in made:
            self.consumer_class.check_secret(each)
        with pytest.raises(ValueError, match=r".") as caught:
            self.consumer_class.check_secret("no secret: \0")
        assert "no secret" not in str(caught.value), "check_secret() quotes what it refuses"

    # -- judgement -------------------------------------------------------------------------------------------------

    def _all(self, outages: Sequence[Outage]) -> Sequence[Outage]:
        if not outages:
            if self.can_fail:
                pytest.fail("'outages' is empty: name at least one, or say can_fail = False")
            pytest.skip("declared as a consumer that cannot fail")
        return [Outage(*outage) for outage in outages]

    def _must_fail(self, name: str, consumer: Consumer, delivery: Delivery) -> None:
        try:
            receipt = self.deliver(consumer, delivery, self.outage_seconds)
        except DeliveryFailed:
            return
        except DeliveryError as exc:
            pytest.fail(f"{name}: {type(exc).__name__} gives an event up over an outage; raise DeliveryFailed")
        except Exception as exc:
            pytest.fail(f"{name}: raised {type(exc).__name__} ({exc}) where only DeliveryError may come out")
        pytest.fail(f"{name}: an outage came out as a receipt: {str(receipt)[:200]}")

    def _must_recover(self, name: str, consumer: Consumer, delivery: Delivery) -> None:
        give_up = time.monotonic() + self.recovery_seconds
        while True:
            try:
                self.deliver(consumer, delivery)
                return
            except DeliveryFailed as exc:
                if time.monotonic() > give_up:
                    pytest.fail(f"{name}: still failing {self.recovery_seconds:g} s after the outage: {exc}")
                time.sleep(0.05)
