"""What one does with a subscription: try it, rotate its secret, replay."""

from __future__ import annotations

from typing import Annotated

import flask
from pydantic import Discriminator, RootModel, Tag

from integration_server.sdk.envelopes import rfc3339
from integration_server.store.subscriptions import Subscription
from integration_server.store.tokens import Token
from integration_server.web.api.facts import ApiFacts
from integration_server.web.api.operation import Operation, answer
from integration_server.web.api.receivers import Receivers, outward
from integration_server.web.api.subscribing import Subscribing
from integration_server.web.api.subscription_models import (
    ReplayAccepted,
    ReplayFromSerial,
    ReplaySince,
    ReplaySnapshot,
    RotatedSecret,
    TestResult,
)
from integration_server.web.api.subscriptions import WRITE, OwnSubscriptions


def _which(value: object) -> str | None:
    """The member that a replay is named by."""
    named = [key for key in ("from", "since", "snapshot") if isinstance(value, dict) and key in value]
    return named[0] if len(named) == 1 else None


_Replays = Annotated[
    Annotated[ReplayFromSerial, Tag("from")]
    | Annotated[ReplaySince, Tag("since")]
    | Annotated[ReplaySnapshot, Tag("snapshot")],
    Discriminator(
        _which,
        custom_error_type="replay_unnamed",
        custom_error_message='must be {"from": serial}, {"since": time} or {"snapshot": true}',
    ),
]


class Replay(RootModel[_Replays]):
    """What to send again: everything after a serial, everything noticed since a time, or everybody as they are now."""


class SubscriptionActionsApi:
    """The noun."""

    def __init__(self, facts: ApiFacts, receivers: Receivers) -> None:
        self._own = OwnSubscriptions(facts)
        self._subscribing = Subscribing(facts, receivers)

    def operations(self) -> list[Operation]:
        one = "/subscriptions/{id}"
        return [
            Operation(
                "POST",
                f"{one}/test",
                "testSubscription",
                "Send a test event now and say how that went",
                self.test,
                WRITE,
                {200: TestResult},
                problems=(409,),
                description="Its type is test.ping. What the receiver answers is told by its status only. 409: nothing "
                "is sent to a channel.",
            ),
            Operation(
                "POST",
                f"{one}/rotate-secret",
                "rotateSecret",
                "Make a new secret; for 24 hours requests are signed with both",
                self.rotate_secret,
                WRITE,
                {200: RotatedSecret},
                problems=(409,),
            ),
            Operation(
                "POST",
                f"{one}/replay",
                "replay",
                "Send again, from a serial or a time on, or everybody as they are now",
                self.replay,
                WRITE,
                {202: ReplayAccepted},
                body=Replay,
                problems=(409, 410),
                description="Events keep their ids. What waits to be delivered is dropped where the replay has it. The "
                "holder of a channel is told its version once more, if something touched the resource after that "
                "serial; 409: a channel has no snapshot.",
            ),
        ]

    def test(self, token: Token, id: str) -> flask.Response:
        tested = self._subscribing.test(self._own.get(token, id))
        # Never the response: with it, the button would read what stands on internal hosts.
        error = tested.error and outward(tested.error)
        return answer(TestResult(delivered=tested.is_delivered, status=tested.status, error=error))

    def rotate_secret(self, token: Token, id: str) -> flask.Response:
        secret, until = self._subscribing.rotate_secret(self._own.get(token, id))
        return answer(RotatedSecret(secret=secret, previous_until=rfc3339(until)))

    def replay(self, token: Token, id: str, body: Replay) -> flask.Response:
        serial = replayed(self._subscribing, self._own.get(token, id), body)
        return answer(ReplayAccepted(serial=serial), 202)


def replayed(subscribing: Subscribing, one: Subscription, body: Replay) -> int:
    """Begin a replay; the serial after which deliveries go on. Raises Problem."""
    wanted = body.root
    if isinstance(wanted, ReplaySnapshot):
        return subscribing.replay_snapshot(one)
    serial = wanted.start if isinstance(wanted, ReplayFromSerial) else subscribing.serial_at(wanted.since)
    subscribing.replay_from(one, serial)
    return serial
