"""The receivers of docs/webhooks.rst, run as they are shown, take what this server signs and nothing else."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from integration_server import ConsumerContext, Deadline, Delivery, DeliveryFailed, HttpClient, Receipt, Watchdog
from integration_server.builtin.webhook import WebhookConsumer, WebhookSettings
from integration_server.sdk.testing import sample_events
from tests.docs.pages import DOCS, blocks
from tests.receiver import LocalReceiver, Received
from tests.waiting import wait_for

SECRET = WebhookConsumer.new_secret()
OLD_SECRET = WebhookConsumer.new_secret()
OTHER_SECRET = WebhookConsumer.new_secret()
EVENTS = tuple(sample_events(3))

#: Language of the block -> its file, and how the page says to run it.
RUN: dict[str, tuple[str, Callable[[int], list[str]]]] = {
    "python": ("receiver.py", lambda port: [sys.executable, "receiver.py", str(port)]),
    "php": ("receiver.php", lambda port: ["php", "-S", f"127.0.0.1:{port}", "receiver.php"]),
    "javascript": ("receiver.js", lambda port: ["node", "receiver.js", str(port)]),
}


@dataclass(frozen=True)
class Running:
    """One of them, as a process."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/receiver"

    def taken(self) -> list[str]:
        """Ids of the events that it wrote down."""
        words = self.log.read_text(encoding="utf-8").split()
        return [word for word in words if word.startswith("evt_")]

    def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", "/receiver", body, dict(headers))
            return connection.getresponse().status
        finally:
            connection.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def _started(language: str, folder: Path, secret: str | None) -> Iterator[Running]:
    name, line = RUN[language]
    (source,) = blocks(DOCS / "webhooks.rst", language)
    folder.mkdir()
    (folder / name).write_text(source, encoding="utf-8")
    port, log = _free_port(), folder / "log"
    env = {key: value for key, value in os.environ.items() if key != "WEBHOOK_SECRET"}
    env |= {} if secret is None else {"WEBHOOK_SECRET": secret}
    with log.open("wb") as out:
        process = subprocess.Popen(line(port), cwd=folder, env=env, stdout=out, stderr=subprocess.STDOUT)
    running = Running(port, log, process)
    try:
        wait_for(lambda: process.poll() is not None or _listens(port), lambda: log.read_text(encoding="utf-8"))
        yield running
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module", params=RUN)
def language(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def running(language: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with _started(language, tmp_path_factory.mktemp("shown") / language, SECRET) as found:
        assert found.process.poll() is None, found.log.read_text(encoding="utf-8")
        yield found


def send(url: str, *secrets: str, is_batch: bool = False, seconds_off: float = 0.0) -> Receipt:
    """As the server does it, by its own webhook consumer, with a clock that is some seconds off."""
    watchdog = Watchdog()
    client = HttpClient(["127.0.0.0/8"], watchdog)
    context = ConsumerContext("sub_test", client, watchdog, Path(), lambda: time.time() + seconds_off)
    consumer = WebhookConsumer(WebhookSettings.model_validate({"type": "webhook", "url": url}), context)
    events = EVENTS if is_batch else EVENTS[:1]
    delivery = Delivery("bat_1" if is_batch else events[0].id, "sub_test", events, 1, is_batch, secrets or (SECRET,))
    try:
        return consumer.deliver(delivery, Deadline(30))
    finally:
        client.close()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Received:
    """A request of the server's, as it went over the wire."""
    with LocalReceiver(tmp_path_factory.mktemp("recorded") / "receiver") as receiver:
        send(receiver.url("/hook"))
        return wait_for(lambda: receiver.requests("/hook"))[0]


def _stamps(request: Received) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name.startswith("webhook-")}


def test_an_event_is_taken(running: Running) -> None:
    before = running.taken()
    assert send(running.url).status == 204
    assert wait_for(lambda: running.taken()[len(before) :]) == [EVENTS[0].id]


def test_each_event_of_a_batch_is_taken(running: Running) -> None:
    before = running.taken()
    assert send(running.url, is_batch=True).status == 204
    wait_for(lambda: len(running.taken()) == len(before) + 3)
    assert running.taken()[len(before) :] == [event.id for event in EVENTS]


def test_what_is_signed_with_two_secrets_is_taken_with_either(running: Running) -> None:
    """While a secret is replaced: the receiver may still have the old one, or have the new one already."""
    assert send(running.url, SECRET, OLD_SECRET).status == 204
    assert send(running.url, OTHER_SECRET, SECRET).status == 204


def _is_refused(running: Running, *secrets: str, seconds_off: float = 0.0) -> bool:
    before = running.taken()
    with pytest.raises(DeliveryFailed) as caught:
        send(running.url, *secrets, seconds_off=seconds_off)
    return caught.value.status == 401 and running.taken() == before


def test_what_is_signed_with_other_secrets_is_refused(running: Running) -> None:
    assert _is_refused(running, OTHER_SECRET)
    assert _is_refused(running, OTHER_SECRET, OLD_SECRET)


def test_what_was_signed_long_ago_or_is_from_the_future_is_refused(running: Running) -> None:
    assert _is_refused(running, SECRET, seconds_off=-330)
    assert _is_refused(running, SECRET, seconds_off=330)
    assert send(running.url, seconds_off=-240).status == 204
    assert send(running.url, seconds_off=240).status == 204


def test_a_changed_body_is_refused(running: Running, recorded: Received) -> None:
    stamps = _stamps(recorded)
    assert running.post(recorded.body, stamps) == 204
    for changed in (recorded.body + b" ", recorded.body[:-1], b"", recorded.body.replace(b"user.", b"uses.")):
        assert running.post(changed, stamps) == 401


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_changed_and_missing_headers_are_refused(running: Running, recorded: Received, name: str) -> None:
    stamps = _stamps(recorded)
    longer = stamps[name] + "1"
    for value in (None, "", " ", "1", longer, "9" * 5_000, "Infinity", "nan", "v1,", "v1", "v1, v1,", "\xff"):
        changed = {key: text for key, text in {**stamps, name: value}.items() if text is not None}
        assert running.post(recorded.body, changed) == 401, value


def test_other_versions_of_the_signature_are_passed_over(running: Running, recorded: Received) -> None:
    stamps = _stamps(recorded)
    right = stamps["webhook-signature"]
    assert running.post(recorded.body, {**stamps, "webhook-signature": f"v1a,abc {right} v2,abc"}) == 204
    for wrong in (right.replace("v1,", "v2,"), right.removeprefix("v1,"), right.replace(",", ", "), right[:-1]):
        assert running.post(recorded.body, {**stamps, "webhook-signature": wrong}) == 401, wrong


@pytest.mark.parametrize("secret", [None, "", "whsec_", "whsec_MDEyMzQ1"])
def test_without_a_secret_nothing_is_taken(
    language: str, secret: str | None, recorded: Received, tmp_path: Path
) -> None:
    """With an empty key, whoever can compute an HMAC could sign."""
    with _started(language, tmp_path / language, secret) as found:
        if language == "php":
            assert found.post(recorded.body, _stamps(recorded)) == 500
        else:
            assert found.process.wait(30) == 1
        assert "WEBHOOK_SECRET is not set" in found.log.read_text(encoding="utf-8")
        assert found.taken() == []
