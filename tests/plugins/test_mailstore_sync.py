"""The consumer that has MailStore synchronize, at a real HTTP server that speaks MailStore's API."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from pydantic import ValidationError

from integration_server import (
    Consumer,
    ConsumerContext,
    ConsumerUnavailable,
    Deadline,
    Delivery,
    DeliveryFailed,
    HttpClient,
    Receipt,
    Watchdog,
)
from integration_server.plugins import load_plugins
from integration_server.sdk.testing import ConsumerConformance, Outage, sample_events
from tests.plugins.drop_ins import FOLDER, load_drop_in
from tests.scripted_server import ScriptedServer
from tests.servers.certificates import Authority

plugin = load_drop_in("mailstore_sync")
PASSWORD = "p@ss:wörd geheim"
EVENTS = sample_events(5)


def answer(status: str, token: str | None = None, version: int = 1, message: str | None = None) -> dict[str, Any]:
    """In the form of MailStore Server Help, "Administration API - Using the API"."""
    return {
        "error": None if message is None else {"message": message, "details": "at System.Web\n at MailStore"},
        "token": token,
        "statusVersion": version,
        "statusCode": status,
        "percentProgress": None,
        "statusText": None,
        "result": None,
        "logOutput": None,
    }


class MailStore:
    """The API of a MailStore Server. ``polls`` questions are answered with "running" before a call has ended."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.polls = 0
        self.end = answer("succeeded", version=99)
        #: How the first ones end, where not all end the same.
        self.first_ends: list[dict[str, Any]] = []
        self.status = 200
        self.raw: bytes | None = None
        self.delay = 0.0
        self.started = 0
        self._left: dict[str, int] = {}
        self._lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        mailstore = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length")
                if length is None:
                    self.send_error(411)
                    return
                body = self.rfile.read(int(length)).decode()
                found = mailstore.take(self.path, dict(parse_qsl(body, keep_blank_values=True)), dict(self.headers))
                # A byte order mark stands before the JSON.
                content = b"\xef\xbb\xbf" + json.dumps(found).encode() if mailstore.raw is None else mailstore.raw
                self.send_response(mailstore.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def take(self, path: str, fields: dict[str, str], headers: dict[str, str]) -> dict[str, Any]:
        with self._lock:
            self.calls.append((path, fields, headers))
        if path == "/api/get-status":
            time.sleep(min(self.delay, int(fields["millisecondsTimeout"]) / 1000))
            with self._lock:
                token = fields["token"]
                self._left[token] -= 1
                if self._left[token] >= 0:
                    return answer("running", token, int(fields["lastKnownStatusVersion"]) + 1)
                return self.first_ends.pop(0) if self.first_ends else self.end
        with self._lock:
            self.started += 1
            if not self.polls:
                return self.end
            token = f"token{self.started}"
            self._left[token] = self.polls
        return answer("running", token, 2)

    def paths(self) -> list[str]:
        return [path for path, _, _ in self.calls]


@pytest.fixture
def mailstore() -> Iterator[MailStore]:
    running = MailStore()
    yield running
    running.close()


Make = Callable[..., Consumer]


@pytest.fixture
def make(mailstore: MailStore, tmp_path: Path) -> Iterator[Make]:
    watchdog = Watchdog()
    http = HttpClient([], watchdog)
    context = ConsumerContext("sub_config_archive", http, watchdog, tmp_path, time.time)

    def made(**table: Any) -> Consumer:
        table = {
            "type": "mailstore_sync",
            "url": mailstore.url,
            "password": PASSWORD,
            "allow_networks": ["127.0.0.1"],
            **table,
        }
        consumer: Consumer = plugin.MailStoreSyncConsumer(plugin.MailStoreSyncSettings.model_validate(table), context)
        return consumer

    yield made
    http.close()


def signal(number: int = 0) -> Delivery:
    return Delivery(EVENTS[number].id, "sub_config_archive", (EVENTS[number],), 1, False)


def test_change_makes_mailstore_synchronize(make: Make, mailstore: MailStore) -> None:
    assert make().deliver(signal(), Deadline(5)) == Receipt(200, None)
    [(path, fields, headers)] = mailstore.calls
    assert path == "/api/invoke/SyncUsersWithDirectoryServices"
    assert fields == {"dryRun": "false"}
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode() == f"admin:{PASSWORD}"
    assert "Transfer-Encoding" not in headers


def test_instance_of_the_service_provider_edition_is_named(make: Make, mailstore: MailStore) -> None:
    make(instance="customer 1&x=y", username="me").deliver(signal(), Deadline(5))
    [(_, fields, headers)] = mailstore.calls
    assert fields == {"instanceID": "customer 1&x=y", "dryRun": "false"}
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")).startswith(b"me:")


def test_long_synchronization_is_asked_about_until_it_ends(make: Make, mailstore: MailStore) -> None:
    mailstore.polls = 3
    make().deliver(signal(), Deadline(5))
    assert mailstore.paths() == ["/api/invoke/SyncUsersWithDirectoryServices", *["/api/get-status"] * 4]
    asked = [fields for path, fields, _ in mailstore.calls if path == "/api/get-status"]
    assert {fields["token"] for fields in asked} == {"token1"}
    assert [fields["lastKnownStatusVersion"] for fields in asked] == ["2", "3", "4", "5"]
    assert all(0 < int(fields["millisecondsTimeout"]) <= 5000 for fields in asked)


def test_synchronization_that_outlasts_the_deadline_is_not_started_twice(make: Make, mailstore: MailStore) -> None:
    mailstore.polls, mailstore.delay = 2, 0.6
    consumer = make()
    with pytest.raises(ConsumerUnavailable, match="still synchronizes") as caught:
        consumer.deliver(signal(), Deadline(1))
    assert caught.value.retry_after == 10
    mailstore.delay = 0.0
    consumer.deliver(signal(), Deadline(5))
    assert mailstore.started == 1


def test_later_change_is_synchronized_after_what_still_runs(make: Make, mailstore: MailStore) -> None:
    """It may have read the list before that change."""
    mailstore.polls, mailstore.delay = 2, 0.6
    consumer = make()
    with pytest.raises(ConsumerUnavailable):
        consumer.deliver(signal(0), Deadline(1))
    mailstore.delay = 0.0
    consumer.deliver(signal(1), Deadline(5))
    assert mailstore.started == 2
    second = mailstore.paths().index("/api/invoke/SyncUsersWithDirectoryServices", 1)
    assert [f["token"] for p, f, _ in mailstore.calls[second:] if p == "/api/get-status"] == ["token2"] * 3


def test_failure_of_an_earlier_synchronization_does_not_count_for_a_later_change(
    make: Make, mailstore: MailStore
) -> None:
    mailstore.polls, mailstore.delay = 2, 0.6
    mailstore.first_ends = [answer("failed", message="no")]
    consumer = make()
    with pytest.raises(ConsumerUnavailable):
        consumer.deliver(signal(0), Deadline(1))
    mailstore.delay = 0.0
    consumer.deliver(signal(1), Deadline(5))
    assert mailstore.started == 2


def test_failure_of_what_still_ran_counts_for_the_same_change(make: Make, mailstore: MailStore) -> None:
    mailstore.polls, mailstore.delay = 2, 0.6
    mailstore.first_ends = [answer("failed", message="no")]
    consumer = make()
    with pytest.raises(ConsumerUnavailable):
        consumer.deliver(signal(0), Deadline(1))
    mailstore.delay = 0.0
    with pytest.raises(DeliveryFailed, match="no"):
        consumer.deliver(signal(0), Deadline(5))
    consumer.deliver(signal(0), Deadline(5))
    assert mailstore.started == 2


@pytest.mark.parametrize("status", ["failed", "cancelled", "surprise"])
@pytest.mark.parametrize("polls", [0, 1])
def test_synchronization_that_did_not_succeed_is_a_failure_with_its_reason(
    make: Make, mailstore: MailStore, status: str, polls: int
) -> None:
    mailstore.polls, mailstore.end = polls, answer(status, message="The directory service returned HTTP status 503.")
    with pytest.raises(DeliveryFailed, match=rf"{status}.*The directory service returned HTTP status 503") as caught:
        make().deliver(signal(), Deadline(5))
    assert not isinstance(caught.value, ConsumerUnavailable)
    assert "System.Web" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (401, DeliveryFailed, "password is wrong"),
        (403, DeliveryFailed, "may not"),
        (404, DeliveryFailed, "that of its API"),
        (302, DeliveryFailed, "302"),
        (500, DeliveryFailed, "500"),
        (503, ConsumerUnavailable, "503"),
    ],
)
def test_status_is_told(make: Make, mailstore: MailStore, status: int, kind: type[Exception], told: str) -> None:
    mailstore.status = status
    with pytest.raises(DeliveryFailed, match=told) as caught:
        make().deliver(signal(), Deadline(5))
    assert type(caught.value) is kind


