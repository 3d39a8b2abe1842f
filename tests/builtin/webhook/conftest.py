"""A receiver, and a consumer that sends to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_server import ConsumerContext, HttpClient, Watchdog
from integration_server.builtin.webhook import WebhookConsumer, WebhookSettings
from tests.receiver import LocalReceiver

Make = Callable[..., WebhookConsumer]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[LocalReceiver]:
    with LocalReceiver(tmp_path / "receiver") as running:
        yield running


@pytest.fixture
def make(receiver: LocalReceiver, tmp_path: Path) -> Iterator[Make]:
    """``make(url=..., headers=...)``: a consumer with these settings; the receiver's /hook where no URL is given."""
    watchdog = Watchdog()
    http = HttpClient(["127.0.0.0/8"], watchdog)
    context = ConsumerContext("sub_test", http, watchdog, tmp_path, time.time)

    def made(**table: Any) -> WebhookConsumer:
        table = {"type": "webhook", "url": receiver.url("/hook"), **table}
        return WebhookConsumer(WebhookSettings.model_validate(table), context)

    yield made
    http.close()
