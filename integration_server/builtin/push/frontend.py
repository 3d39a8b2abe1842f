"""The frontend: the first API over REST, and the endpoints that app servers call."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

import flask
from flask import request

from integration_server import Frontend, FrontendSettings, Gateway, Rates, Service
from integration_server.builtin.push import first_api
from integration_server.builtin.push.bonds import Mark
from integration_server.builtin.push.bound import DirectoryBonds
from integration_server.builtin.push.first_api import Malformed, WrongType
from integration_server.builtin.push.kick_drivers import kick_driver
from integration_server.builtin.push.kicker import Kicker
from integration_server.builtin.push.letters import BondRefused, Collected, Posted, Refusal
from integration_server.builtin.push.office import PostOffice
from integration_server.builtin.push.relay import Relay
from integration_server.builtin.push.relay_office import RelayOffice
from integration_server.builtin.push.session import STATUS
from integration_server.builtin.push.settings import PushSettings
from integration_server.builtin.push.switchboard import Switchboard
from integration_server.builtin.push.tables import TABLES
from integration_server.builtin.push.upstream import Upstream
from integration_server.builtin.push.waking import Unwakeable

logger = logging.getLogger(__name__)

#: Bytes of what an app server sends.
_LARGEST_PUT = 4096
_LONGEST_WAIT = 60
#: Versions may come to other processes, where no bell of ours rings.
_POLL_SECONDS = 0.25
#: While versions come without end, who waits for another one looks so often.
_REST_SECONDS = 0.02
_STATUS = {
    Posted.STORED: 202,
    Posted.HAS_IT: 200,
    Posted.UNKNOWN: 404,
    Posted.REMOVED: 410,
    Posted.BOUND: 403,
    Posted.TOO_OFTEN: 429,
    Posted.IN_FLIGHT: 503,
}
_RETRY_AFTER = {Posted.TOO_OFTEN: "10", Posted.IN_FLIGHT: "1"}
#: Endpoints whose rate is remembered.
_MOST_RATES = 50_000


class PushFrontend(Frontend, Service):
    """One mount. Its service has the WebSocket clients, and forgets what nobody uses."""

    type: ClassVar[str] = "push"
    Settings = PushSettings

    def __init__(self, settings: FrontendSettings, gateway: Gateway) -> None:
        assert isinstance(settings, PushSettings)
        rates = Rates(settings.puts_per_minute, most=_MOST_RATES) if settings.puts_per_minute else None
        self._gateway = gateway
        driver = kick_driver(settings, gateway)
        self._kicker = None if driver is None else Kicker(driver, settings.kick_seconds)
        storage = gateway.storage(TABLES)
        self._office: PostOffice
        self._relay: Callable[[], Relay] | None = None
        if settings.upstream is None:
            bonds = DirectoryBonds(gateway.name, storage, gateway.bindings(self.type))
            self._office = PostOffice(gateway.name, storage, settings.rules, self._kicker, rates, bonds=bonds)
        else:
            upstream = Upstream(gateway.http, settings.upstream, settings.upstream_login, settings.upstream_ca_file)
            office = RelayOffice(gateway.name, storage, settings.rules, upstream, self._kicker, rates)
            office.on_reset = self._drop
            self._office = office
            self._relay = partial(Relay, office, upstream, settings.upstream_wait_seconds)
        self._relaying: Relay | None = None
        self._settings = settings
        #: While this process runs the service.
        self._board: Switchboard | None = None

    def blueprint(self) -> flask.Blueprint:
        blueprint = flask.Blueprint(self.type, __name__)
        calls: tuple[tuple[str, Callable[[], flask.Response]], ...] = (
            ("register", self._register),
            ("connect", self._connect),
            ("ack", self._ack),
            ("unregister", self._unregister),
        )
        for name, view in calls:
            blueprint.add_url_rule(f"/{name}", name, partial(self._called, view), methods=["POST"])
        blueprint.add_url_rule("/update/<token>", "update", self._update, methods=["PUT"])
        return blueprint

    def start(self) -> None:
        settings = self._settings
        board = Switchboard(
            self._office,
            self._public_endpoint,
            settings.manners,
            settings.websocket_clients,
            settings.resend_seconds,
            settings.allow_plain_http,
            None if self._kicker is None else self._kicker.wake,
        )
        listener = None
        if settings.websocket_port is not None:
            listener = self._gateway.listen(
                settings.websocket_host, settings.websocket_port, settings.websocket_clients
            )
            logger.info("mount %s: WebSocket clients are served at %s:%d", self._gateway.name, *listener.getsockname())
        self._board = board
        board.start(listener)
        if self._kicker is not None:
            self._kicker.start(self._office.sleepers, board.is_connected)
        if self._relay is not None:
            self._relaying = self._relay()
            self._relaying.start()

    def stop(self, timeout: float) -> None:
        relaying, self._relaying = self._relaying, None
        if relaying is not None:
            relaying.stop(timeout / 4)
        if self._kicker is not None:
            self._kicker.stop(timeout / 4)
        board, self._board = self._board, None
        if board is not None:
            board.stop(timeout)

    def _drop(self, uaids: Sequence[str]) -> None:
        if (board := self._board) is not None:
            board.drop(uaids)

    # -- user agents -------------------------------------------------------------------------------------------------

    def _called(self, view: Callable[[], flask.Response]) -> flask.Response:
        self._gateway.admit(has_token=True)
        try:
            return view()
        except Malformed as exc:
            return _failed(400, str(exc))

    def _register(self) -> flask.Response:
        wanted = first_api.registration(_sent(), _bearer())
        if wanted.kick is not None and self._kicker is not None:
            try:
                self._kicker.check(wanted.kick)
            except Unwakeable as exc:
                raise Malformed(f"KICK: {exc}") from None
        (done,) = self._office.register([wanted]) if wanted.bond is None else self._office.bind([wanted])
        if isinstance(done, BondRefused):
            response = _failed(done.status, done.reason)
            if done.challenge is not None:
                response.headers["WWW-Authenticate"] = done.challenge
            return response
        if isinstance(done, Refusal):
            return _failed(STATUS[done], done.value)
        return _json({"UAID": done.uaid, "APPID": done.channel, "ENDPOINT": self._endpoint(done.token)})

    def _unregister(self) -> flask.Response:
        self._office.unregister([first_api.removal(_sent())])
        return _nothing(204)

    def _connect(self) -> flask.Response:
        wait = _wait(request.args.get("wait"))
        uaids = first_api.uaids(_sent().get("UAIDS"))
        found = self._collected(uaids, wait)
        if len(found.unknown) == len(uaids):
            return _json({**first_api.collected(found), "error": "no such user agent; register again"}, 410)
        return _json(first_api.collected(found)) if found.update or found.unknown else _nothing(204)

    def _ack(self) -> flask.Response:
        ack = first_api.ack(_sent().get("UAIDS"))
        self._office.confirm(ack.uaids, ack.received)
        return _nothing(204)

    def _collected(self, uaids: tuple[str, ...], wait: int) -> Collected:
        bell = self._office.bell
        rung, stamp = bell.count, self._stamp()
        found = self._office.collect(uaids)
        if found.update or found.unknown or not wait:
            return found
        ends = time.monotonic() + wait
        with self._gateway.waiting() as may_wait:
            while may_wait and not self._gateway.is_stopping and (left := ends - time.monotonic()) > 0:
                rung = bell.wait(rung, min(left, _POLL_SECONDS))
                if (latest := self._stamp()) != stamp:
                    stamp, found = latest, self._office.collect(uaids)
                    if found.update or found.unknown:
                        break
                    time.sleep(_REST_SECONDS)
        return found

    def _stamp(self) -> tuple[int, Mark]:
        """Another one when something may have come."""
        return self._office.last_change(), self._office.mark()

    def _endpoint(self, token: str) -> str:
        if self._settings.public_url is not None or self._settings.upstream is not None:
            return self._public_endpoint(token)
        return flask.url_for(".update", token=token, _external=True)

    def _public_endpoint(self, token: str) -> str:
        if self._settings.upstream is not None:
            # It comes whole from there.
            return token
        return f"{(self._settings.public_url or '').rstrip('/')}/update/{token}"

    # -- app servers -------------------------------------------------------------------------------------------------

    def _update(self, token: str) -> flask.Response:
        """Open to everybody who knows the endpoint, as the protocol wants it."""
        size = request.content_length or 0
        if size > _LARGEST_PUT:
            return _failed(413, f"a version is all there is to send; {_LARGEST_PUT} bytes are the limit")
        try:
            version = first_api.put_version(
                # The server has read it already, to its end.
                request.environ["wsgi.input"].read(size) if size else b"",
                request.environ.get("CONTENT_TYPE", ""),
                request.environ.get("QUERY_STRING", ""),
            )
        except WrongType as exc:
            return _failed(415, str(exc))
        except Malformed as exc:
            return _failed(400, str(exc))
        receipt = self._office.put(token, version)
        status = _STATUS[receipt.posted]
        if receipt.posted is Posted.STORED:
            board = self._board
            if board is not None and board.hand(receipt.uaid, receipt.channel, receipt.version):
                status = 200
        if status < 300:
            return _nothing(status)
        response = _failed(status, receipt.posted.value)
        if (pause := _RETRY_AFTER.get(receipt.posted)) is not None:
            response.headers["Retry-After"] = pause
        return response


def _sent() -> dict[str, object]:
    return first_api.decoded(request.get_data(cache=False))


def _bearer() -> str | None:
    """The bearer token of the request; where the mount has a password of its own, it comes in the message."""
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _wait(text: str | None) -> int:
    if text is None or not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 5 and int(text) <= _LONGEST_WAIT):
        raise Malformed(f"wait: must be a whole number of seconds from 0 to {_LONGEST_WAIT}")
    return int(text)


def _json(value: object, status: int = 200) -> flask.Response:
    return flask.Response(json.dumps(value, separators=(",", ":")), status, content_type="application/json")


def _failed(status: int, message: str) -> flask.Response:
    return _json({"error": message}, status)


def _nothing(status: int) -> flask.Response:
    """Without a body, and without a type of it."""
    response = flask.Response(status=status)
    del response.headers["Content-Type"]
    return response
