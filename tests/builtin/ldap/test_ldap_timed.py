"""Waits end with their deadlines, whoever keeps the time: the system, or Python for TLS and on other systems."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from integration_server import BackendTimeout, Deadline
from integration_server.builtin.ldap import timed
from integration_server.builtin.ldap.timed import TimedSocket
from integration_server.sdk.testing.harness import in_background, settle


@pytest.fixture(params=["kept by the system where it can", "kept by Python"])
def pair(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[TimedSocket, socket.socket]]:
    if request.param == "kept by Python":
        monkeypatch.setattr(timed, "_IS_LINUX", False)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield TimedSocket(ours), theirs


def test_a_wait_ends_with_its_deadline(pair: tuple[TimedSocket, socket.socket]) -> None:
    ours, _ = pair
    for seconds in (0.15, 0.05, 0.0005):
        deadline = Deadline(seconds)
        with pytest.raises(TimeoutError):
            ours.receive(10, deadline)
        assert deadline.is_over()
    with pytest.raises(BackendTimeout):
        ours.receive(10, deadline)


def test_a_short_deadline_holds_after_a_long_one(pair: tuple[TimedSocket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(b"x")
    assert ours.receive(10, Deadline(3600)) == b"x"
    waiting = in_background(lambda: ours.receive(10, Deadline(0.2)))
    with pytest.raises(TimeoutError):
        settle(waiting, 20, "receive()")


def test_a_wait_goes_on_until_its_deadline(pair: tuple[TimedSocket, socket.socket]) -> None:
    """The limit that is set is half of what is left, and it was set for a shorter deadline at that."""
    ours, theirs = pair
    theirs.sendall(b"x")
    assert ours.receive(10, Deadline(0.4)) == b"x"
    threading.Timer(0.7, lambda: theirs.sendall(b"late")).start()
    assert ours.receive(10, Deadline(20)) == b"late"
    threading.Timer(0.7, lambda: theirs.sendall(b"later")).start()
    assert ours.receive(10, Deadline(1.2)) == b"later"


def test_all_is_sent_however_slowly_it_is_read(pair: tuple[TimedSocket, socket.socket]) -> None:
    ours, theirs = pair
    data = bytes(range(256)) * 8192
    sending = in_background(lambda: ours.send(data, Deadline(20)))
    time.sleep(0.1)
    found = bytearray()
    while len(found) < len(data):
        found += theirs.recv(1 << 16)
    settle(sending, 20, "send()")
    assert found == data


def test_sending_to_who_does_not_read_ends_with_its_deadline(pair: tuple[TimedSocket, socket.socket]) -> None:
    ours, _ = pair
    deadline = Deadline(0.3)
    with pytest.raises(TimeoutError):
        ours.send(bytes(64 << 20), deadline)
    assert deadline.is_over()


def test_the_end_and_what_was_not_asked_for_are_no_quiet(pair: tuple[TimedSocket, socket.socket]) -> None:
    ours, theirs = pair
    assert ours.is_quiet()
    theirs.sendall(b"x")
    assert ours.receive(10, Deadline(20)) == b"x"
    assert ours.is_quiet()
    theirs.sendall(b"yz")
    assert not ours.is_quiet()
    assert ours.receive(10, Deadline(20)) == b"z"
    assert ours.is_quiet()
    theirs.close()
    assert not ours.is_quiet()
    assert ours.receive(10, Deadline(20)) == b""
