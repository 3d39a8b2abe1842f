"""A consumer type whose receivers are channels, for tests."""

from __future__ import annotations

from integration_server import (
    Consumer,
    ConsumerContext,
    ConsumerSettings,
    Deadline,
    Delivery,
    DeliveryRefused,
    Receipt,
    hookimpl,
)


class Channel(Consumer):
    type = "channel"
    Settings = ConsumerSettings
    takes = "versions"

    def __init__(self, settings: ConsumerSettings, context: ConsumerContext) -> None:
        """Nothing."""

    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        raise DeliveryRefused("nothing is sent to a channel")

    def close(self) -> None:
        """Nothing."""


@hookimpl
def register_consumers() -> list[type[Consumer]]:
    return [Channel]
