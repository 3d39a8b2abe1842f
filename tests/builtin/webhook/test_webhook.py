"""Webhooks at a real receiver: what goes out, and what each answer means."""

from __future__ import annotations

import dataclasses
import time
from email.utils import formatdate
from typing import Any

import orjson
import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError
from svix.webhooks import Webhook as SvixWebhook

from integration_server import (
    ConsumerGone,
    ConsumerUnavailable,
    Deadline,
    Delivery,
    DeliveryError,
    DeliveryFailed,
    DeliveryRefused,
    Event,
    Receipt,
    batch_envelope,
    envelope,
    ping_event,
)
from integration_server.builtin.webhook import WebhookConsumer
from integration_server.sdk.testing import sample_events
from tests.builtin.webhook.conftest import Make
from tests.receiver import BIG, CUT, DRIP, GARBAGE, GONE, HANG, NONSENSE, Behaviour, LocalReceiver, redirect, too_many
from tests.scripted_server import ScriptedServer, read_request

SECRET = WebhookConsumer.new_secret()
OLD_SECRET = WebhookConsumer.new_secret()
EVENT = sample_events(1)[0]


def one(event: Event = EVENT, *secrets: str) -> Delivery:
    return Delivery(event.id, "sub_test", (event,), 1, False, secrets or (SECRET,))


def send(consumer: WebhookConsumer, delivery: Delivery | None = None, seconds: float = 10.0) -> Receipt:
    return consumer.deliver(delivery or one(), Deadline(seconds))


# -- what goes out --------------------------------------------------------------------------------------------------


def test_event_arrives_whole_and_signed(make: Make, receiver: LocalReceiver) -> None:
    for event in (*sample_events(12), ping_event(1_700_000_000.0)):
        assert send(make(), one(event)) == Receipt(200, "taken")
    time.sleep(0.1)
    requests = receiver.requests("/hook")
    assert len(requests) == 13
    for request, event in zip(requests, sample_events(12), strict=False):
        assert request.head.startswith(b"POST /hook HTTP/1.1\r\n")
        assert request.headers["content-type"] == "application/json"
        assert request.headers["webhook-id"] == event.id
        assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 20
        assert request.document == orjson.loads(orjson.dumps(envelope(event)))
        assert Webhook(SECRET).verify(request.body, request.headers) == request.document
        SvixWebhook(SECRET).verify(request.body, request.headers)


def test_batch_arrives_whole_and_signed(make: Make, receiver: LocalReceiver) -> None:
    events = tuple(sample_events(100))
    send(make(), Delivery("bat_1", "sub_test", events, 1, True, (SECRET,)))
    [request] = receiver.wait_for("/hook", 100)
    assert request.id == "bat_1"
    assert request.document == orjson.loads(orjson.dumps(batch_envelope("bat_1", events)))
    request.verify(SECRET)


def test_batch_of_one_is_a_batch(make: Make, receiver: LocalReceiver) -> None:
    send(make(), Delivery("bat_1", "sub_test", (EVENT,), 1, True, (SECRET,)))
    [request] = receiver.wait_for("/hook", 1)
    assert request.is_batch


def test_every_active_secret_signs_and_no_other_verifies(make: Make, receiver: LocalReceiver) -> None:
    send(make(), one(EVENT, SECRET, OLD_SECRET))
    [request] = receiver.wait_for("/hook", 1)
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    for secret in (SECRET, OLD_SECRET):
        Webhook(secret).verify(request.body, request.headers)
        SvixWebhook(secret).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(WebhookConsumer.new_secret()).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.body + b" ", request.headers)


def test_secret_of_the_configuration_signs_beside_the_stored_ones(make: Make, receiver: LocalReceiver) -> None:
    send(make(secret=OLD_SECRET), one(EVENT, SECRET))
    send(make(secret=SECRET), one(EVENT, SECRET))
    both, same = receiver.wait_for("/hook", 2)
    both.verify(SECRET)
    both.verify(OLD_SECRET)
    assert " " not in same.headers["webhook-signature"]


def test_nothing_is_sent_unsigned(make: Make, receiver: LocalReceiver) -> None:
    for secrets in ((), ("whsec_***",)):
        with pytest.raises(ConsumerUnavailable, match="secret") as caught:
            send(make(), dataclasses.replace(one(), secrets=secrets))
        assert "***" not in str(caught.value)
    assert receiver.connections == 0


