"""What a caller who means ill tries on the API."""

from __future__ import annotations

import json
import threading
import time

from werkzeug.test import TestResponse

from integration_server.web.api import ApiLimits
from tests.receiver import HANG, LocalReceiver
from tests.web.api.conftest import Api

LINES = {"Accept": "application/x-ndjson"}


def test_receivers_that_are_asked_whether_they_want_events_occupy_few_threads(
    api: Api, receiver: LocalReceiver
) -> None:
    receiver.behave("/hang", HANG)
    few = api.changed(limits=ApiLimits(tests=2))
    body = {"url": receiver.url("/hang"), "verify_intent": True}
    threads = [threading.Thread(target=lambda: few.post("/subscriptions", body), daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    ends = time.monotonic() + 10
    while len(receiver.requests("/hang")) < 2:
        assert time.monotonic() < ends
        time.sleep(0.05)
    assert few.problem(503, None, "POST", "/subscriptions", json=body)["detail"].startswith("too many receivers")
    made = few.subscribe(url=receiver.url("/hook"))
    few.problem(503, None, "POST", f"/subscriptions/{made['id']}/test")


def test_an_answer_is_not_much_larger_than_the_faults_it_is_about(api: Api) -> None:
    body = json.dumps({f"k{number}": 1 for number in range(15_000)})
    options = {"data": body, "headers": {"Content-Type": "application/json"}}
    document = api.problem(422, "bad-body", "POST", "/subscriptions", **options)
    assert len(document["errors"]) == 20
    assert document["detail"].endswith("and 14981 more")
    document = api.problem(400, "bad-parameter", "GET", "/events", query_string={f"k{n}": "1" for n in range(900)})
    assert len(json.dumps(document)) < 5_000


def test_snapshots_that_nobody_reads_do_not_fill_the_disk(api: Api) -> None:
    api.put("hq", "ada")
    few = api.changed(limits=ApiLimits(snapshots=2, snapshots_kept=3))
    unread: list[TestResponse] = [few.call("GET", "/snapshot", headers=LINES) for _ in range(3)]
    document = few.problem(503, None, "GET", "/snapshot", headers=LINES)
    assert "wait for their readers" in document["detail"]
    assert few.get("/snapshot")["people"]
    unread.pop().close()
    assert few.call("GET", "/snapshot", headers=LINES).status_code == 200


def test_whoever_asks_for_the_headers_of_a_snapshot_takes_no_place(api: Api) -> None:
    few = api.changed(limits=ApiLimits(snapshots=1, snapshots_kept=1))
    for _ in range(3):
        assert few.call("HEAD", "/snapshot", headers=LINES).status_code == 200
