"""Lets MailStore follow the directory within seconds: after a change it is told to synchronize its users.

Without it, MailStore asks for the list when an archiving profile runs, or when somebody presses *Synchronize now*.

Copy this file into the folder of ``[plugins] folder = ...`` and write::

    [subscriptions.archive]
    type = "mailstore_sync"
    url = "https://mailstore.example.org:8463"      # where the Administration API listens
    password = { env = "MAILSTORE_PASSWORD" }       # of MailStore's "admin", or of the username given
    ca_file = "mailstore.pem"                       # MailStore's own certificate is signed by nobody else
    allow_networks = ["192.168.1.20"]               # where MailStore runs, if that is a private address
    # instance = "customer1"                        # MailStore SPE: the Management API, and one table per instance

The backends need a ``sync`` table, so that their changes are noticed. In MailStore, the Administration API is switched
on in the *Service Configuration*, and its *Directory Services* are set to this server. What MailStore does with people
who are gone is set there, too.

- It is told once when nothing has changed for ``quiet_seconds`` (10 when left out), however many people changed.
- A synchronization may take longer than ``timeout_seconds``. It is then left running and asked about again; no second
  one is started beside it.
- When MailStore reports a failure (such as a list that the guard holds), the same signal is sent again later, and the
  text that MailStore gives is shown with the delivery.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode

from pydantic import Field, field_validator, model_validator

from integration_server import (
    Consumer,
    ConsumerContext,
    ConsumerSettings,
    ConsumerUnavailable,
    Deadline,
    Delivery,
    DeliveryFailed,
    Receipt,
    Secret,
    Texts,
    hookimpl,
    parse_url,
)

_FUNCTION = "SyncUsersWithDirectoryServices"
#: Bytes. The last answer lists everybody who was changed.
_ANSWER_LIMIT = 8 << 20
#: Seconds for which MailStore holds a question about the state back, until there is news.
_POLL_SECONDS = 5.0
#: Seconds before the deadline at which nothing more is asked.
_LAST_MOMENT_SECONDS = 0.5
#: Seconds after which a synchronization that still runs is asked about again.
_ASK_AGAIN_SECONDS = 10.0


class MailStoreSyncSettings(ConsumerSettings):
    """``[subscriptions.NAME]`` with ``type = "mailstore_sync"``."""

    type: Literal["mailstore_sync"]
    url: str = Field(description="where MailStore's Administration or Management API listens")
    username: str = Field(default="admin", description="an administrator of MailStore")
    password: Secret = Field(description="the administrator's password")
    instance: str | None = Field(default=None, min_length=1, description="MailStore SPE: which instance")
    ca_file: str | None = Field(default=None, description="PEM file of the authority that signed its certificate")
    accept_all_certificates: bool = Field(default=False, description="send the password to whoever answers")
    allow_plain_http: bool = Field(default=False, description="send the password to another machine in the clear")
    allow_networks: Texts = Field(default=(), description="private networks or addresses where MailStore may be")

    @field_validator("url")
    @classmethod
    def _is_a_base(cls, value: str) -> str:
        if parse_url(value).path != "/":
            raise ValueError("give scheme, name and port alone, such as https://mailstore.example.org:8463")
        return value.rstrip("/")

    @field_validator("allow_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network, strict=False)
        return value

    @model_validator(mode="after")
    def _keeps_the_password(self) -> MailStoreSyncSettings:
        target = parse_url(self.url)
        if target.scheme == "http" and not _is_local(target.host) and not self.allow_plain_http:
            raise ValueError("url would send the password in the clear; use https://, or set allow_plain_http = true")
        return self


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class Progress:
    """What the API says about a call. ``token`` names one that still runs, ``version`` what is known of it."""

    status: str
    token: str
    version: int
    message: str


def parse_answer(body: bytes) -> Progress:
    """An answer of the API. Raises ValueError, whose text quotes nothing.

    It begins with a byte order mark (MailStore Server Help, "Administration API - Using the API").
    """
    try:
        answer: Any = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
    if not isinstance(answer, dict) or not isinstance(answer.get("statusCode"), str):
        raise ValueError("it has no statusCode")
    token, version, error = answer.get("token"), answer.get("statusVersion"), answer.get("error")
    if answer["statusCode"] == "running" and not (isinstance(token, str) and token):
        raise ValueError("it has no token to ask with")
    said = error.get("message") if isinstance(error, dict) else error
    text = said if isinstance(said, str) else answer.get("statusText")
    return Progress(
        answer["statusCode"],
        token if isinstance(token, str) else "",
        version if isinstance(version, int) else 0,
        text.replace("\0", "")[:500] if isinstance(text, str) else "",
    )


class MailStoreSyncConsumer(Consumer):
    """One MailStore Server, or one instance of MailStore SPE."""

    type: ClassVar[str] = "mailstore_sync"
    Settings = MailStoreSyncSettings
    takes: ClassVar[Literal["events", "signal"]] = "signal"
    lane: ClassVar[Literal["person", "subscription"]] = "subscription"

    def __init__(self, settings: ConsumerSettings, context: ConsumerContext) -> None:
        assert isinstance(settings, MailStoreSyncSettings)
        self._settings = settings
        self._context = context
        self._ca_file = None if settings.ca_file is None else str(context.base_dir / settings.ca_file)
        credentials = f"{settings.username}:{settings.password.get_secret_value()}".encode()
        self._headers = {
            "Authorization": f"Basic {base64.b64encode(credentials).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self._turn = threading.Lock()
        # What was started and had not ended when its deadline came, and for which delivery.
        self._running: tuple[str, Progress] | None = None

    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        if not self._turn.acquire(timeout=_left(deadline)):
            raise ConsumerUnavailable("another synchronization is being waited for")
        try:
            return self._synchronize(delivery.id, deadline)
        finally:
            self._turn.release()

    def _synchronize(self, name: str, deadline: Deadline) -> Receipt:
        if self._running is not None:
            started_for, progress = self._running
            ended = self._wait(started_for, progress, deadline)
            if started_for == name:
                return self._judged(ended)
            # That one may have asked for the list before the latest change.
        fields = {"dryRun": "false"}
        if self._settings.instance is not None:
            fields = {"instanceID": self._settings.instance, **fields}
        return self._judged(self._wait(name, self._call(f"/api/invoke/{_FUNCTION}", fields, deadline), deadline))

    def _wait(self, name: str, progress: Progress, deadline: Deadline) -> Progress:
        while progress.status == "running":
            self._running = (name, progress)
            left = _left(deadline)
            if left < _LAST_MOMENT_SECONDS:
                raise ConsumerUnavailable("MailStore still synchronizes", retry_after=_ASK_AGAIN_SECONDS)
            fields = {
                "token": progress.token,
                "lastKnownStatusVersion": str(progress.version),
                "millisecondsTimeout": str(int(min(_POLL_SECONDS, left / 2) * 1000)),
            }
            try:
                progress = self._call("/api/get-status", fields, deadline)
            except DeliveryFailed as exc:
                if exc.status is not None:
                    # It knows nothing of that call any more.
                    self._running = None
                raise
        self._running = None
        return progress

    def _call(self, path: str, fields: dict[str, str], deadline: Deadline) -> Progress:
        answer = self._context.http.post(
            self._settings.url + path,
            urlencode(fields).encode(),
            self._headers,
            deadline,
            allow_networks=self._settings.allow_networks,
            ca_file=self._ca_file,
            is_verified=not self._settings.accept_all_certificates,
            answer_limit=_ANSWER_LIMIT,
        )
        status = answer.status
        if status in (429, 502, 503, 504):
            retry_after = answer.retry_after(self._context.clock())
            raise ConsumerUnavailable(f"MailStore answers with status {status}", status, retry_after=retry_after)
        if status != 200:
            hints = {
                401: "username or password is wrong",
                403: "username may not do this",
                404: "is url that of its API?",
            }
            hint = f": {hints[status]}" if status in hints else ""
            raise DeliveryFailed(f"MailStore answers with status {status}{hint}", status)
        try:
            return parse_answer(answer.body)
        except ValueError as exc:
            raise DeliveryFailed(f"the answer of {self._settings.url} is not MailStore's: {exc}", status) from exc

    def _judged(self, ended: Progress) -> Receipt:
        if ended.status == "succeeded":
            return Receipt(200, ended.message or None)
        said = f": {ended.message}" if ended.message else ""
        raise DeliveryFailed(f"MailStore's synchronization ends as {ended.status[:40]!r}{said}", 200, ended.message)

    def close(self) -> None:
        """Connections are the server's HTTP client's."""


def _left(deadline: Deadline) -> float:
    return max(deadline.at - time.monotonic(), 0.0)


@hookimpl
def register_consumers() -> Sequence[type[Consumer]]:
    """The one type of this plugin."""
    return [MailStoreSyncConsumer]
