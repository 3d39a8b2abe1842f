"""The first API over a WebSocket: REGISTER, CONNECT, UPDATE, ACK, UNREGISTER, for one or more user agents. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from integration_server import StoreUnavailable
from integration_server.builtin.push import first_api
from integration_server.builtin.push.first_api import MOST_UAIDS, Malformed
from integration_server.builtin.push.letters import Collected, Registered, Registration
from integration_server.builtin.push.session import (
    NOT_PRIVATE,
    REPLACED,
    Ask,
    Attach,
    Collect,
    Effect,
    End,
    Job,
    Message,
    Removal,
    Result,
    Say,
    Session,
    Told,
    failure,
)
from integration_server.builtin.push.versions import Update

SUBPROTOCOL = "push-update"
#: Seconds until what the store could not give is asked for again.
_RETRY = 5.0


class FirstApiSession(Session):
    """Any number of user agents. ``endpoint`` makes a URL of a token."""

    __slots__ = ("_endpoint", "_is_begun", "_is_collecting", "_resend", "_sent", "_told", "_unacked", "_wanted")

    def __init__(self, endpoint: Callable[[str], str], resend_seconds: float, is_private: bool = False) -> None:
        super().__init__(is_private)
        self._endpoint = endpoint
        self._resend = resend_seconds
        self._is_begun = False
        #: UAID -> channel -> the newest version that was sent here.
        self._sent: dict[str, dict[str, int]] = {}
        #: UAID -> when its UPDATE is sent again, and what of that is not acknowledged.
        self._unacked: dict[str, tuple[float, dict[str, int]]] = {}
        #: What is asked of the store next, once it has answered; and who waits to hear of it.
        self._wanted: dict[str, None] = {}
        self._told: list[tuple[str, Told]] = []
        self._is_collecting = False

    @property
    def is_begun(self) -> bool:
        return self._is_begun

    def received(self, message: Message, now: float) -> Sequence[Effect]:
        if not message:
            return [Say({})]
        calls = {
            "REGISTER": self._register,
            "CONNECT": self._connect,
            "ACK": self._ack,
            "UNREGISTER": self._unregister,
        }
        effects: list[Effect] = []
        for name, content in message.items():
            if name in calls:
                try:
                    effects += calls[name](content)
                    self._is_begun = True
                except Malformed as exc:
                    effects.append(Say({"ERROR": f"{name}: {exc}"}))
        return effects

    def answered(self, job: Job, result: Result, now: float) -> Sequence[Effect]:
        if isinstance(job, Collect):
            return self._collected(job, result, now)
        if isinstance(job, Registration):
            failed = failure("REGISTER", result)
            if failed is not None:
                return [Say({"REGISTER": {"APPID": job.channel, "status": failed[0], "error": failed[1]}})]
            assert isinstance(result, Registered)
            answer = {"UAID": result.uaid, "APPID": result.channel, "ENDPOINT": self._endpoint(result.token)}
            return [Say({"REGISTER": {**answer, "status": 200}})]
        if isinstance(job, Removal):
            failed = failure("UNREGISTER", result)
            named = {"UAID": job.uaid, "APPID": job.channel, "status": failed[0] if failed else 200}
            return [Say({"UNREGISTER": {**named, "error": failed[1]} if failed else named})]
        return []

    def news(
        self,
        uaid: str,
        versions: Mapping[str, int],
        now: float,
        told: Told | None = None,
        is_again: bool = False,
    ) -> Sequence[Effect]:
        sent, (_, unacked) = self._sent.get(uaid, {}), self._unacked.get(uaid, (0.0, {}))
        if all(
            version <= sent.get(channel, -1) and not (is_again and channel not in unacked)
            for channel, version in versions.items()
        ):
            if told is not None:
                told(True)
            return []
        if told is not None:
            self._told.append((uaid, told))
        return self._collect([uaid])

    def tick(self, now: float) -> Sequence[Effect]:
        late = [uaid for uaid, (at, _) in self._unacked.items() if now >= at]
        self._postpone(late, now + self._resend)
        return self._collect(late)

    def lost(self, uaid: str) -> Sequence[Effect]:
        self.uaids.discard(uaid)
        self._forget([uaid])
        if not self.uaids:
            return [End(REPLACED, "another connection has this user agent now")]
        return [Say({"MOVED": [uaid]})]

    def forgotten(self, uaid: str) -> Sequence[Effect]:
        self.uaids.discard(uaid)
        self._forget([uaid])
        return [Say({"UNKNOWN": [uaid]})]

    # -- messages ----------------------------------------------------------------------------------------------------

    def _register(self, content: object) -> Sequence[Effect]:
        wanted = first_api.registration(_object(content))
        if wanted.bond is not None and not self.is_private:
            return [Say({"REGISTER": {"APPID": wanted.channel, "status": 403, "error": NOT_PRIVATE}})]
        return [Ask(wanted)]

    def _unregister(self, content: object) -> Sequence[Effect]:
        return [Ask(Removal(*first_api.removal(_object(content))))]

    def _connect(self, content: object) -> Sequence[Effect]:
        wanted = first_api.uaids(content)
        if len(self.uaids.union(self._wanted, wanted)) > MOST_UAIDS:
            raise Malformed(f"at most {MOST_UAIDS} user agents over one connection")
        for uaid in wanted:
            # Who connects again gets everything again.
            self._sent.pop(uaid, None)
        return self._collect(wanted)

    def _ack(self, content: object) -> Sequence[Effect]:
        ack = first_api.ack(content)
        for uaid in ack.uaids:
            self._unacked.pop(uaid, None)
        for uaid, versions in ack.received.items():
            at, left = self._unacked.get(uaid, (0.0, {}))
            left = {channel: version for channel, version in left.items() if version > versions.get(channel, -1)}
            if left:
                self._unacked[uaid] = at, left
            else:
                self._unacked.pop(uaid, None)
        self._set_due()
        return [Ask(ack)]

    def _collect(self, uaids: Iterable[str]) -> Sequence[Effect]:
        """Ask for what is pending; one question at a time."""
        self._wanted.update(dict.fromkeys(uaids))
        if self._is_collecting or not self._wanted:
            return []
        self._is_collecting = True
        asked, self._wanted = tuple(self._wanted), {}
        return [Ask(Collect(asked))]

    def _collected(self, job: Collect, result: Result, now: float) -> Sequence[Effect]:
        self._is_collecting = False
        effects: list[Effect] = []
        if isinstance(result, StoreUnavailable):
            self._tell({}, job.uaids)
            self._postpone(job.uaids, now + _RETRY)
            return self._collect(())
        assert isinstance(result, Collected)
        unknown = set(result.unknown)
        here = tuple(uaid for uaid in job.uaids if uaid not in unknown)
        if new := tuple(uaid for uaid in here if uaid not in self.uaids):
            self.uaids.update(new)
            effects.append(Attach(new))
        if unknown:
            self.uaids -= unknown
            self._forget(unknown)
            effects.append(Say({"UNKNOWN": list(result.unknown)}))
        for uaid in here:
            self._unacked.pop(uaid, None)
        if result.update:
            for uaid, versions in result.update.items():
                self._sent.setdefault(uaid, {}).update(versions)
                self._unacked[uaid] = now + self._resend, dict(versions)
            effects.append(Say({"UPDATE": result.update}))
        self._set_due()
        self._tell(result.update, job.uaids)
        return [*effects, *self._collect(())]

    def _tell(self, update: Update, asked: Iterable[str]) -> None:
        done = set(asked)
        waiting, self._told = self._told, []
        for uaid, told in waiting:
            if uaid in done:
                told(uaid in update)
            else:
                self._told.append((uaid, told))

    def _forget(self, uaids: Iterable[str]) -> None:
        for uaid in uaids:
            self._sent.pop(uaid, None)
            self._unacked.pop(uaid, None)
        self._set_due()

    def _postpone(self, uaids: Iterable[str], at: float) -> None:
        for uaid in uaids:
            self._unacked[uaid] = at, self._unacked.get(uaid, (at, {}))[1]
        self._set_due()

    def _set_due(self) -> None:
        self.due = min((at for at, _ in self._unacked.values()), default=math.inf)


def _object(content: object) -> dict[str, object]:
    if not isinstance(content, dict):
        raise Malformed("must be an object")
    return content
