"""The checks of the crash tests find what they are there to find."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from standardwebhooks import Webhook

from integration_server.forwarding.delivery import ledger
from tests.crash.memory import Noted
from tests.crash.promises import BATCH_WINDOW, WINDOW, Told, check
from tests.receiver import Received

SECRET = "whsec_" + "c2VjcmV0IG9mIHRoZSBjcmFzaCB0ZXN0cyAhISEh"
#: Two lives.
BIRTHS = (100.0, 200.0)
#: Two people, whose events alternate.
JOURNAL = [Noted(n, f"evt_{n}", "user.updated", "hq", "anna" if n % 2 else "bert") for n in range(1, 7)]


def _event(noted: Noted, name: str = "") -> dict[str, Any]:
    person = {"id": noted.person_id, "username": noted.person_id, "full_name": name or f"Version {noted.serial}"}
    data = {"serial": noted.serial, "backend": noted.backend, "person_id": noted.person_id, "object": person}
    return {"specversion": "1.0", "id": noted.id, "type": noted.type, "data": data}


def _sent(
    *serials: int,
    at: float = 101.0,
    status: int = 200,
    batch: str = "",
    name: str = "",
    secret: str = SECRET,
    journal: Sequence[Noted] = JOURNAL,
) -> Received:
    events = [_event(journal[serial - 1], name) for serial in serials]
    document = {"type": "batch", "data": {"events": events}} if batch else events[0]
    body = orjson.dumps(document)
    id = batch or events[0]["id"]
    when = datetime.fromtimestamp(int(at), UTC)
    head = (
        f"POST /x HTTP/1.1\r\ncontent-type: application/json\r\nwebhook-id: {id}\r\nwebhook-timestamp: {int(at)}\r\n"
        f"webhook-signature: {Webhook(secret).sign(id, when, body.decode())}"
    )
    return Received(0, at, status, head.encode(), body)


def _check(*requests: Received, is_coalescing: bool = False, journal: Sequence[Noted] = JOURNAL) -> Told:
    return check(requests, journal, BIRTHS, SECRET, is_coalescing=is_coalescing)


def test_everything_in_order_is_right() -> None:
    told = _check(*(_sent(n) for n in range(1, 7)))
    assert (told.events, told.repeats, told.failures) == (6, 0, 0)
    assert {lane[1]: one.full_name for lane, one in told.state.items() if one} == {
        "anna": "Version 5",
        "bert": "Version 6",
    }


def test_people_may_overtake_each_other() -> None:
    _check(*(_sent(n) for n in (2, 4, 1, 3, 6, 5)))


def test_a_refused_event_may_come_again_and_holds_its_lane() -> None:
    told = _check(_sent(1, status=500), _sent(2), _sent(4), _sent(1), _sent(3), _sent(5), _sent(6))
    assert told.failures == 1
    with pytest.raises(AssertionError, match="sent before"):
        _check(_sent(1, status=500), _sent(2), _sent(3))


def test_repeats_are_right_only_after_a_kill() -> None:
    told = _check(*(_sent(n) for n in (1, 2, 3, 4)), *(_sent(n, at=201.0) for n in (3, 4, 5, 6)))
    assert told.repeats == 2
    with pytest.raises(AssertionError, match="in this life"):
        _check(_sent(1), _sent(2), _sent(1))


def test_a_repeat_after_something_newer_is_wrong() -> None:
    with pytest.raises(AssertionError, match="comes after 5 in the same life"):
        _check(*(_sent(n) for n in (1, 2, 3, 4)), *(_sent(n, at=201.0) for n in (5, 3, 6)))


def test_more_repeats_than_the_window_holds_are_wrong() -> None:
    journal = [Noted(n, f"evt_{n}", "user.updated", "hq", f"person {n}") for n in range(1, WINDOW + 2)]
    everything = [_sent(n, journal=journal) for n in range(1, WINDOW + 2)]
    again = [_sent(n, at=201.0, journal=journal) for n in range(1, WINDOW + 2)]
    assert _check(*everything, *again[1:], journal=journal).repeats == WINDOW
    assert _check(*everything, *again[:-1], journal=journal).repeats == WINDOW
    with pytest.raises(AssertionError, match=f"of life 1, {WINDOW + 1} requests came again"):
        _check(*everything, *again, journal=journal)


def test_more_repeated_batches_than_the_window_holds_are_wrong() -> None:
    journal = [Noted(n, f"evt_{n}", "user.updated", "hq", f"person {n}") for n in range(1, 2 * BATCH_WINDOW + 3)]
    pairs = [(n, n + 1) for n in range(1, 2 * BATCH_WINDOW + 2, 2)]
    everything = [_sent(*pair, batch=f"bat_{pair[0]}", journal=journal) for pair in pairs]

    def again(*serials: int) -> Received:
        return _sent(*serials, batch=f"bat_{serials[0]}", at=201.0, journal=journal)

    told = _check(*everything, *(again(*pair) for pair in pairs[1:]), journal=journal)
    assert told.repeats == 2 * BATCH_WINDOW
    with pytest.raises(AssertionError, match=f"{BATCH_WINDOW + 1} requests came again"):
        _check(*everything, *(again(*pair) for pair in pairs), journal=journal)


def test_windows_are_those_of_the_engine_and_of_the_documentation() -> None:
    assert (WINDOW, BATCH_WINDOW) == (ledger.WINDOW, ledger.BATCH_WINDOW)
    text = " ".join((Path(__file__).parents[2] / "docs" / "forwarding.rst").read_text(encoding="utf-8").split())
    assert f"at most {WINDOW} events" in text
    assert f"at most {BATCH_WINDOW} batches" in text


def test_a_lost_event_is_wrong() -> None:
    with pytest.raises(AssertionError, match="never delivered"):
        _check(*(_sent(n) for n in range(1, 6)))
    with pytest.raises(AssertionError, match="never delivered"):
        _check(*(_sent(n) for n in range(1, 6)), _sent(6, status=500))


def test_an_event_that_changes_is_wrong() -> None:
    with pytest.raises(AssertionError, match="evt_2 changed"):
        _check(_sent(1), _sent(2, status=500), _sent(2, name="Somebody else"))


def test_a_batch_stays_what_it_was() -> None:
    first = _sent(1, 2, 3, batch="bat_1")
    _check(first, _sent(1, 2, 3, batch="bat_1", at=201.0), _sent(4, 5, 6, batch="bat_2", at=202.0))
    with pytest.raises(AssertionError, match="bat_1 changed"):
        _check(first, _sent(1, 2, 3, 4, batch="bat_1", at=201.0))
    with pytest.raises(AssertionError, match="request 0"):
        _check(_sent(2, 1, batch="bat_1"))


def test_coalescing_leaves_out_only_updates_before_updates() -> None:
    _check(_sent(5), _sent(2), _sent(6), is_coalescing=True)
    journal = [
        Noted(one.serial, one.id, "user.created" if one.serial == 3 else one.type, "hq", one.person_id)
        for one in JOURNAL
    ]
    with pytest.raises(AssertionError, match="sent before"):
        _check(_sent(5, journal=journal), is_coalescing=True, journal=journal)
    with pytest.raises(AssertionError, match="after 5"):
        _check(_sent(5), _sent(3), is_coalescing=True)
    with pytest.raises(AssertionError, match="never delivered"):
        _check(_sent(3), _sent(6), is_coalescing=True)


def test_a_wrong_signature_is_wrong() -> None:
    with pytest.raises(AssertionError, match="webhook-signature"):
        _check(_sent(1, secret="whsec_" + "QUJD" * 8))
