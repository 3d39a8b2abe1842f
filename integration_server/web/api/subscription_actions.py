"""What one does with a subscription: try it, rotate its secret, replay."""

from __future__ import annotations

from typing import Annotated

import flask
from pydantic import Discriminator, RootModel, Tag

from integration_server.forwarding.delivery.engine import NOTHING_IS_SENT
from integration_server.sdk.envelopes import rfc3339
from integration_server.sdk.errors import ConfigError, DeliveryError
from integration_server.store.tokens import Token
from integration_server.web.api.events import serial_problem
from integration_server.web.api.facts import ApiFacts
from integration_server.web.api.operation import Operation, answer
from integration_server.web.api.problems import Problem, not_found
from integration_server.web.api.receivers import Receivers, outward
from integration_server.web.api.subscription_models import (
    ReplayAccepted,
    ReplayFromSerial,
    ReplaySince,
    ReplaySnapshot,
    RotatedSecret,
    TestResult,
)
from integration_server.web.api.subscriptions import WRITE, OwnSubscriptions

_OVERLAP_SECONDS = 86_400.0


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
        self._store = facts.store.subscriptions
        self._journal = facts.store.journal
        self._own = OwnSubscriptions(facts)
        self._receivers = receivers
        self._engine = facts.engine
        self._clock = facts.clock

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
        mine = self._own.get(token, id)
        if mine.bound_to is not None:
            raise Problem(409, NOTHING_IS_SENT, "channel")
        if self._engine is None:
            raise Problem(503, "this process delivers nothing; ask the one that does", "elsewhere")
        try:
            with self._receivers.asking():
                receipt = self._engine.test(mine.id)
        except KeyError as exc:
            raise not_found("subscription") from exc
        except DeliveryError as exc:
            # Never exc.response: with it, the button would read what stands on internal hosts.
            return answer(TestResult(delivered=False, status=exc.status, error=outward(str(exc))))
        except ConfigError as exc:
            # What was stored once does not fit its consumer any more, or that is no longer loaded.
            return answer(TestResult(delivered=False, status=None, error=str(exc)))
        return answer(TestResult(delivered=True, status=receipt.status, error=None))

    def rotate_secret(self, token: Token, id: str) -> flask.Response:
        mine = self._own.get(token, id)
        if mine.bound_to is not None:
            raise Problem(409, "nothing is sent to a channel, so nothing is signed", "channel")
        secret = self._receivers.new_secret(mine.type)
        if secret is None:
            raise Problem(409, f"receivers of type {mine.type} are not signed to")
        try:
            self._store.rotate_secret(mine.id, secret, _OVERLAP_SECONDS)
        except KeyError as exc:
            raise not_found("subscription") from exc
        return answer(RotatedSecret(secret=secret, previous_until=rfc3339(self._clock() + _OVERLAP_SECONDS)))

    def replay(self, token: Token, id: str, body: Replay) -> flask.Response:
        mine = self._own.get(token, id)
        wanted = body.root
        if isinstance(wanted, ReplaySnapshot):
            if mine.bound_to is not None:
                told = "a channel is told a serial alone: replay it from one, and have its holder ask for the snapshot"
                raise Problem(409, told, "channel")
            is_there, serial = self._store.replay_snapshot(mine.id), self._journal.last_serial()
        else:
            serial = wanted.start if isinstance(wanted, ReplayFromSerial) else self._serial_at(wanted.since)
            pruned, last = self._journal.pruned_serial(), self._journal.last_serial()
            if not pruned <= serial <= last:
                raise serial_problem(serial, pruned, last)
            is_there = self._store.replay_from(mine.id, serial)
        if not is_there:
            raise not_found("subscription")
        return answer(ReplayAccepted(serial=serial), 202)

    def _serial_at(self, since: float) -> int:
        serial = self._journal.serial_at(since)
        if serial is None:
            pruned = self._journal.pruned_serial()
            told = f"events of that time may be gone: serials up to {pruned} are no longer kept; replay from {pruned}, "
            told += "or a snapshot"
            raise Problem(410, told, "serial-pruned", pruned_serial=pruned, last_serial=self._journal.last_serial())
        return serial
