"""SIGHUP: a good configuration takes the place of the old one without a refused caller, a bad one changes nothing."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cli.conftest import FRONTEND, Place, Run, Serving
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")

Serve = Callable[..., Serving]
SECOND = FRONTEND.replace("archive", "second").replace('"/mailstore"', '"/second"')


def status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    found = connection.getresponse().status
    connection.close()
    return found


def port_of(serving: Serving) -> int:
    port = urlsplit(serving.url).port
    assert port is not None
    return port


@contextmanager
def asked_all_the_time(port: int) -> Iterator[list[int | str]]:
    """What callers get meanwhile who never pause."""
    stop, found = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            try:
                found.append(status(port, "/healthz"))
            except OSError as exc:
                found.append(repr(exc))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        stop.set()
        for thread in threads:
            thread.join(40)


@pytest.mark.parametrize("processes", [1, 2])
def test_new_configuration_takes_over_and_nobody_is_turned_away(place: Place, serve: Serve, processes: int) -> None:
    serving = serve("--processes", processes, place.config)
    port = port_of(serving)
    wait_for(lambda: status(port, "/healthz") == 200)
    assert status(port, "/second") == 404
    place.write("40-second.toml", SECOND)
    with asked_all_the_time(port) as answers:
        serving.process.send_signal(signal.SIGHUP)
        wait_for(lambda: status(port, "/second") != 404, 60)
    assert answers
    assert set(answers) == {200}
    assert serving.process.poll() is None, "it is another process"
    assert serving.stop() == 0


def test_bad_configuration_is_refused_and_the_old_one_stays(place: Place, serve: Serve) -> None:
    serving = serve(place.config)
    port = port_of(serving)
    place.write("40-second.toml", SECOND.replace("path =", "pathh ="))
    serving.process.send_signal(signal.SIGHUP)
    told = serving.wait_until(lambda: [line for line in serving.log if "is refused" in line], "the refusal")
    assert "the old one stays" in told[0]
    assert "40-second.toml" in told[0]
    assert "pathh" in told[0]
    assert status(port, "/healthz") == 200
    place.write("40-second.toml", SECOND)
    serving.process.send_signal(signal.SIGHUP)
    wait_for(lambda: status(port, "/second") != 404, 60)
    assert serving.stop() == 0


def test_other_port_is_taken_and_the_old_one_given_up(place: Place, serve: Serve) -> None:
    serving = serve(place.config)
    old = port_of(serving)
    with socket.create_server(("127.0.0.1", 0)) as free:
        new = free.getsockname()[1]
    server = place.config / "10-server.toml"
    server.write_text(server.read_text(encoding="utf-8").replace("port = 0", f"port = {new}"), encoding="utf-8")
    serving.process.send_signal(signal.SIGHUP)

    def answers() -> bool:
        try:
            return status(new, "/healthz") == 200
        except OSError:
            return False

    wait_for(answers, 60)
    with pytest.raises(ConnectionRefusedError):
        status(old, "/healthz")
    assert serving.stop() == 0


def test_offline_check_asks_nobody_and_finds_what_a_start_finds(place: Place, run: Run) -> None:
    (place.path / "people.json").unlink()
    result = run("check", "--offline", place.config)
    assert (result.exit_code, result.stdout) == (0, "the configuration can be used\n")
    place.write("40-second.toml", SECOND.replace('"/second"', '"/mailstore"'))
    result = run("check", "--offline", place.config)
    assert result.exit_code == 3
    assert "share the path" in result.stderr
    assert run("check", "--offline", "--list", place.config).exit_code == 2


def test_systemd_is_told_that_the_server_is_ready_lives_and_stops(place: Place, serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(30)
        serving = serve(place.config, NOTIFY_SOCKET=str(path), WATCHDOG_USEC="600000")
        told = [listener.recv(100).decode()]
        assert status(port_of(serving), "/healthz") == 200
        told += [listener.recv(100).decode() for _ in range(3)]
        began = time.monotonic()
        assert serving.stop() == 0
        assert time.monotonic() - began < 20
        while told[-1] != "STOPPING=1":
            told.append(listener.recv(100).decode())
    assert told[0] == "READY=1"
    assert set(told[1:-1]) == {"WATCHDOG=1"}


def test_nobody_is_told_where_nobody_asks(place: Place, serve: Serve, tmp_path: Path) -> None:
    serving = serve(
        place.config, NOTIFY_SOCKET=str(tmp_path / "gone"), WATCHDOG_USEC="1000", WATCHDOG_PID=str(os.getpid())
    )
    assert status(port_of(serving), "/healthz") == 200
    assert serving.stop() == 0
