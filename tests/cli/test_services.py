"""A frontend with a listener of its own: run by one of the processes that serve, and by another when that is killed."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Place, Serving
from tests.waiting import wait_for

#: Answers whoever connects with its process id, and writes down when it begins and ends.
PLUGIN = """
import os, threading
from pathlib import Path

import flask

from integration_server import Frontend, FrontendSettings, Service, hookimpl


class ClockSettings(FrontendSettings):
    port: int
    diary: str


class ClockFrontend(Frontend, Service):
    type = "clock"
    Settings = ClockSettings

    def __init__(self, settings, gateway):
        self._settings = settings
        self._gateway = gateway
        self._listener = None

    def blueprint(self):
        return flask.Blueprint("clock", __name__)

    def start(self):
        self._listener = self._gateway.listen("127.0.0.1", self._settings.port, 10)
        threading.Thread(target=self._run, args=(self._listener,), daemon=True).start()
        self._note("begun")

    def stop(self, timeout):
        if self._listener is not None:
            self._listener.close()
            self._note("ended")

    def _note(self, word):
        with open(self._settings.diary, "a") as file:
            file.write(f"{word} {os.getpid()}\\n")

    def _run(self, listener):
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            caller.sendall(str(os.getpid()).encode())
            caller.close()


@hookimpl
def register_frontends():
    return [ClockFrontend]
"""

Serve = Callable[..., Serving]


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def clock(place: Place, port: int) -> Place:
    (place.path / "hooks").mkdir()
    (place.path / "hooks" / "clock.py").write_text(PLUGIN, encoding="utf-8")
    place.write("10-server.toml", '[server]\nport = 0\ndata_dir = "../data"\n[plugins]\nfolder = "../hooks"\n')
    place.write("20-hq.toml", '[backends.hq]\ntype = "csv"\npath = "x.csv"\n')
    place.write(
        "30-archive.toml",
        f'[frontends.clock]\ntype = "clock"\npath = "/clock"\nbackends = ["hq"]\nport = {port}\n'
        f'diary = "{place.path / "diary"}"\n',
    )
    return place


def diary(place: Place) -> list[str]:
    path: Path = place.path / "diary"
    return path.read_text().splitlines() if path.exists() else []


def answering(port: int) -> int:
    """The process that listens."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        return int(connection.recv(100))


def test_one_process_listens_and_another_goes_on_when_that_is_killed(clock: Place, port: int, serve: Serve) -> None:
    serving = serve(clock.config, "--processes", 2, "--no-workers")
    serving.wait_until(
        lambda: [line for line in serving.log if "another process does the service of clock" in line], "the other"
    )
    (first,) = wait_for(lambda: diary(clock), "the service")
    assert first == f"begun {answering(port)}"
    os.kill(answering(port), signal.SIGKILL)
    second = wait_for(lambda: diary(clock)[1:], "the other to go on")
    assert second == [f"begun {answering(port)}"]
    assert second != [first]
    assert serving.stop() == 0
    assert diary(clock)[2:][0] == second[0].replace("begun", "ended")


def test_port_that_is_taken_is_told_and_tried_again(clock: Place, port: int, serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", port)):
        serving = serve(clock.config)
        (line,) = serving.wait_until(
            lambda: [line for line in serving.log if "could not begin" in line], "what is wrong"
        )
        assert f"cannot listen on 127.0.0.1:{port}: another program uses this port" in line
        assert "tried again in 5 s" in line
        assert not [line for line in serving.log if "Traceback" in line]
    wait_for(lambda: diary(clock), "it to listen after all")
    assert answering(port) == serving.process.pid
    assert serving.stop() == 0
    assert [line.split()[0] for line in diary(clock)] == ["begun", "ended"]