def test_id_stays_and_time_and_signature_are_new_at_each_try(make: Make, receiver: LocalReceiver) -> None:
    now = [1_700_000_000.7]
    consumer = make()
    consumer._clock = lambda: now[0]
    send(consumer)
    now[0] += 300
    send(consumer)
    first, second = receiver.wait_for("/hook", 2)
    assert first.id == second.id
    assert first.body == second.body
    assert [r.headers["webhook-timestamp"] for r in (first, second)] == ["1700000000", "1700000300"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


def test_key_in_the_url_and_own_headers_are_sent_verbatim(make: Make, receiver: LocalReceiver) -> None:
    send(
        make(url=receiver.url("/hook?key=a%20b+c%2F&x"), headers={"Authorization": "Bearer t0ken", "user-agent": "me"})
    )
    [request] = receiver.wait_for("/hook", 1)
    assert request.path == "/hook?key=a%20b+c%2F&x"
    assert request.headers["authorization"] == "Bearer t0ken"
    assert request.head.lower().count(b"user-agent:") == 1
    assert request.headers["user-agent"] == "me"


def test_connection_is_kept(make: Make, receiver: LocalReceiver) -> None:
    consumer = make()
    for _ in range(20):
        send(consumer)
    assert receiver.connections == 1


def test_event_that_json_cannot_hold_is_given_up(make: Make, receiver: LocalReceiver) -> None:
    with pytest.raises(DeliveryRefused, match="JSON"):
        send(make(), one(dataclasses.replace(EVENT, after={"id": 2**70})))
    assert receiver.connections == 0


# -- what answers mean ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_a_success(make: Make, receiver: LocalReceiver, status: int) -> None:
    receiver.behave("/hook", Behaviour(status=status))
    assert send(make()).status == status


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, DeliveryFailed) for status in (103, 301, 302, 304, 307, 308, 400, 401, 403, 404, 405, 409, 413)),
        *((status, DeliveryFailed) for status in (422, 500, 501, 505, 599, 600, 999)),
        *((status, ConsumerUnavailable) for status in (429, 502, 503, 504)),
        (410, ConsumerGone),
    ],
)  # fmt: skip
def test_every_other_status_is_a_failure(
    make: Make, receiver: LocalReceiver, status: int, kind: type[DeliveryError]
) -> None:
    receiver.behave("/hook", Behaviour(status=status, body="because"))
    with pytest.raises(DeliveryError) as caught:
        send(make(url=receiver.url("/hook?key=geheim123")))
    assert type(caught.value) is kind
    assert caught.value.status == status
    assert str(status) in str(caught.value)
    assert caught.value.response == ("" if status in (103, 304) else "because")


def test_410_says_that_the_receiver_wants_no_more(make: Make, receiver: LocalReceiver) -> None:
    receiver.behave("/hook", GONE)
    with pytest.raises(ConsumerGone, match="wants no more"):
        send(make())


def test_redirect_is_not_followed_even_to_a_metadata_address(make: Make, receiver: LocalReceiver) -> None:
    for location in ("http://169.254.169.254/latest/meta-data/", receiver.url("/elsewhere")):
        receiver.behave("/hook", redirect(location))
        with pytest.raises(DeliveryFailed, match="redirects are not followed: set url") as caught:
            send(make())
        assert not isinstance(caught.value, ConsumerUnavailable)
    time.sleep(0.1)
    assert receiver.requests("/elsewhere") == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("0", 0.0), ("7", 7.0), (" 30 ", 30.0), ("3600", 3600.0), ("3601", 3600.0), ("9" * 400, 3600.0)),
        *(("", None), ("-1", None), ("1.5", None), ("soon", None), ("٣", None), ("Fri, 99 Foo 2023", None)),
        *((formatdate(0, usegmt=True), 0.0), (formatdate(4e9, usegmt=True), 3600.0)),
    ],
)
def test_retry_after_is_told_within_bounds(
    make: Make, receiver: LocalReceiver, text: str, seconds: float | None
) -> None:
    receiver.behave("/hook", too_many(text.encode("utf-8").decode("latin-1")))
    with pytest.raises(ConsumerUnavailable) as caught:
        send(make())
    assert caught.value.retry_after == seconds


