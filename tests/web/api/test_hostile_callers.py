"""What a caller who means ill tries on the API."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from integration_server import ConsumerContext, Watchdog
from integration_server.sdk.http import HttpClient
from integration_server.store.engine import writing
from integration_server.store.schema import attempts, deliveries
from integration_server.store.schema import subscriptions as table
from integration_server.web.api import ApiLimits
from tests.receiver import HANG, LocalReceiver
from tests.web.api.conftest import Api, Sender

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


def test_nobody_looks_up_names_of_our_network_with_the_api(api: Api, tmp_path: Path) -> None:
    """``localhost`` stands for a name that only our own name servers know."""
    client = HttpClient([], Watchdog())

    def context(subscription_id: str) -> ConsumerContext:
        return ConsumerContext(subscription_id, client, Watchdog(), tmp_path, time.time)

    strict = api.changed(context=context, engine=Sender(api.store, context))
    url = "http://localhost/hook"
    told = [
        strict.problem(422, "intent-not-confirmed", "POST", "/subscriptions", json={"url": url, "verify_intent": True})
    ]
    made = strict.subscribe(url=url)["id"]
    told.append(strict.post(f"/subscriptions/{made}/test").get_json())
    reason = "localhost (127.0.0.1) is a loopback address; add 127.0.0.1 or its network to [forwarding] allow_networks"
    with writing(api.store._engine) as connection:
        connection.execute(table.update().where(table.c.id == made).values(state_reason=reason))
        event = {"subscription_id": made, "serial": 1, "person_id": "ada", "error": reason}
        connection.execute(
            attempts.insert().values(**event, delivery_id="evt_1", event_count=1, at=0.0, seconds=0.0, is_ok=False)
        )
        row = {"lane": "hq/ada", "event_id": "evt_1", "event_type": "user.created", "backend": "hq", "state": "parked"}
        connection.execute(deliveries.insert().values(**event, **row, attempts=1, created_at=0.0, changed_at=0.0))
    for path in ("", "/attempts", "/deliveries"):
        told.append(strict.get(f"/subscriptions/{made}{path}"))
    client.close()
    for document in told:
        text = json.dumps(document)
        assert "localhost leads to an address" in text
        assert "[forwarding] allow_networks" in text
        assert "127.0.0.1" not in text
        assert "::1" not in text
        assert "loopback" not in text


def test_a_stranger_does_not_learn_where_the_database_is(own_api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with writing(own_api.store._engine) as connection:
        connection.execute(sa.text("ALTER TABLE tokens RENAME TO hidden"))
    document = own_api.problem(503, None, "GET", "/events", token="ist_" + "a" * 43)
    assert document["detail"] == "the server's own store cannot be used; its log says why"
    assert "no such table" in caplog.text


def test_who_lets_a_receiver_know_is_told_to_the_audit_without_its_keys(api: Api) -> None:
    url = "https://hooks.example/path-geheim?key=geheim"
    made = api.subscribe(url=url, headers={"X-Key": "geheim"}, uid="wiki")["id"]
    assert api.call("PATCH", f"/subscriptions/{made}", json={"url": "https://other.example/geheim"}).status_code == 200
    assert api.call("DELETE", f"/subscriptions/{made}").status_code == 204
    about = {"token": "token 0", "uid": "wiki", "resource": "all"}
    assert api.told == [
        ("subscription.created", made, {**about, "host": "https://hooks.example"}),
        ("subscription.changed", made, {**about, "host": "https://other.example"}),
        ("subscription.removed", made, {**about, "host": "https://other.example"}),
    ]