def test_mailstore_that_forgot_the_call_is_told_again(make: Make, mailstore: MailStore) -> None:
    mailstore.polls, mailstore.delay = 1, 0.6
    consumer = make()
    with pytest.raises(ConsumerUnavailable):
        consumer.deliver(signal(), Deadline(1))
    mailstore.status = 404
    with pytest.raises(DeliveryFailed):
        consumer.deliver(signal(), Deadline(5))
    mailstore.status, mailstore.polls = 200, 0
    consumer.deliver(signal(), Deadline(5))
    assert mailstore.started == 2


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"<html>", b"[]", b"{}", b"null", b'"succeeded"', b'{"statusCode": 1}', b'{"statusCode": "running"}'),
        *(b"\xff\xfe{", b"[" * 100_000, b'{"statusCode": "running", "token": ""}'),
    ],
    ids=range(11),
)
def test_answer_of_something_else_is_a_failure(make: Make, mailstore: MailStore, raw: bytes) -> None:
    mailstore.raw = raw
    with pytest.raises(DeliveryFailed, match="is not MailStore's"):
        make().deliver(signal(), Deadline(5))


def test_answer_that_lists_many_changes_is_read_whole(make: Make, mailstore: MailStore) -> None:
    mailstore.end = {**answer("succeeded"), "result": [{"changeType": "added", "userName": "x" * 100}] * 10_000}
    make().deliver(signal(), Deadline(10))