def test_date_of_retry_after_counts_on_the_receivers_own_clock(make: Make, receiver: LocalReceiver) -> None:
    headers = {"Retry-After": formatdate(1_000_120, usegmt=True), "Date": formatdate(1_000_000, usegmt=True)}
    receiver.behave("/hook", Behaviour(status=503, headers=headers))
    with pytest.raises(ConsumerUnavailable) as caught:
        send(make())
    assert caught.value.retry_after == 120
    receiver.behave("/hook", too_many(formatdate(time.time() + 100, usegmt=True)))
    with pytest.raises(ConsumerUnavailable) as caught:
        send(make())
    assert 90 < (caught.value.retry_after or 0) <= 101


def test_success_with_garbage_is_a_success(make: Make, receiver: LocalReceiver) -> None:
    receiver.behave("/hook", GARBAGE)
    receipt = send(make())
    assert receipt.status == 200
    assert receipt.response
    # A database would refuse it.
    assert "\0" not in receipt.response


def test_long_answer_is_kept_to_twenty_thousand_bytes(make: Make, receiver: LocalReceiver) -> None:
    receiver.behave("/hook", BIG)
    assert send(make()).response == "x" * 20_000


@pytest.mark.parametrize("behaviour", [HANG, DRIP, CUT, NONSENSE], ids=["hang", "drip", "cut", "nonsense"])
def test_receiver_without_a_whole_answer_is_unavailable(
    make: Make, receiver: LocalReceiver, behaviour: Behaviour
) -> None:
    receiver.behave("/hook", behaviour)
    began = time.monotonic()
    with pytest.raises(ConsumerUnavailable) as caught:
        send(make(), seconds=0.5)
    assert time.monotonic() - began < 4
    assert caught.value.status is None
    receiver.behave("/hook", Behaviour())
    assert send(make()).status == 200


def test_receiver_that_refuses_is_unavailable(make: Make, receiver: LocalReceiver) -> None:
    consumer = make()
    send(consumer)
    receiver.refuse()
    with pytest.raises(ConsumerUnavailable, match="refused"):
        send(consumer)
    receiver.listen()
    assert send(consumer).status == 200


def test_what_a_receiver_sends_back_of_our_secrets_is_not_kept(make: Make) -> None:
    """Such as one that shows the whole request in its answer."""

    def script(connection: Any) -> None:
        body = read_request(connection)
        assert body is not None
        connection.sendall(b"HTTP/1.1 500 Oh\r\nContent-Length: %d\r\n\r\n" % (len(body) + 60))
        connection.sendall(body + SECRET.encode().ljust(60))

    with ScriptedServer(script) as server:
        url = server.url("/hook?key=geheim%20key")
        consumer = make(url=url, headers={"Authorization": "Bearer t0ken-t0ken", "X-Key": "anotherkey"})
        with pytest.raises(DeliveryFailed) as caught:
            send(consumer)
    response = caught.value.response
    assert response is not None
    assert "webhook-id: evt_" in response
    for hidden in ("geheim%20key", "geheim key", "t0ken-t0ken", "anotherkey", SECRET, SECRET.removeprefix("whsec_")):
        assert hidden not in response


# -- intent ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "is_proved"),
    [({"X-Hook-Secret": "s3cret-s3cret"}, True), ({"x-hook-secret": "other"}, False), ({}, False)],
)
def test_intent_is_proved_by_sending_the_secret_back(
    make: Make, receiver: LocalReceiver, headers: dict[str, str], is_proved: bool
) -> None:
    receiver.behave("/hook", Behaviour(status=204, headers=headers))
    if is_proved:
        make().verify_intent("s3cret-s3cret", Deadline(5))
    else:
        with pytest.raises(DeliveryRefused, match="X-Hook-Secret"):
            make().verify_intent("s3cret-s3cret", Deadline(5))
    time.sleep(0.1)
    [request] = receiver.requests("/hook")
    assert request.headers["x-hook-secret"] == "s3cret-s3cret"
    assert request.document["type"] == "test.ping"


def test_intent_is_not_proved_by_a_failure(make: Make, receiver: LocalReceiver) -> None:
    receiver.behave("/hook", Behaviour(status=404, headers={"X-Hook-Secret": "s3cret-s3cret"}))
    with pytest.raises(DeliveryFailed, match="404"):
        make().verify_intent("s3cret-s3cret", Deadline(5))
