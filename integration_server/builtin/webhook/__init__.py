"""Webhooks: events as signed JSON by HTTP POST, after Standard Webhooks 1.0.0."""

from __future__ import annotations

from collections.abc import Sequence

from integration_server import Consumer, hookimpl
from integration_server.builtin.webhook.consumer import WebhookConsumer
from integration_server.builtin.webhook.settings import WebhookSettings

__all__ = ["WebhookConsumer", "WebhookSettings", "register_consumers"]


@hookimpl
def register_consumers() -> Sequence[type[Consumer]]:
    """The one type of this plugin."""
    return [WebhookConsumer]
