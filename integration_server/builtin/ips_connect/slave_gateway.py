"""The frontend: the gateway of a slave, where its master pushes changes and leads browsers through."""

from __future__ import annotations

import logging
from typing import ClassVar

import flask
from flask import request

from integration_server import ConfigError, Frontend, FrontendSettings, Gateway, StoreUnavailable, parse_url
from integration_server.builtin.ips_connect import calls, pages
from integration_server.builtin.ips_connect.calls import Call
from integration_server.builtin.ips_connect.enrolment import MasterRecord
from integration_server.builtin.ips_connect.master_key import MasterKey
from integration_server.builtin.ips_connect.methods import Status
from integration_server.builtin.ips_connect.pages import Reason
from integration_server.builtin.ips_connect.places import plain_url
from integration_server.builtin.ips_connect.remote_copy import Copy
from integration_server.builtin.ips_connect.remote_settings import SlaveGatewaySettings
from integration_server.builtin.ips_connect.routes import gateway_blueprint, sent_form
from integration_server.builtin.ips_connect.slave_calls import SlaveCalls
from integration_server.builtin.ips_connect.tables import TABLES

logger = logging.getLogger(__name__)

#: What skips this slave instead of stopping the browser here.
_SKIPPED = (Status.BAD_KEY, Status.DISABLED)


class SlaveFrontend(Frontend):
    """Takes what a master pushes into the copy of its accounts. Nobody has a session here, so that browsers that are to
    be logged in or out are sent on."""

    type: ClassVar[str] = "ips_connect_slave"
    Settings = SlaveGatewaySettings

    def __init__(self, settings: FrontendSettings, gateway: Gateway) -> None:
        assert isinstance(settings, SlaveGatewaySettings)
        if list(gateway.backend_types.values()) != ["ips_connect_remote"]:
            raise ConfigError('backends: name one backend with type = "ips_connect_remote", and no other')
        (backend,) = gateway.backend_types
        storage = gateway.storage(TABLES)
        self._gateway = gateway
        self._settings = settings
        self._master = MasterRecord(backend, storage)
        # The backend puts a configured key there.
        self._key = MasterKey(backend, storage, None)
        self._calls = SlaveCalls(gateway.name, Copy(backend, storage), self._key.value, settings.master_networks)

    def blueprint(self) -> flask.Blueprint:
        return gateway_blueprint("ips_connect_slave", self._answer)

    def _answer(self) -> flask.Response:
        self._gateway.admit(has_token=True)
        call = calls.parse(dict(request.args.lists()), sent_form())
        if isinstance(call, calls.Refusal):
            return _json(calls.refusal_answer(call))
        if call.method.is_browser:
            return self._visited(call)
        if call.is_slave_call and not self._settings.is_active:
            return self._switched_off(call)
        return _json(self._calls.answer(call, request.remote_addr or ""))

    def _switched_off(self, call: Call) -> flask.Response:
        """The master forgets us on hearing this; so that the backend tells it of us again, once this is on again."""
        if calls.refused(call, self._key.value()) is not Status.BAD_KEY:
            self._master.forget_registration()
        return _json(calls.answer(Status.DISABLED))

    # -- browsers ----------------------------------------------------------------------------------------------------

    def _visited(self, call: Call) -> flask.Response:
        """A redirect or a page, also while the store cannot be asked: then as without the right key."""
        try:
            return self._led_on(call)
        except StoreUnavailable as exc:
            logger.error("mount %s: %s: %s", self._gateway.name, call.method.name, exc)
        host = _host(call.value("returnTo"))
        if host is None or host != _host(request.referrer or ""):
            return pages.outage(None)
        return _redirect(call.value("returnTo"))

    def _led_on(self, call: Call) -> flask.Response:
        """On to where the master wants the browser back. Without the right key, or while this is off, only where the
        browser comes from there: strangers cannot make links that lead through us to anywhere."""
        if not call.is_slave_call:
            return pages.refusal(Reason.REQUEST_NOT_SLAVE_IS_SLAVE, None)
        refused = calls.refused(call, self._key.value()) if self._settings.is_active else Status.DISABLED
        if refused is not None and refused not in _SKIPPED:
            return pages.refusal(Reason.REQUEST_MISSING_DATA, None)
        host = _host(call.value("returnTo"))
        if refused is not None and host != _host(request.referrer or ""):
            return pages.refusal(Reason.BAD_KEY, None)
        if host is None or (refused is None and not self._is_known(host)):
            return pages.refusal(Reason.INVALID_REDIRECTION, None)
        return _redirect(call.value("returnTo"))

    def _is_known(self, host: str) -> bool:
        if host in self._settings.known_hosts:
            return True
        known = self._master.read()
        return known is not None and host == known.host


def _host(url: str) -> str | None:
    """The host of an absolute http or https URL, None for anything else."""
    try:
        return parse_url(url).host
    except ValueError:
        return None


def _json(answer: calls.Answer) -> flask.Response:
    return flask.Response(calls.body(answer), content_type="application/json")


def _redirect(url: str) -> flask.Response:
    """To the very URL, whose state is the master's, unless it is not in the form in which URLs are sent."""
    is_script = request.headers.get("X-Requested-With", "").lower() == "xmlhttprequest"
    return pages.redirect(url if url.isascii() else plain_url(url), is_script)
