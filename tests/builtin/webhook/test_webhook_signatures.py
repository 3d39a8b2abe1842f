"""Signatures agree with the published vectors and with both public libraries."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError
from svix.webhooks import Webhook as SvixWebhook

from integration_server.builtin.webhook.signatures import check_secret, new_secret, signature

BODY = b'{"type":"ping","timestamp":"2023-11-14T22:13:20Z","data":{}}'
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


def test_vector() -> None:
    assert signature([SECRET], "msg_test1", 1_700_000_000, BODY) == "v1,Ckh5w1mdoFuFUNiUOjUFLar9lBaplmeSUXKPkglCnFs="


def test_prefix_and_padding_may_be_missing() -> None:
    for secret in (SECRET, SECRET.removeprefix("whsec_"), SECRET.rstrip("=")):
        check_secret(secret)
        assert signature([secret], "msg_test1", 1_700_000_000, BODY).endswith("lCnFs=")


@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=24, max_size=64), st.text(alphabet="abc_0189", min_size=1), st.text())
def test_both_libraries_verify_what_is_signed(key: bytes, id: str, text: str) -> None:
    secret, body, now = "whsec_" + base64.b64encode(key).decode(), json.dumps(text).encode(), int(time.time())
    found = signature([new_secret(), secret], id, now, body)
    headers = {"webhook-id": id, "webhook-timestamp": str(now), "webhook-signature": found}
    Webhook(secret).verify(body, headers, json_parse=False)
    SvixWebhook(secret).verify(body, headers)
    by_hand = hmac.new(key, f"{id}.{now}.".encode() + body, hashlib.sha256).digest()
    assert found.split(" ")[1] == "v1," + base64.b64encode(by_hand).decode()
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers, json_parse=False)


def test_signature_does_not_depend_on_the_machines_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        assert signature([SECRET], "msg_test1", 1_700_000_000, BODY).endswith("lCnFs=")
        assert datetime.now(UTC).utcoffset() is not None
    finally:
        monkeypatch.undo()
        time.tzset()


def test_fresh_secrets_have_32_bytes() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    for secret in made:
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
        check_secret(secret)


@pytest.mark.parametrize(
    "secret",
    [
        *("", "whsec_", "geheim", "whsec_geheim geheim", "whsk_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
        *("whsec_" + base64.b64encode(bytes(23)).decode(), "whsec_" + base64.b64encode(bytes(65)).decode()),
        *("whsec_Ωgeheim", "whsec_whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", SECRET + "A"),
    ],
)
def test_other_secrets_are_refused_without_being_quoted(secret: str) -> None:
    with pytest.raises(ValueError, match="a secret") as caught:
        check_secret(secret)
    assert "geheim" not in str(caught.value)
