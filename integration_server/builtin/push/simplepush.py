"""WebSocket protocol v1 (SimplePush): hello, register, unregister, ping, notification, ack, purge. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from integration_server import StoreUnavailable, UnwritableValue
from integration_server.builtin.push import first_api
from integration_server.builtin.push.first_api import Malformed
from integration_server.builtin.push.letters import (
    Greeting,
    Hello,
    Registered,
    Registration,
    is_channel,
    is_uaid,
    is_version,
    kick_text,
)
from integration_server.builtin.push.session import (
    NOT_PRIVATE,
    POLICY,
    REPLACED,
    TRY_LATER,
    UNKNOWN,
    Ask,
    Attach,
    Effect,
    End,
    Job,
    Message,
    Received,
    Removal,
    Result,
    Say,
    Session,
    Told,
    failure,
)
from integration_server.builtin.push.waking import KickData

SUBPROTOCOL = "push-notification"
#: Fields of hello that tell how a user agent is woken.
KICK_FIELDS = ("connect", "wakeup_hostport", "wakeup_host", "interface", "mobilenetwork", "protocol")
#: Messages that may wait until hello is answered.
_MOST_WAITING = 64


class SimplePushSession(Session):
    """One user agent. ``endpoint`` makes a URL of a token."""

    __slots__ = (
        "_acking",
        "_endpoint",
        "_is_greeted",
        "_is_wakeable",
        "_kick",
        "_resend",
        "_sent",
        "_uaid",
        "_unacked",
        "_waiting",
    )

    def __init__(self, endpoint: Callable[[str], str], resend_seconds: float, is_private: bool = False) -> None:
        super().__init__(is_private)
        self._endpoint = endpoint
        self._resend = resend_seconds
        #: None before hello; while hello is looked up, what was sent in it.
        self._uaid: str | None = None
        self._is_greeted = False
        self._kick: KickData | None = None
        self._is_wakeable = False
        self._waiting: deque[Message] | None = None
        #: Channel -> the newest version that was sent here, and which of them are not acknowledged, since when.
        self._sent: dict[str, int] = {}
        self._unacked: dict[str, float] = {}
        #: Channels whose acknowledgement is on its way into the store.
        self._acking: frozenset[str] = frozenset()

    @property
    def is_begun(self) -> bool:
        return self._uaid is not None

    def received(self, message: Message, now: float) -> Sequence[Effect]:
        type = message.get("messageType")
        if self._waiting is not None:
            if len(self._waiting) >= _MOST_WAITING:
                return [End(POLICY, "too many messages before hello was answered")]
            self._waiting.append(message)
            return []
        kind = type.lower() if isinstance(type, str) else "ping" if not message else ""
        if kind == "hello":
            return self._hello(message)
        if not self._is_greeted:
            return [End(POLICY, "hello must be the first message")]
        match kind:
            case "ping":
                return [Say({})]
            case "register":
                return self._register(message)
            case "unregister":
                return self._unregister(message)
            case "ack":
                return self._ack(message)
            case "purge":
                return [Ask(Removal(self._uaid or "", None))]
        # Whatever newer clients say beside.
        return []

    def answered(self, job: Job, result: Result, now: float) -> Sequence[Effect]:
        if isinstance(job, Hello):
            return self._greeted(result, now)
        if isinstance(job, Registration):
            failed = failure("register", result)
            if failed is not None:
                return [_told("register", *failed, channelID=job.channel)]
            assert isinstance(result, Registered)
            self.can_sleep = self._is_wakeable
            return [_told("register", 200, channelID=job.channel, pushEndpoint=self._endpoint(result.token))]
        if isinstance(job, Removal):
            type = "purge" if job.channel is None else "unregister"
            status, reason = failure(type, result) or (200, None)
            return [_told(type, status, reason, **({} if job.channel is None else {"channelID": job.channel}))]
        # What could not be noted as received comes again with the next connection.
        if isinstance(job, Received):
            self._acking -= job.versions.keys()
        return []

    def news(
        self,
        uaid: str,
        versions: Mapping[str, int],
        now: float,
        told: Told | None = None,
        is_again: bool = False,
    ) -> Sequence[Effect]:
        if told is not None:
            told(self._is_greeted)
        if not self._is_greeted:
            return []
        known = self._acking.union(self._unacked)
        new = {
            channel: version
            for channel, version in versions.items()
            if version > self._sent.get(channel, -1) or (is_again and channel not in known)
        }
        self._sent.update(new)
        return self._notify(new, now)

    def tick(self, now: float) -> Sequence[Effect]:
        late = [channel for channel, at in self._unacked.items() if now - at >= self._resend]
        return self._notify({channel: self._sent[channel] for channel in late}, now)

    def lost(self, uaid: str) -> Sequence[Effect]:
        self.uaids.discard(uaid)
        return [End(REPLACED, "another connection has this user agent now")]

    def forgotten(self, uaid: str) -> Sequence[Effect]:
        return [End(UNKNOWN, "this user agent is not known any more; say hello again")]

    # -- messages ----------------------------------------------------------------------------------------------------

    def _hello(self, message: Message) -> Sequence[Effect]:
        uaid, channels = message.get("uaid"), message.get("channelIDs", [])
        if channels is None:
            channels = []
        if not isinstance(channels, list):
            return [_told("hello", 401, "channelIDs: must be a list", uaid=""), End(POLICY, "wrong hello")]
        if self._is_greeted and uaid not in (None, "", self._uaid):
            return [End(POLICY, "another user agent said hello here before")]
        kick = {name: message[name] for name in KICK_FIELDS if message.get(name) is not None}
        try:
            kick_text(kick)
        except UnwritableValue as exc:
            return [_told("hello", 401, str(exc), uaid=""), End(POLICY, "wrong hello")]
        self._kick = kick or self._kick
        self._waiting = deque()
        chosen = self._uaid if self._is_greeted else uaid if is_uaid(uaid) else None
        self._uaid = chosen or ""
        return [Ask(Hello(chosen, tuple(filter(is_channel, channels)), self._kick))]

    def _greeted(self, result: Result, now: float) -> Sequence[Effect]:
        waiting, self._waiting = self._waiting or (), None
        if isinstance(result, StoreUnavailable):
            failed = _told("hello", 503, "the server cannot greet anybody now; try again later", uaid=self._uaid)
            return [failed, End(TRY_LATER, "try again later")]
        assert isinstance(result, Greeting)
        effects: list[Effect] = []
        if not self._is_greeted or result.is_known:
            # One that was greeted here and has registered nothing is known to nobody else.
            self._uaid = result.uaid
        assert self._uaid is not None
        self._is_greeted = True
        # One that has no channel is not kept, and would never be woken.
        self._is_wakeable = result.is_wakeable
        self.can_sleep = self._is_wakeable and (result.is_known or self.can_sleep)
        self.uaids.add(self._uaid)
        effects += [Attach((self._uaid,)), _told("hello", 200, uaid=self._uaid)]
        # After another hello everything comes again.
        self._sent.update(result.pending)
        effects += self._notify(result.pending, now)
        for message in waiting:
            effects += self.received(message, now)
        return effects

    def _register(self, message: Message) -> Sequence[Effect]:
        channel = message.get("channelID")
        if not is_channel(channel):
            return [_wrong_channel("register", channel)]
        try:
            bond = first_api.bond(message.get("resource"), message.get("token"))
        except Malformed as exc:
            return [_told("register", 401, str(exc), channelID=channel)]
        if bond is not None and not self.is_private:
            return [_told("register", 403, NOT_PRIVATE, channelID=channel)]
        return [Ask(Registration(self._uaid, channel, self._kick, is_greeted=True, bond=bond))]

    def _unregister(self, message: Message) -> Sequence[Effect]:
        channel = message.get("channelID")
        if not is_channel(channel):
            return [_wrong_channel("unregister", channel)]
        self._sent.pop(channel, None)
        self._unacked.pop(channel, None)
        self._set_due()
        return [Ask(Removal(self._uaid or "", channel))]

    def _ack(self, message: Message) -> Sequence[Effect]:
        updates = message.get("updates")
        if not isinstance(updates, list):
            return [_told("ack", 401, "updates: must be a list of objects with channelID and version")]
        versions: dict[str, int] = {}
        for channel, version in _versions(updates):
            if channel not in self._sent:
                # What waits is sent to whoever comes: nothing else can be acknowledged, and made-up ids cost nothing.
                continue
            versions[channel] = max(version, versions.get(channel, -1))
            if version >= self._sent.get(channel, math.inf):
                self._unacked.pop(channel, None)
        self._set_due()
        self._acking |= versions.keys()
        return [Ask(Received(self._uaid or "", versions))] if versions else []

    def _notify(self, versions: Mapping[str, int], now: float) -> list[Effect]:
        self._unacked.update(dict.fromkeys(versions, now))
        self._set_due()
        if not versions:
            return []
        updates = [{"channelID": channel, "version": version} for channel, version in versions.items()]
        return [Say({"messageType": "notification", "updates": updates})]

    def _set_due(self) -> None:
        self.due = min(self._unacked.values()) + self._resend if self._unacked else math.inf


def _versions(updates: Iterable[object]) -> Iterable[tuple[str, int]]:
    """Those that make sense: what else is there cannot have been sent by us."""
    for one in updates:
        if isinstance(one, dict) and is_channel(one.get("channelID")) and is_version(one.get("version")):
            yield one["channelID"], one["version"]


def _wrong_channel(type: str, sent: object) -> Say:
    """With the id as it was sent, by which clients find what it is the answer to."""
    return _told(
        type, 401, "channelID: must be a UUID in lower case", channelID=sent if isinstance(sent, str) else None
    )


def _told(type: str, status: int, reason: str | None = None, **more: object) -> Say:
    message = {"messageType": type, "status": status, **more}
    return Say(message if reason is None else {**message, "reason": reason})
