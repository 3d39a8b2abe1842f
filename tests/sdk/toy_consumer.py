"""A small correct consumer, and wrong ones that each break one promise, to try the conformance suite on."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import pytest
from pydantic import SecretStr

from integration_server import (
    Consumer,
    ConsumerContext,
    ConsumerSettings,
    ConsumerUnavailable,
    Deadline,
    Delivery,
    DeliveryRefused,
    Preparing,
    Receipt,
    Secret,
    Signing,
)
from integration_server.sdk.testing import ConsumerConformance, Outage

PASSWORD = "password-of-the-toy"


class ToyReceiver:
    """Where the toy delivers to; it can be switched off."""

    def __init__(self) -> None:
        self.is_up = True
        self.taken: list[Delivery] = []

    def take(self, delivery: Delivery) -> None:
        if not self.is_up:
            raise ConnectionError("the receiver is off")
        self.taken.append(delivery)

    @contextmanager
    def off(self) -> Iterator[None]:
        self.is_up = False
        try:
            yield
        finally:
            self.is_up = True


RECEIVERS: dict[str, ToyReceiver] = {}


class ToySettings(ConsumerSettings):
    receiver: str
    password: Secret


class ToyConsumer(Consumer, Preparing, Signing):
    type: ClassVar[str] = "toy"
    Settings = ToySettings

    def __init__(self, settings: ToySettings, context: ConsumerContext) -> None:
        self.settings = settings
        self.context = context
        self.is_closed = False

    @property
    def receiver(self) -> ToyReceiver:
        return RECEIVERS[self.settings.receiver]

    @classmethod
    def new_secret(cls) -> str:
        return secrets.token_hex(16)

    @classmethod
    def check_secret(cls, secret: str) -> None:
        if len(secret) != 32:
            raise ValueError("a secret has 32 characters")

    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        if deadline.is_over():
            raise ConsumerUnavailable("too late")
        try:
            self.receiver.take(delivery)
        except ConnectionError as exc:
            raise ConsumerUnavailable("the receiver is off") from exc
        return Receipt()

    def prepare(self, delivery: Delivery) -> Callable[[Deadline], Receipt]:
        return lambda deadline: self.deliver(delivery, deadline)

    def close(self) -> None:
        self.is_closed = True


class SwallowsOutage(ToyConsumer):
    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        try:
            return super().deliver(delivery, deadline)
        except ConsumerUnavailable:
            if deadline.is_over():
                raise
            return Receipt()


class LeaksItsLibrarysError(ToyConsumer):
    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        if deadline.is_over():
            raise ConsumerUnavailable("too late")
        self.receiver.take(delivery)
        return Receipt()


class GivesUpInOutage(ToyConsumer):
    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        if not self.receiver.is_up:
            raise DeliveryRefused("off")
        return super().deliver(delivery, deadline)


class HangsInOutage(ToyConsumer):
    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        if not self.receiver.is_up:
            time.sleep(3)
        return super().deliver(delivery, deadline)


class NeverRecovers(ToyConsumer):
    is_broken = False

    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        self.is_broken |= not self.receiver.is_up
        if self.is_broken:
            raise ConsumerUnavailable("broken")
        return super().deliver(delivery, deadline)


class IgnoresDeadline(ToyConsumer):
    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        return super().deliver(delivery, Deadline(10))


class DeliversTwice(ToyConsumer):
    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        super().deliver(delivery, deadline)
        return super().deliver(delivery, deadline)


class SendsWhatItPrepares(ToyConsumer):
    def prepare(self, delivery: Delivery) -> Callable[[Deadline], Receipt]:
        receipt = self.deliver(delivery, Deadline(10))
        return lambda deadline: receipt


class ForgetsWhatItPrepared(ToyConsumer):
    def prepare(self, delivery: Delivery) -> Callable[[Deadline], Receipt]:
        return lambda deadline: Receipt()


class DropsDeletions(ToyConsumer):
    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        if any(event.after is None for event in delivery.events) and not delivery.is_batch:
            return Receipt()
        return super().deliver(delivery, deadline)


class TakesTuples(ToyConsumer):
    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        assert isinstance(delivery.events, tuple)
        return super().deliver(delivery, deadline)


class ChokesOnBatches(ToyConsumer):
    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        [_] = delivery.events
        return super().deliver(delivery, deadline)


class RefusesRepeats(ToyConsumer):
    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        if delivery.attempt > 1:
            raise DeliveryRefused("had that")
        return super().deliver(delivery, deadline)


class MixesThreads(ToyConsumer):
    is_busy = False

    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        assert not self.is_busy, "used by two threads"
        self.is_busy = True
        time.sleep(0.01)
        self.is_busy = False
        return super().deliver(delivery, deadline)


class ReturnsNothing(ToyConsumer):
    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        super().deliver(delivery, deadline)
        return None  # type: ignore[return-value]


class ShowsItsPassword(ToyConsumer):
    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        try:
            return super().deliver(delivery, deadline)
        except ConsumerUnavailable:
            raise ConsumerUnavailable(f"cannot log in with {self.settings.password.get_secret_value()}") from None


class ShowsTheSigningSecret(ToyConsumer):
    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        super().deliver(delivery, deadline)
        return Receipt(response=f"signed with {delivery.secrets[0]}")


class ClosesOnce(ToyConsumer):
    def close(self) -> None:
        assert not self.is_closed
        super().close()


class MakesOneSecret(ToyConsumer):
    @classmethod
    def new_secret(cls) -> str:
        return "a" * 32


class QuotesSecrets(ToyConsumer):
    @classmethod
    def check_secret(cls, secret: str) -> None:
        if len(secret) != 32:
            raise ValueError(f"{secret} has not 32 characters")


class OpenSettings(ConsumerSettings):
    receiver: str
    password: str | SecretStr


class ShowsItsSettings(ToyConsumer):
    Settings = OpenSettings


class ToyConformance(ConsumerConformance):
    outage_seconds = 0.2
    grace_seconds = 1.5
    recovery_seconds = 0.5

    @pytest.fixture
    def receiver(self, tmp_path) -> Iterator[ToyReceiver]:
        name = str(tmp_path)
        RECEIVERS[name] = ToyReceiver()
        yield RECEIVERS[name]
        del RECEIVERS[name]

    @pytest.fixture
    def table(self, tmp_path, receiver: ToyReceiver) -> dict[str, str]:
        return {"type": "toy", "receiver": str(tmp_path), "password": PASSWORD}

    @pytest.fixture
    def table_secrets(self) -> list[str]:
        return [PASSWORD]

    @pytest.fixture
    def taken(self, receiver: ToyReceiver) -> Callable[[], int]:
        return lambda: len(receiver.taken)

    @pytest.fixture
    def outages(self, receiver: ToyReceiver) -> list[Outage]:
        return [Outage("off", receiver.off)]
