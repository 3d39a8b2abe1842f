"""The webhook consumer keeps the promises of every consumer, over plain HTTP and over TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from integration_server.builtin.webhook import WebhookConsumer
from integration_server.sdk.testing import ConsumerConformance, Outage
from tests.receiver import CUT, DRIP, HANG, NONSENSE, UNAVAILABLE, Behaviour, LocalReceiver, too_many
from tests.scripted_server import OK, ScriptedServer, answering
from tests.servers.certificates import Authority

KEY, TOKEN = "key-that-nobody-sees", "token-that-nobody-sees"


class TestWebhook(ConsumerConformance):
    consumer_class = WebhookConsumer
    outage_seconds = 0.3

    @pytest.fixture
    def table(self, receiver: LocalReceiver) -> Mapping[str, Any]:
        url = receiver.url(f"/hook?key={KEY}")
        return {"type": "webhook", "url": url, "headers": {"Authorization": f"Bearer {TOKEN}"}}

    @pytest.fixture
    def table_secrets(self) -> Sequence[str]:
        return [KEY, TOKEN]

    @pytest.fixture
    def taken(self, receiver: LocalReceiver) -> Callable[[], int]:
        return lambda: receiver.count("/hook").requests

    @pytest.fixture
    def outages(self, receiver: LocalReceiver) -> Sequence[Outage]:
        def behaving(behaviour: Behaviour) -> Callable[[], AbstractContextManager[None]]:
            @contextmanager
            def during() -> Iterator[None]:
                receiver.behave("/hook", behaviour)
                yield
                receiver.behave("/hook", Behaviour())

            return during

        @contextmanager
        def refusing() -> Iterator[None]:
            receiver.refuse()
            yield
            receiver.listen()

        kinds = {"hangs": HANG, "drips": DRIP, "cuts": CUT, "nonsense": NONSENSE, "503": UNAVAILABLE}
        kinds |= {"429": too_many(5), "500": Behaviour(status=500), "404": Behaviour(status=404)}
        return [Outage("refuses", refusing), *(Outage(name, behaving(kind)) for name, kind in kinds.items())]


class TestWebhookOverTls(ConsumerConformance):
    consumer_class = WebhookConsumer
    outage_seconds = 0.3

    @pytest.fixture
    def authority(self, tmp_path: Path) -> Authority:
        made = Authority(tmp_path / "authority")
        made.create()
        return made

    @pytest.fixture
    def server(self, authority: Authority) -> Iterator[ScriptedServer]:
        with ScriptedServer(answering(OK), authority.issue("hook")) as running:
            yield running

    @pytest.fixture
    def table(self, server: ScriptedServer) -> Mapping[str, Any]:
        # Beside the configuration, as an admin writes it.
        return {"type": "webhook", "url": server.url(), "ca_file": "authority/ca.pem"}

    @pytest.fixture
    def outages(self, server: ScriptedServer) -> Sequence[Outage]:
        @contextmanager
        def hanging() -> Iterator[None]:
            server.drop()
            server.script = lambda connection: connection.recv(1_000_000) and connection.recv(1)
            yield
            server.script = answering(OK)
            server.drop()

        return [Outage("hangs", hanging)]
