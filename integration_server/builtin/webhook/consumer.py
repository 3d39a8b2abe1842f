"""Sends events to one URL, signed, and reads the receiver's verdict from the status of its answer."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import ClassVar
from urllib.parse import unquote_plus, urlsplit

import orjson

from integration_server import (
    Consumer,
    ConsumerContext,
    ConsumerGone,
    ConsumerSettings,
    ConsumerUnavailable,
    Deadline,
    Delivery,
    DeliveryFailed,
    DeliveryRefused,
    HttpAnswer,
    Preparing,
    Receipt,
    Signing,
    Verifiable,
    __version__,
    batch_json,
    event_json,
    parse_url,
    ping_event,
)
from integration_server.builtin.webhook import signatures
from integration_server.builtin.webhook.settings import WebhookSettings

#: The receiver as a whole asks for a rest, or what stands before it cannot reach it.
_UNAVAILABLE = frozenset({429, 502, 503, 504})
#: Shorter texts are not looked for in answers: they would be found everywhere.
_SHORTEST_HIDDEN = 6


class WebhookConsumer(Consumer, Preparing, Signing, Verifiable):
    """One receiver by HTTP POST.

    A 2xx is the only success. 410 ends the subscription; 429, 502, 503, 504 and everything that prevents an answer rest
    the receiver; redirects are not followed, for the signature is meant for this URL alone.
    """

    type: ClassVar[str] = "webhook"
    Settings = WebhookSettings
    is_registrable: ClassVar[bool] = True
    # One opens internal networks, the other reads a file of the server.
    operator_keys: ClassVar[frozenset[str]] = frozenset({"allow_networks", "ca_file"})

    def __init__(self, settings: ConsumerSettings, context: ConsumerContext) -> None:
        assert isinstance(settings, WebhookSettings)
        self._http = context.http
        self._clock = context.clock
        self._url = settings.url.get_secret_value()
        self._origin = parse_url(self._url).origin
        custom = {name: value.get_secret_value() for name, value in settings.headers.items()}
        self._headers = {"User-Agent": f"integration-server/{__version__}"}
        if "user-agent" in map(str.lower, custom):
            self._headers.clear()
        self._headers |= {**custom, "Content-Type": "application/json"}
        self._secrets = () if settings.secret is None else (settings.secret.get_secret_value(),)
        self._allow_networks = settings.allow_networks
        self._ca_file = None if settings.ca_file is None else str(context.base_dir / settings.ca_file)
        self._hidden = _hidden(self._url, (*custom.values(), *self._secrets))

    @classmethod
    def new_secret(cls) -> str:
        return signatures.new_secret()

    @classmethod
    def check_secret(cls, secret: str) -> None:
        signatures.check_secret(secret)

    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        return self.prepare(delivery)(deadline)

    def prepare(self, delivery: Delivery) -> Callable[[Deadline], Receipt]:
        secrets = dict.fromkeys((*self._secrets, *delivery.secrets))
        if not secrets:
            raise ConsumerUnavailable("there is no secret to sign with")
        body = _body(delivery)
        now = int(self._clock())
        try:
            signature = signatures.signature(secrets, delivery.id, now, body)
        except ValueError:
            raise ConsumerUnavailable("the secret to sign with cannot be read; rotate it") from None
        stamp = {"webhook-id": delivery.id, "webhook-timestamp": str(now), "webhook-signature": signature}
        return lambda deadline: self._judged(self._post(body, stamp, deadline), delivery.secrets)

    def verify_intent(self, secret: str, deadline: Deadline) -> None:
        """Send ``secret`` in X-Hook-Secret and want it back in the same header of a 2xx (resthooks.org)."""
        body = event_json(ping_event(self._clock()))
        answer = self._post(body, {"X-Hook-Secret": secret}, deadline)
        receipt = self._judged(answer, (secret,))
        if not hmac.compare_digest(answer.headers.get("x-hook-secret", "").encode(), secret.encode()):
            raise DeliveryRefused(
                f"{self._origin} does not send X-Hook-Secret back, so it has not said that it wants events",
                receipt.status,
                receipt.response,
            )

    def close(self) -> None:
        """Connections are the server's HTTP client's."""

    def _post(self, body: bytes, stamp: dict[str, str], deadline: Deadline) -> HttpAnswer:
        headers = {**self._headers, **stamp}
        return self._http.post(
            self._url, body, headers, deadline, allow_networks=self._allow_networks, ca_file=self._ca_file
        )

    def _judged(self, answer: HttpAnswer, secrets: tuple[str, ...]) -> Receipt:
        status, response = answer.status, _masked(answer.text, (*self._hidden, *secrets))
        if answer.is_success:
            return Receipt(status, response)
        message = f"{self._origin} answers with status {status}"
        if status == 410:
            raise ConsumerGone(f"{message}: it wants no more events", status, response)
        if status in _UNAVAILABLE:
            raise ConsumerUnavailable(message, status, response, answer.retry_after(self._clock()))
        if 300 <= status < 400:
            message += ", a redirect; redirects are not followed: set url to where it leads"
        raise DeliveryFailed(message, status, response)


def _body(delivery: Delivery) -> bytes:
    try:
        return batch_json(delivery.id, delivery.events) if delivery.is_batch else event_json(delivery.events[0])
    except orjson.JSONEncodeError as exc:
        raise DeliveryRefused(f"the event cannot be written as JSON: {exc}") from exc


def _hidden(url: str, secrets: tuple[str, ...]) -> tuple[str, ...]:
    """What must not be kept where a receiver sends it back, the longest first."""
    values = [value for pair in urlsplit(url).query.split("&") for value in (pair, pair.partition("=")[2])]
    values += [unquote_plus(value) for value in values]
    # Of "Bearer abc", the second word alone gives it away.
    values += [word for secret in secrets for word in (secret, *secret.split(), secret.removeprefix("whsec_"))]
    return tuple(sorted({value for value in values if len(value) >= _SHORTEST_HIDDEN}, key=len, reverse=True))


def _masked(text: str, hidden: tuple[str, ...]) -> str:
    for value in hidden:
        text = text.replace(value, "***")
    return text
