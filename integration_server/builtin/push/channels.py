"""The consumer type of channels that are bound to the directory: nothing is ever handed to them."""

from __future__ import annotations

from typing import ClassVar, Literal

from integration_server import Consumer, ConsumerContext, ConsumerSettings, Deadline, Delivery, DeliveryRefused, Receipt


class PushChannel(Consumer):
    """A channel, among subscriptions. Its holder asks for its version, or stays connected."""

    type: ClassVar[str] = "push"
    Settings = ConsumerSettings
    takes: ClassVar[Literal["versions"]] = "versions"

    def __init__(self, settings: ConsumerSettings, context: ConsumerContext) -> None:
        return

    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        raise DeliveryRefused("nothing is sent to a channel")

    def close(self) -> None:
        return
