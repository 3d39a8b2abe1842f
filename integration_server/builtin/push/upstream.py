"""The server before a relay, called with the first API over REST. Nothing that it answers is believed unread."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from integration_server import Deadline, DeliveryFailed, HttpAnswer, HttpClient, __version__, parse_url
from integration_server.builtin.push.first_api import Malformed, decoded
from integration_server.builtin.push.letters import Collected, is_channel, is_uaid, is_version
from integration_server.builtin.push.versions import Update

#: Seconds for an answer, beside what was asked to be waited for.
_ANSWER_SECONDS = 10.0
#: Bytes of an UPDATE. What is longer is asked for in smaller parts.
_LARGEST_UPDATE = 4 * 1024 * 1024
_LONGEST_ENDPOINT = 2048
#: Calls that clients wait for, at one time; and how long one waits for its turn.
_MOST_CALLS = 4
_TURN_SECONDS = 2.0
#: After one that failed, others fail at once for so long.
_REST_SECONDS = 3.0
#: The operator names the upstream server, so every address is theirs to choose.
_ANYWHERE = ("0.0.0.0/0", "::/0")


class UpstreamUnavailable(Exception):
    """There is no answer. The text names the server, and holds no secret."""


class UpstreamNonsense(UpstreamUnavailable):
    """There is one, and it is not what the protocol has."""


class UpstreamRefused(UpstreamUnavailable):
    """It wants nothing of this; the server is well."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class UpstreamChannel:
    """A channel that is registered there."""

    uaid: str
    endpoint: str = field(repr=False)


class Upstream:
    """Thread-safe. Every method raises UpstreamUnavailable."""

    def __init__(
        self,
        http: HttpClient,
        url: str,
        login: tuple[str, str] | None = None,
        ca_file: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self.origin = parse_url(url).origin
        self._headers = {"User-Agent": f"integration-server/{__version__}", "Content-Type": "application/json"}
        if login is not None:
            self._headers["Authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode("ascii")
        self._ca_file = ca_file
        self._clock = clock
        self._places = threading.BoundedSemaphore(_MOST_CALLS)
        self._rests_until = float("-inf")

    def register(self, uaid: str | None, channel: str) -> UpstreamChannel:
        """Register a channel, for a new user agent where none is named. The answer may have another UAID: that which
        was sent is not known there any more.

        A client waits for this: it fails quickly where the last call failed or too many are under way.
        """
        if self._clock() < self._rests_until:
            raise UpstreamUnavailable(f"{self.origin} failed a moment ago")
        if not self._places.acquire(timeout=_TURN_SECONDS):
            raise UpstreamUnavailable(f"{self.origin} answers too slowly")
        try:
            message = {"APPID": channel} if uaid is None else {"UAID": uaid, "APPID": channel}
            answer = self._post("register", message, _ANSWER_SECONDS)
        except UpstreamRefused:
            raise
        except UpstreamUnavailable:
            self._rests_until = self._clock() + _REST_SECONDS
            raise
        finally:
            self._places.release()
        return self._registered(self._content(answer), channel)

    def unregister(self, uaid: str, channel: str) -> None:
        """Unregister a channel; nothing happens where it is not there."""
        self._post("unregister", {"UAID": uaid, "APPID": channel}, _ANSWER_SECONDS)

    def connect(self, uaids: list[str], wait: int) -> Collected:
        """What waits there for these, which is on its way from then on. Of what was not asked for, nothing is in the
        answer."""
        answer = self._post(f"connect?wait={wait}", {"UAIDS": uaids}, _ANSWER_SECONDS + wait, _LARGEST_UPDATE)
        if answer.status == 204:
            return Collected({})
        content, asked = self._content(answer), set(uaids)
        update, unknown = content.get("UPDATE"), content.get("UNKNOWN", [])
        if not isinstance(update, dict) or not isinstance(unknown, list):
            raise UpstreamNonsense(f"{self.origin} answers nonsense: no UPDATE is in it")
        found = {uaid: _versions(versions) for uaid, versions in update.items() if uaid in asked}
        gone = tuple(uaid for uaid in unknown if isinstance(uaid, str) and uaid in asked)
        return Collected({uaid: versions for uaid, versions in found.items() if versions}, gone)

    def acknowledge(self, update: Update) -> None:
        """These versions have arrived here."""
        self._post("ack", {"UAIDS": update}, _ANSWER_SECONDS)

    # -- within ------------------------------------------------------------------------------------------------------

    def _post(self, call: str, message: Mapping[str, Any], seconds: float, limit: int = 20_000) -> HttpAnswer:
        body = json.dumps(message, separators=(",", ":")).encode("ascii")
        try:
            answer = self._http.post(
                f"{self._url}/{call}",
                body,
                self._headers,
                Deadline(seconds),
                allow_networks=_ANYWHERE,
                ca_file=self._ca_file,
                answer_limit=limit,
            )
        except DeliveryFailed as exc:
            raise UpstreamUnavailable(str(exc)) from exc
        is_gone = answer.status == 410 and call.startswith("connect")
        if answer.status not in (200, 204) and not is_gone:
            told = f"{self.origin} answers with status {answer.status}"
            if 400 <= answer.status < 500 and answer.status not in (401, 429):
                raise UpstreamRefused(told, answer.status)
            raise UpstreamUnavailable(told)
        return answer

    def _content(self, answer: HttpAnswer) -> dict[str, Any]:
        try:
            return decoded(answer.body)
        except Malformed as exc:
            raise UpstreamNonsense(f"{self.origin} answers nonsense: {exc}") from None

    def _registered(self, content: Mapping[str, Any], channel: str) -> UpstreamChannel:
        uaid, endpoint = content.get("UAID"), content.get("ENDPOINT")
        if content.get("APPID") != channel or not is_uaid(uaid) or not isinstance(endpoint, str):
            raise UpstreamNonsense(f"{self.origin} answers nonsense: this is no registration")
        try:
            parse_url(endpoint)
        except ValueError:
            raise UpstreamNonsense(f"{self.origin} answers nonsense: the endpoint is no URL") from None
        if len(endpoint) > _LONGEST_ENDPOINT:
            raise UpstreamNonsense(f"{self.origin} answers nonsense: the endpoint is too long")
        return UpstreamChannel(uaid, endpoint)


def _versions(value: object) -> dict[str, int]:
    """Those that make sense."""
    if not isinstance(value, dict):
        return {}
    return {channel: version for channel, version in value.items() if is_channel(channel) and is_version(version)}
