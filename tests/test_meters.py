"""Hours are counted in memory until somebody takes them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from integration_server.meters import Meters, Tallied, Tally

HOUR = 3600.0


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        ("accepted", "accepted"),
        ("unavailable", "unavailable"),
        *((one, "refused") for one in ("rejected", "unknown_user", "disabled", "expired", "throttled")),
    ],
)
def test_logins_are_told_apart_by_what_matters(outcome: str, word: str) -> None:
    tally = Tally(lambda: 10 * HOUR + 5)
    tally.login("archive", outcome)
    assert tally.take() == {("archive", 10, word): Tallied(1, 10 * HOUR + 5)}


def test_lists_are_added_up_and_people_are_those_of_the_latest() -> None:
    now = [10 * HOUR]
    tally = Tally(lambda: now[0])
    tally.listed("archive", 40)
    now[0] += 60
    tally.listed("archive", 4)
    at = 10 * HOUR + 60
    assert tally.take() == {("archive", 10, "lists"): Tallied(2, at), ("archive", 10, "people"): Tallied(4, at)}
    assert tally.take() == {}


def test_what_could_not_be_kept_is_added_to() -> None:
    now = [10 * HOUR]
    tally = Tally(lambda: now[0])
    tally.login("archive", "accepted")
    tally.listed("archive", 40)
    taken = tally.take()
    now[0] += 60
    tally.login("archive", "accepted")
    tally.listed("archive", 4)
    tally.give_back(taken)
    found = tally.take()
    assert {key[2]: tallied.number for key, tallied in found.items()} == {"accepted": 2, "lists": 2, "people": 4}
    assert {tallied.latest_at for tallied in found.values()} == {now[0]}


def test_a_store_that_is_away_for_years_does_not_fill_the_memory() -> None:
    now = [0.0]
    tally = Tally(lambda: now[0])
    for _ in range(21_000):
        tally.login("archive", "accepted")
        now[0] += HOUR
    found = tally.take()
    assert len(found) == 20_000
    assert min(hour for _, hour, _ in found) == 1_000, "the oldest hours are forgotten"


def test_threads_lose_nothing() -> None:
    tally, total = Tally(lambda: 1.0), [0]

    def count() -> None:
        for _ in range(2_000):
            tally.login("archive", "accepted")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        total[0] += sum(tallied.number for tallied in tally.take().values())
    total[0] += sum(tallied.number for tallied in tally.take().values())
    assert total == [8_000]


def test_a_process_that_has_just_begun_its_file_spoils_no_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    begun = MmapedDict(str(tmp_path / "counter_1.db"))
    begun.write_value(mmap_key("logins", "logins_total", ["frontend"], ["archive"], "Logins"), 3.0, 0.0)
    begun.close()
    (tmp_path / "counter_2.db").touch()

    assert b'logins_total{frontend="archive"} 3.0' in Meters().text()
