"""Clients that do harm: memory stays bounded, no thread is stuck, and nobody else waits."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from integration_server.builtin.push.letters import Greeting, Hello
from integration_server.builtin.push.session import Ask, Received
from integration_server.builtin.push.simplepush import SimplePushSession
from integration_server.builtin.push.tables import TABLES, mounts
from tests.builtin.push.live_push import Client, LivePush, live_push
from tests.builtin.push.push_site import new_channel
from tests.builtin.push.raw_client import REQUEST, RawClient, frame
from tests.waiting import wait_for

#: Longer than anything takes that is not stuck, and far shorter than what would be noticed as stuck.
PATIENCE = 15.0


@contextlib.contextmanager
def nobody_waits(client: Client) -> Iterator[None]:
    """A well-behaved client has its answers meanwhile."""
    stop = threading.Event()
    slowest = [0.0]

    def run() -> None:
        while True:
            began = time.monotonic()
            assert client.ask({}) == {}
            slowest[0] = max(slowest[0], time.monotonic() - began)
            if stop.wait(0.15):
                return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
    assert 0 < slowest[0] < PATIENCE


@pytest.fixture
def good(live: LivePush) -> Iterator[Client]:
    with live.client() as client:
        client.hello()
        yield client


def connections(live: LivePush) -> int:
    board = live.frontend._board
    assert board is not None
    return len(board._connections)


def test_frame_of_a_megabyte_is_refused_by_its_head(live: LivePush, good: Client) -> None:
    with nobody_waits(good), RawClient(live.port) as client:
        client.say({"messageType": "hello"})
        client.read_until(b'"uaid"')
        client.socket.sendall(frame(b"x" * 100, length=1 << 20))
        client.seconds_until_closed()
        assert client.close_code == 1009
        assert client.is_reset_within(PATIENCE)


def test_whole_message_of_a_megabyte_is_refused_with_a_reason_that_can_be_read(live: LivePush, good: Client) -> None:
    with nobody_waits(good), live.client() as client:
        with contextlib.suppress(ConnectionError):
            client.say(b"x" * (1 << 20))
        assert client.closed()[0] == 1009


def test_fragments_count_together(live: LivePush) -> None:
    with RawClient(live.port) as client:
        client.socket.sendall(frame(b"x" * 60_000, is_final=False))
        client.socket.sendall(frame(b"x" * 60_000, opcode=0, is_final=False))
        client.seconds_until_closed()
        assert client.close_code == 1009


@pytest.mark.parametrize(
    "content",
    [frame(b"{}"), frame(b"", opcode=9), frame(b"", opcode=0, is_final=False), frame(b'{"messageType":"purge"}')],
    ids=["messages", "pings", "fragments", "work"],
)
def test_flood_ends_the_connection_and_delays_nobody(live: LivePush, good: Client, content: bytes) -> None:
    with nobody_waits(good), RawClient(live.port) as client:
        client.say({"messageType": "hello"})
        client.read_until(b'"uaid"')
        if content == frame(b"", opcode=0, is_final=False):
            client.socket.sendall(frame(b"", is_final=False))
        with contextlib.suppress(ConnectionError):
            client.socket.sendall(content * 100_000)
        client.seconds_until_closed()
        assert client.is_reset_within(PATIENCE)


def test_work_that_a_client_piles_up_stays_little_while_the_store_is_busy(live: LivePush, good: Client) -> None:
    board = live.frontend._board
    assert board is not None
    ack = frame(json.dumps({"ACK": [f"{number:060d}" for number in range(900)]}).encode())
    request = REQUEST[:-2] + b"Sec-WebSocket-Protocol: push-update\r\n\r\n"
    with nobody_waits(good), RawClient(live.port, request) as client:
        client.read_until(b"\r\n\r\n")
        flood = threading.Thread(target=client.socket.sendall, args=(ack * 500 + frame(b"{}"),))
        with live.installation.store.storage(TABLES).writing() as holder:
            holder.execute(sa.update(mounts).values(last_change=mounts.c.last_change))
            flood.start()
            flood.join(2)
            assert flood.is_alive(), "more is not read from it"
            assert 0 < max(connection._asked for connection in board._connections) <= 20
            assert len(board._clerk._waiting) <= 20
        flood.join(PATIENCE)
        client.read_until(b"{}")


def test_acknowledgements_of_what_was_never_sent_are_no_work() -> None:
    session, channel = SimplePushSession(str, 60.0), new_channel()
    session.received({"messageType": "hello"}, 0.0)
    session.answered(Hello(None), Greeting("0" * 32, False, {channel: 5}), 0.0)
    made_up = [{"channelID": new_channel(), "version": 1} for _ in range(600)]
    assert session.received({"messageType": "ack", "updates": made_up}, 0.0) == []
    real = {"channelID": channel, "version": 5}
    (work,) = session.received({"messageType": "ack", "updates": [*made_up, real]}, 0.0)
    assert work == Ask(Received("0" * 32, {channel: 5}))


def test_reader_of_nothing_is_given_up_and_loses_nothing(live: LivePush, good: Client) -> None:
    channel = new_channel()
    board = live.frontend._board
    assert board is not None
    assert board._loop is not None
    before = connections(live)
    with nobody_waits(good), RawClient(live.port, receive_buffer=4096) as client:
        client.say({"messageType": "hello"})
        client.read_until(b"}")
        uaid = json.loads(client.got[client.got.index(b"{") :])["uaid"]
        client.say({"messageType": "register", "channelID": channel})
        client.read_until(b'"pushEndpoint"')
        endpoint = client.got.decode("latin-1").rpartition('"pushEndpoint":"')[2].partition('"')[0]
        others = [new_channel() for _ in range(200)]
        for version in range(2000):
            if connections(live) <= before:
                break
            board._loop.call_soon_threadsafe(board._told, {uaid: dict.fromkeys(others, version)})
            if version % 20 == 0:
                time.sleep(0.02)
        wait_for(lambda: connections(live) <= before, "the connection to be given up")
        assert live.put(endpoint, 7) == 202
    with live.client() as again:
        again.hello(uaid)
        assert again.notified() == {channel: 7}


def test_client_that_ignores_a_close_frame_is_gone_seconds_later(live: LivePush) -> None:
    with RawClient(live.port) as client:
        client.say([])
        client.read_until(b"\x88")
        assert client.close_code == 1008
        assert client.is_reset_within(PATIENCE + 5)


def test_slow_and_endless_requests_are_cut_off(tmp_path: Path) -> None:
    with live_push(tmp_path, hello_seconds=1) as live:
        with RawClient(live.port, REQUEST[:20]) as client:
            assert client.seconds_until_closed() < PATIENCE
        with RawClient(live.port, REQUEST[:-2]) as client, contextlib.suppress(ConnectionError):
            for number in range(40):
                client.socket.sendall(b"X-%d: %s\r\n" % (number, b"y" * 1000))
                time.sleep(0.001)
            assert client.seconds_until_closed() < PATIENCE
        with RawClient(live.port) as client:
            client.socket.sendall(frame(b"{", is_final=False))
            assert client.seconds_until_closed() < PATIENCE
        wait_for(lambda: connections(live) == 0, "all to be gone")


def test_peer_that_is_gone_without_a_word_is_noticed(tmp_path: Path) -> None:
    with (
        live_push(tmp_path, silence_seconds=1, pong_seconds=1) as live,
        RawClient(live.port) as silent,
        live.client() as answering,
    ):
        answering.hello()
        silent.say({"messageType": "hello"})
        silent.read_until(b'"uaid"')
        wait_for(lambda: connections(live) == 1, "the silent one to be given up")
        time.sleep(2.5)
        assert answering.ask({}) == {}


def test_peer_that_is_gone_is_noticed_sooner_where_something_waits_for_it(tmp_path: Path) -> None:
    channel = new_channel()
    with live_push(tmp_path, resend_seconds=2, pong_seconds=1) as live, RawClient(live.port) as silent:
        silent.say({"messageType": "hello"})
        silent.say({"messageType": "register", "channelID": channel})
        silent.read_until(b'"pushEndpoint"')
        endpoint = silent.got.decode("latin-1").rpartition('"pushEndpoint":"')[2].partition('"')[0]
        assert live.put(endpoint, 1) == 200
        wait_for(lambda: connections(live) == 0, "it to be given up")
        assert live.put(endpoint, 2) == 202


def test_more_clients_than_may_come_are_turned_away(tmp_path: Path) -> None:
    with live_push(tmp_path, websocket_clients=2) as live:
        with live.client() as first, live.client() as second:
            first.hello()
            second.hello()
            with RawClient(live.port) as third:
                third.seconds_until_closed()
                assert third.got == b""
            assert first.ask({}) == {}
        wait_for(lambda: connections(live) == 0, "room")
        with live.client() as client:
            client.hello()


@pytest.mark.parametrize(
    "request_", [b"\x16\x03\x01\x02\0", b"GET / HTTP/1.0\r\n\r\n", b"\0" * 20_000, b"PUT / HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_request_for_a_websocket_is_sent_away(live: LivePush, request_: bytes) -> None:
    with RawClient(live.port, request_) as client:
        with contextlib.suppress(OSError):
            client.socket.shutdown(socket.SHUT_WR)
        assert client.seconds_until_closed() < PATIENCE
        assert not client.got or client.got.startswith(b"HTTP/1.1 4") or client.got.startswith(b"HTTP/1.1 5")


def test_nothing_that_clients_say_is_logged(live: LivePush, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    channel = new_channel()
    with live.client() as client:
        uaid = client.hello(connect={"token": "s3cret"})
        endpoint = client.register(channel)
        live.put(endpoint, 5)
        client.notified()
    server = [record.getMessage() for record in caplog.records if record.name.startswith("integration_server")]
    for secret in (uaid, endpoint.rpartition("/")[2], "s3cret"):
        assert not [line for line in server if secret in line]