def test_own_certificate_is_trusted_by_its_file_or_not_at_all(make: Make, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.create()
    content = b"\xef\xbb\xbf" + json.dumps(answer("succeeded")).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode()

    def script(connection: Any) -> None:
        while connection.recv(65_536):
            connection.sendall(head + content)

    with ScriptedServer(script, authority.issue("mailstore", names=(), addresses=("127.0.0.1",))) as server:
        url = server.url("")
        with pytest.raises(ConsumerUnavailable, match="certificate"):
            make(url=url).deliver(signal(), Deadline(5))
        make(url=url, ca_file="ca.pem").deliver(signal(), Deadline(5))
        make(url=url, accept_all_certificates=True).deliver(signal(), Deadline(5))


@pytest.mark.parametrize(
    "table",
    [
        *({"url": "https://h/path"}, {"url": "https://h/?key=1"}, {"url": "h:8463"}, {"url": "http://mailstore:8463"}),
        *({"url": "https://u:geheim@h"}, {"password": ""}, {"instance": ""}, {"allow_networks": ["x"]}),
    ],
)
def test_mistakes_in_the_table_are_refused(table: dict[str, Any]) -> None:
    good = {"type": "mailstore_sync", "url": "https://mailstore.example.org:8463/", "password": "x"}
    assert plugin.MailStoreSyncSettings.model_validate(good).url == "https://mailstore.example.org:8463"
    with pytest.raises(ValidationError) as caught:
        plugin.MailStoreSyncSettings.model_validate({**good, **table})
    assert "geheim" not in str(caught.value)


def test_plain_http_takes_a_switch(make: Make) -> None:
    good = {"type": "mailstore_sync", "url": "http://mailstore:8463", "password": "x", "allow_plain_http": True}
    plugin.MailStoreSyncSettings.model_validate(good)


def test_server_loads_it_as_a_consumer_of_signals() -> None:
    found = load_plugins(FOLDER).consumers["mailstore_sync"]
    assert found.takes == "signal"
    assert not found.is_registrable


class TestMailStoreSync(ConsumerConformance):
    consumer_class = plugin.MailStoreSyncConsumer

    @pytest.fixture
    def table(self, mailstore: MailStore) -> Mapping[str, Any]:
        return {"type": "mailstore_sync", "url": mailstore.url, "password": PASSWORD}

    @pytest.fixture
    def table_secrets(self) -> Sequence[str]:
        return [PASSWORD, base64.b64encode(f"admin:{PASSWORD}".encode()).decode()]

    @pytest.fixture
    def taken(self, mailstore: MailStore) -> Callable[[], int]:
        return lambda: mailstore.started

    @pytest.fixture
    def outages(self, mailstore: MailStore) -> Sequence[Outage]:
        def changed(**values: Any) -> Callable[[], Any]:
            @contextmanager
            def during() -> Iterator[None]:
                before = {name: getattr(mailstore, name) for name in values}
                vars(mailstore).update(values)
                yield
                vars(mailstore).update(before)

            return during

        return [
            Outage("503", changed(status=503)),
            Outage("401", changed(status=401)),
            Outage("failed", changed(end=answer("failed", message="no"))),
            Outage("something else", changed(raw=b"<html>")),
        ]
