"""What a subscription says about its receiver: checked with the Settings of its consumer type, and masked values that
come back taken for what they stand for."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from integration_server.sdk.consumers import Consumer, Signing, Verifiable
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import AddressRefused, BackendTimeout, Busy, ConfigError, DeliveryError
from integration_server.sdk.http import HttpClient
from integration_server.sdk.settings import ConsumerSettings
from integration_server.sdk.urls import MASK, masked_url
from integration_server.web.api.facts import ApiFacts
from integration_server.web.api.problems import Problem, bad_body, bad_member

_VERIFY_SECONDS = 20.0
#: As ``sdk/addresses`` says where a name leads.
_ADDRESS_OF_NAME = re.compile(r"(\S+) \([0-9A-Fa-f:.%]+\) is [^\n]*")
_SOME_ADDRESS = (
    r"\1 leads to an address to which nothing may be sent; if it is meant, an administrator adds its network to "
    "[forwarding] allow_networks"
)


def outward(text: str) -> str:
    """What is wrong with a receiver, for whoever subscribed it: not to which address of our network its name leads."""
    return _ADDRESS_OF_NAME.sub(_SOME_ADDRESS, text)


class Receivers:
    """The kinds of receivers that can be subscribed over the API and in the dashboard, which share one object."""

    def __init__(self, facts: ApiFacts) -> None:
        self._context = facts.context
        self._asked = threading.BoundedSemaphore(facts.limits.tests)
        self._consumers = {name: cls for name, cls in facts.consumers.items() if cls.is_registrable}

    @property
    def kinds(self) -> tuple[str, ...]:
        """Their types, by name."""
        return tuple(sorted(self._consumers))

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While a request waits for what a receiver answers. Raises Busy where too many do: each occupies a thread."""
        if not self._asked.acquire(blocking=False):
            raise Busy("too many receivers are being asked; try again in a moment")
        try:
            yield
        finally:
            self._asked.release()

    def settings(
        self, kind: str, url: object, headers: Mapping[str, object], before: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """What is stored of the receiver; what was stored of it ``before`` and has no place here stays. Raises
        Problem."""
        found: dict[str, Any] = {**(before or {}), "type": kind, "url": url, "headers": dict(headers)}
        if not headers:
            del found["headers"]
        self._checked(kind, found)
        if self._context is not None and isinstance(url, str):
            _check_address(self._context("new").http, url)
        return found

    def new_secret(self, kind: str) -> str | None:
        """A secret, for a kind that signs."""
        cls = self._class(kind)
        return cls.new_secret() if issubclass(cls, Signing) else None

    def verify_intent(self, kind: str, settings: Mapping[str, Any], subscription_id: str) -> None:
        """Return when the receiver said that it wants the events. Raises Problem, Busy."""
        checked = self._checked(kind, settings)
        if self._context is None:
            raise Problem(503, "this process cannot ask receivers", "elsewhere")
        consumer = self._class(kind)(checked, self._context(subscription_id))
        try:
            if not isinstance(consumer, Verifiable):
                raise bad_member("/verify_intent", f"receivers of type {kind} cannot be asked")
            with self.asking():
                consumer.verify_intent(secrets.token_urlsafe(32), Deadline(_VERIFY_SECONDS))
        except (DeliveryError, BackendTimeout) as exc:
            raise Problem(422, outward(str(exc)), "intent-not-confirmed") from exc
        finally:
            consumer.close()

    def _checked(self, kind: str, settings: Mapping[str, Any]) -> ConsumerSettings:
        """The settings as the consumer takes them. Raises Problem."""
        cls = self._class(kind)
        context = self._context("new") if self._context is not None else None
        with _translated():
            where = {"base_dir": context.base_dir} if context is not None else {}
            checked = cls.Settings.model_validate(dict(settings), context=where)
            if context is not None:
                # Settings that cannot work together show when a consumer is made of them.
                cls(checked, context).close()
        return checked

    def _class(self, kind: str) -> type[Consumer]:
        if kind not in self._consumers:
            known = ", ".join(sorted(self._consumers)) or "none"
            raise bad_member("/type", f"there is no such receiver to subscribe; there are: {known}")
        return self._consumers[kind]


def _check_address(http: HttpClient, url: str) -> None:
    """Raise Problem for an address to which nothing may be sent; where a name leads is not looked up."""
    try:
        http.check_literal(url)
    except AddressRefused as exc:
        raise bad_member("/url", str(exc)) from exc
    except ValueError:
        # A plugin may take what our own receivers do not.
        return


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ValidationError as exc:
        raise bad_body([{"pointer": _pointer(error), "detail": _told(error)} for error in exc.errors()]) from None
    except ConfigError as exc:
        raise bad_member("", str(exc)) from exc


def _pointer(error: ErrorDetails) -> str:
    # Deeper down, pydantic's names for the branches of a union would follow.
    return f"/{error['loc'][0]}" if error["loc"] else ""


def _told(error: ErrorDetails) -> str:
    return error["msg"].removeprefix("Value error, ")


def unmasked_url(url: str, stored: object) -> str:
    """The stored URL where its masked form came back. Raises Problem for asterisks that stand for nothing."""
    if isinstance(stored, str) and url == masked_url(stored):
        return stored
    values = [pair.partition("=")[2] or pair for pair in url.partition("#")[0].partition("?")[2].split("&")]
    if MASK in values:
        raise bad_member("/url", "there is no value of before behind the asterisks; write the whole URL")
    return url


def unmasked_headers(headers: Mapping[str, str], stored: object) -> dict[str, Any]:
    """Stored values in the place of asterisks. Raises Problem for asterisks that stand for nothing."""
    known = {str(name).lower(): value for name, value in stored.items()} if isinstance(stored, dict) else {}
    found: dict[str, Any] = {}
    for name, value in headers.items():
        if value == MASK:
            if name.lower() not in known:
                raise bad_member("/headers", f"{name}: there is no value of before behind the asterisks")
            value = known[name.lower()]
        found[name] = value
    return found
