"""The server as a service on Windows: what callers get, webhooks, the event log, and its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.receiver import LocalReceiver
from tests.windows.conftest import PASSWORD, SLOW_PASSWORD, Place, hashed
from tests.windows.machine import Service


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalReceiver]:
    with LocalReceiver(tmp_path_factory.mktemp("receiver")) as running:
        yield running


@pytest.fixture(scope="module")
def running(place: Place, receiver: LocalReceiver) -> Iterator[Service]:
    place.change("10-server.toml", "[log]\n", "[log]\nevent_log = true\n")
    place.change("30-frontends.toml", "[frontends.archive]", "[frontends.aux]")
    place.change("20-backends.toml", "[backends.people.map]", "[backends.people.sync]\n[backends.people.map]")
    (place.ours / "50-forwarding.toml").write_text(
        "[forwarding]\nallow_networks = ['127.0.0.1']\n"
        f"[subscriptions.wiki]\ntype = 'webhook'\nurl = '{receiver.url('/hook')}'\n",
        encoding="utf-8",
    )
    with place.serve() as service:
        place.wait_until_answered(service)
        yield service


def test_list_has_everybody_with_every_letter(place: Place, running: Service) -> None:
    people = place.listed()
    assert set(people) == {"ada", "łukasz"}
    assert people["łukasz"]["fullName"] == "Łukasz Ωmega 张"
    assert people["łukasz"]["emailAddresses"] == ["lukasz@example.org", "l@example.org"]


def test_mount_may_be_called_like_a_device(place: Place, running: Service) -> None:
    assert place.listed()
    assert (place.ours / "data" / "spool" / "aux~" / "outcome.json").is_file()


def test_compressed_list_is_sent(place: Place, running: Service) -> None:
    answer = place.ask(cmd="list")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.json()) == 2


def test_passwords_are_checked(place: Place, running: Service) -> None:
    assert place.logs_in("ada", PASSWORD)
    assert not place.logs_in("ada", "wrong")


def test_change_made_with_an_editor_of_windows_reaches_a_webhook(
    place: Place, running: Service, receiver: LocalReceiver
) -> None:
    running.wait_until_said("this process does watching and delivering")
    before = (place.ours / "people.csv").read_bytes().decode("utf-8-sig").splitlines()[1:]
    # Nothing may be told before everybody was seen once.
    place.machine.server("sync", "run", place.folder)
    place.write_people(*before, f"grace,Grace Höpper,grace@example.org,{hashed('x')}")
    (one,) = receiver.wait_for("/hook", 1, 60)
    assert "Grace Höpper" in one.body.decode("utf-8")


def test_errors_go_to_the_event_log(place: Place, running: Service) -> None:
    """Wine writes what comes there to standard error."""
    file = place.ours / "people.csv"
    kept = file.read_bytes()
    file.unlink()
    try:
        running.wait_until_said(r"err:eventlog:ReportEventW .*integration_server\.|warn:eventlog.*integration_server\.")
    finally:
        file.write_bytes(kept)


def test_service_that_is_stopped_finishes_what_it_is_doing(place: Place, running: Service) -> None:
    """Last of all, since the server has ended then."""
    answers: list[bool] = []

    def log_in() -> None:
        answers.append(place.logs_in("łukasz", SLOW_PASSWORD))

    thread = threading.Thread(target=log_in)
    thread.start()
    thread.join(0.4)
    is_under_way = not answers
    running.ask_to_stop()
    thread.join(60)
    assert (is_under_way, answers) == (True, [True])
    assert running.code() == 0
    assert not Path(place.ours / "data" / "store.db-wal").exists()
