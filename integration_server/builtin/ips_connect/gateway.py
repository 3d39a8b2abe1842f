"""The frontend: a master's gateway, as version 4 speaks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import flask
from flask import request

from integration_server import (
    ConfigError,
    Frontend,
    FrontendSettings,
    Gateway,
    ImpliedSubscription,
    LoginObserver,
    Subscriber,
)
from integration_server.builtin.ips_connect import calls, propagation
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.chain import Chain
from integration_server.builtin.ips_connect.learning import Learner
from integration_server.builtin.ips_connect.master import Master
from integration_server.builtin.ips_connect.master_key import MasterKey
from integration_server.builtin.ips_connect.people import People
from integration_server.builtin.ips_connect.routes import gateway_blueprint, sent_form
from integration_server.builtin.ips_connect.settings import GatewaySettings
from integration_server.builtin.ips_connect.tables import TABLES


class IpsConnectFrontend(Frontend, Subscriber, LoginObserver):
    """Answers servers in JSON, with status 200 whatever the answer is, and browsers with redirects and pages."""

    type: ClassVar[str] = "ips_connect"
    Settings = GatewaySettings

    def __init__(self, settings: FrontendSettings, gateway: Gateway) -> None:
        assert isinstance(settings, GatewaySettings)
        own = [name for name, type in gateway.backend_types.items() if type == "ips_connect"]
        if len(own) != 1:
            raise ConfigError('backends: name one backend with type = "ips_connect", whose accounts are served')
        storage = gateway.storage(TABLES)
        configured = settings.master_key
        accounts = Accounts(own[0], storage)
        key = MasterKey(own[0], storage, None if configured is None else configured.get_secret_value())
        self._gateway = gateway
        self._master = Master(own[0], accounts, key, gateway, settings)
        self._chain = Chain(own[0], accounts, key, gateway, settings)
        learned = frozenset(settings.propagate if settings.learn_passwords else ())
        self._learner = Learner(accounts, People(own[0], storage), learned)

    @classmethod
    def subscriptions(
        cls, name: str, settings: FrontendSettings, backend_types: Mapping[str, str]
    ) -> Sequence[ImpliedSubscription]:
        assert isinstance(settings, GatewaySettings)
        return propagation.subscriptions(settings, backend_types)

    def login_accepted(self, backend: str, person_id: str, password: str) -> None:
        self._learner.offer(backend, person_id, password)

    def blueprint(self) -> flask.Blueprint:
        return gateway_blueprint("ips_connect", self._answer)

    def _answer(self) -> flask.Response:
        self._gateway.admit(has_token=True)
        # Without a look at what is not there, as with nearly every call.
        form = sent_form() if request.method == "POST" else {}
        call = calls.parse(dict(request.args.lists()), form)
        if isinstance(call, calls.Refusal):
            return _json(calls.refusal_answer(call))
        if call.method.is_browser:
            return self._chain.visit(call)
        return _json(self._master.answer(call, request.remote_addr or ""))


def _json(answer: calls.Answer) -> flask.Response:
    return flask.Response(calls.body(answer), content_type="application/json")
