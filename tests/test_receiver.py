"""The receiver of the suite does what its behaviours say, and keeps every request."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from standardwebhooks import Webhook

from tests import receiver as kinds
from tests.receiver import Behaviour, LocalReceiver, Receiver

SECRET = "whsec_" + "QUJD" * 8


@pytest.fixture(scope="module", params=[Receiver, LocalReceiver])
def receiver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with request.param(tmp_path_factory.mktemp("receiver"), doors=2) as running:
        yield running


def _event(person: str, serial: int = 1) -> dict[str, object]:
    return {"specversion": "1.0", "type": "user.updated", "data": {"serial": serial, "person_id": person}}


def _post(port: int, path: str, document: object, timeout: float = 5.0) -> tuple[int, bytes, dict[str, str]]:
    body = orjson.dumps(document)
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("evt_1", now, body.decode()),
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def test_every_request_is_kept_with_its_order_and_signature(receiver: Receiver) -> None:
    for serial in range(1, 4):
        assert _post(receiver.ports[0], "/kept?key=x", _event("a", serial))[0] == 200
    batch = {"type": "batch", "data": {"events": [_event("a", 4), _event("b", 5)]}}
    assert _post(receiver.ports[1], "/kept", batch)[0] == 200
    found = receiver.wait_for("/kept", 5)
    assert [one.serials for one in found] == [[1], [2], [3], [4, 5]]
    assert found[3].persons == ["a", "b"]
    assert [one.number for one in found] == sorted(one.number for one in found)
    assert all(one.is_taken and one.is_signed_with(SECRET) and one.id == "evt_1" for one in found)
    assert not found[0].is_signed_with("whsec_" + "QUJE" * 8)
    found[0].verify(SECRET)
    assert found[0].path == "/kept?key=x"
    assert (receiver.count("/kept").requests, receiver.count("/kept").events) == (4, 5)


def test_statuses_may_be_restricted_to_persons_turns_and_a_while(receiver: Receiver) -> None:
    port = receiver.ports[0]
    receiver.behave("/some", Behaviour(status=500, persons=("bad",)))
    assert [_post(port, "/some", _event(person))[0] for person in ("good", "bad", "good")] == [200, 500, 200]
    receiver.behave("/some", Behaviour(status=503, every=3))
    assert [_post(port, "/some", _event("x"))[0] for _ in range(6)] == [200, 200, 503, 200, 200, 503]
    receiver.behave("/some", Behaviour(status=503, seconds=0.2))
    assert _post(port, "/some", _event("x"))[0] == 503
    time.sleep(0.25)
    assert _post(port, "/some", _event("x"))[0] == 200
    time.sleep(0.1)
    assert [one.is_taken for one in receiver.requests("/some")].count(False) == 4


def test_answers_carry_what_was_asked_for(receiver: Receiver) -> None:
    port = receiver.ports[0]
    receiver.behave("/answers", kinds.too_many(7))
    status, _, headers = _post(port, "/answers", _event("x"))
    assert (status, headers["Retry-After"]) == (429, "7")
    receiver.behave("/answers", kinds.redirect("http://169.254.169.254/"))
    status, _, headers = _post(port, "/answers", _event("x"))
    assert (status, headers["Location"]) == (302, "http://169.254.169.254/")
    receiver.behave("/answers", kinds.GONE)
    assert _post(port, "/answers", _event("x"))[0] == 410
    receiver.behave("/answers", kinds.BIG)
    assert len(_post(port, "/answers", _event("x"))[1]) == 10_000_000
    receiver.behave("/answers", kinds.GARBAGE)
    assert _post(port, "/answers", _event("x"))[1].startswith(b"\x00\xff")
    receiver.behave("/answers", kinds.OK)
    assert _post(port, "/answers", _event("x"))[:2] == (200, b"taken")


def test_answers_may_never_be_whole(receiver: Receiver) -> None:
    port = receiver.ports[0]
    receiver.behave("/broken", kinds.HANG)
    with pytest.raises(TimeoutError):
        _post(port, "/broken", _event("x"), timeout=0.3)
    receiver.behave("/broken", kinds.DRIP)
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(b"POST /broken HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}")
        assert (sock.recv(100), sock.recv(100)) == (b"H", b"T")
    receiver.behave("/broken", kinds.CUT)
    with pytest.raises(http.client.IncompleteRead):
        _post(port, "/broken", _event("x"))
    receiver.behave("/broken", kinds.NONSENSE)
    with pytest.raises(http.client.BadStatusLine):
        _post(port, "/broken", _event("x"))
    time.sleep(0.1)
    assert [one.is_taken for one in receiver.requests("/broken")] == [False] * 4


def test_a_door_is_shut_and_opened_again_on_the_same_port(receiver: Receiver) -> None:
    receiver.refuse(1)
    with pytest.raises(ConnectionRefusedError):
        _post(receiver.ports[1], "/door", _event("x"))
    assert _post(receiver.ports[0], "/door", _event("x"))[0] == 200
    receiver.listen(1)
    assert _post(receiver.ports[1], "/door", _event("x"))[0] == 200


def test_requests_outlive_the_receiver(tmp_path: Path) -> None:
    with Receiver(tmp_path) as receiver:
        _post(receiver.ports[0], "/a", _event("x", 9))
    assert [one.serials for one in kinds.read_requests(receiver.file)[0]] == [[9]]
