"""The API over a real store, called through WSGI."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import flask
import pytest
from werkzeug.test import Client, TestResponse

from integration_server import ConsumerContext, Deadline, Delivery, Receipt, Watchdog, ping_event
from integration_server.builtin.webhook import WebhookConsumer, WebhookSettings
from integration_server.forwarding.audit import Audit
from integration_server.sdk.http import HttpClient
from integration_server.store import Store
from integration_server.store.bell import Bell
from integration_server.store.engine import writing
from integration_server.store.journal import Change
from integration_server.store.resources import Resource
from integration_server.store.schema import journal_state, metadata
from integration_server.store.tokens import SCOPES, Scope
from integration_server.web.api import ApiFacts, BackendFacts, create_api
from integration_server.web.app import create_app
from integration_server.web.proxy import TrustedProxies
from tests.directory.house import empty_store
from tests.receiver import LocalReceiver

__all__ = ["empty_store"]

ALL = Resource()
HQ = Resource("backend", "hq")
BRANCH = Resource("backend", "branch")
STAFF = Resource("group", "hq", "staff")


OPERATIONS = [
    ("GET", "/resources"),
    ("GET", "/event-types"),
    ("GET", "/events"),
    ("GET", "/snapshot"),
    ("GET", "/subscriptions"),
    ("POST", "/subscriptions"),
    ("GET", "/subscriptions/ID"),
    ("PUT", "/subscriptions/ID"),
    ("PATCH", "/subscriptions/ID"),
    ("DELETE", "/subscriptions/ID"),
    ("POST", "/subscriptions/ID/test"),
    ("POST", "/subscriptions/ID/rotate-secret"),
    ("POST", "/subscriptions/ID/replay"),
    ("GET", "/subscriptions/ID/deliveries"),
    ("POST", "/subscriptions/ID/deliveries/retry"),
    ("GET", "/subscriptions/ID/attempts"),
    ("POST", "/deliveries/7/retry"),
    ("POST", "/deliveries/7/skip"),
    ("GET", "/sync"),
    ("GET", "/sync/hq"),
    ("GET", "/sync/hq/changes"),
    ("POST", "/sync/hq/apply"),
    ("POST", "/sync/hq/discard"),
    ("POST", "/sync/hq/scan"),
]


class Sender:
    """Sends a test event as the engine does, but without an engine around it."""

    def __init__(self, store: Store, context: Callable[[str], ConsumerContext]) -> None:
        self._store = store
        self._context = context

    def test(self, subscription_id: str) -> Receipt:
        subscription = self._store.subscriptions.get(subscription_id)
        assert subscription is not None
        consumer = WebhookConsumer(WebhookSettings(**subscription.settings), self._context(subscription_id))
        event = ping_event(0.0)
        secrets = subscription.active_secrets(0.0)
        return consumer.deliver(Delivery(event.id, subscription_id, (event,), 1, False, secrets), Deadline(10))


@dataclass
class Api:
    """The application, and what stands behind it. ``plain`` is the token that calls unless another is given."""

    facts: ApiFacts
    told: list[tuple[str, str, dict[str, Any]]]
    app: flask.Flask = field(init=False)
    plain: str = field(init=False)

    def __post_init__(self) -> None:
        self.app = create_app({}, create_api(self.facts))
        self.plain = self.token(*SCOPES)

    @property
    def store(self) -> Store:
        return self.facts.store

    def changed(self, **facts: Any) -> Api:
        """The same with other facts."""
        api = Api.__new__(Api)
        api.facts, api.told, api.plain = replace(self.facts, **facts), self.told, self.plain
        api.app = create_app({}, create_api(api.facts))
        return api

    def token(self, *scopes: Scope, sees: Sequence[Resource] = (ALL,)) -> str:
        """A new token's plain text."""
        name = f"token {len(self.store.tokens.all())}"
        return self.store.tokens.create(name, scopes or SCOPES, sees)[1]

    def call(self, method: str, path: str, *, token: str | None = "", **options: Any) -> TestResponse:
        """``token`` is None for none, and left out for the usual one."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers.setdefault("Authorization", f"Bearer {token or self.plain}")
        path = path if path.startswith("/api") else f"/api/v1{path}"
        environ = {"REMOTE_ADDR": options.pop("caller", "127.0.0.1")}
        client = Client(TrustedProxies(self.app, ["10.9.9.9"]))
        return client.open(path, method=method, headers=headers, environ_base=environ, **options)

    def get(self, path: str, **options: Any) -> Any:
        """The JSON of a 200."""
        response = self.call("GET", path, **options)
        assert response.status_code == 200, response.text
        assert response.content_type == "application/json"
        return response.get_json()

    def post(self, path: str, body: object = None, **options: Any) -> TestResponse:
        return self.call("POST", path, **({"json": body} if body is not None else {}), **options)

    def problem(self, status: int, kind: str | None, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The problem document of an answer that must be one."""
        response = self.call(method, path, **options)
        assert response.status_code == status, response.text
        assert response.content_type == "application/problem+json"
        document: dict[str, Any] = response.get_json()
        assert document["status"] == status
        assert document["type"] == (f"urn:problem-type:integration-server:{kind}" if kind else "about:blank"), document
        return document

    def subscribe(self, **members: Any) -> dict[str, Any]:
        """A new subscription, as it was answered."""
        token = members.pop("token", "")
        response = self.post("/subscriptions", {"url": "https://receiver.example/hook", **members}, token=token)
        assert response.status_code == 201, response.text
        found: dict[str, Any] = response.get_json()
        return found

    # -- people ------------------------------------------------------------------------------------------------------

    def put(self, backend: str, person_id: str, *groups: str, **fields: object) -> None:
        """Let somebody come, or change."""
        document = person(person_id, *groups, **fields)
        digest = repr(document).encode()[-16:].ljust(16)
        self.apply(backend, Change("update", person_id, digest, document))

    def remove(self, backend: str, person_id: str) -> None:
        self.apply(backend, Change("delete", person_id))

    def apply(self, backend: str, *changes: Change) -> None:
        self.store.journal.apply(backend, changes, self.store.journal.last_serial())
        self.facts.bell.ring()


def person(person_id: str, *groups: str, **fields: object) -> dict[str, object]:
    address = {"address": f"{person_id}@example.test", "is_verified": True, "is_preferred": True}
    return {
        "id": person_id,
        "username": person_id,
        "full_name": person_id.title(),
        "distinguished_name": f"cn={person_id}",
        "emails": [address],
        "groups": list(groups),
        "nickname": None,
        "biography": None,
        "tz": None,
        "state": "active",
        **fields,
    }


def _api(store: Store, folder: Path, http: HttpClient) -> Api:
    told: list[tuple[str, str, dict[str, Any]]] = []
    watchdog = Watchdog()

    def context(subscription_id: str) -> ConsumerContext:
        return ConsumerContext(subscription_id, http, watchdog, folder, time.time)

    def audit(action: str, subject: str, details: Any) -> None:
        told.append((action, subject, dict(details)))

    facts = ApiFacts(
        store=store,
        backends={"hq": BackendFacts("sql", True), "branch": BackendFacts("csv", False)},
        consumers={"webhook": WebhookConsumer},
        bell=Bell(),
        audit=Audit([audit]),
        spool=folder / "spool",
        engine=Sender(store, context),
        context=context,
    )
    return Api(facts, told)


@pytest.fixture
def http() -> Iterator[HttpClient]:
    client = HttpClient(["127.0.0.0/8"], Watchdog())
    yield client
    client.close()


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Store]:
    """Opening a store takes longer than most tests."""
    folder = tmp_path_factory.mktemp("api store")
    shutil.copy(empty_store, folder / "store.db")
    store = Store("", folder)
    yield store
    store.close()


@pytest.fixture
def api(tmp_path: Path, shared_store: Store, http: HttpClient) -> Api:
    """On SQLite, with nothing in the store."""
    return empty_api(shared_store, tmp_path, http)


def empty_api(store: Store, folder: Path, http: HttpClient) -> Api:
    """With nothing in the store."""
    with writing(store._engine) as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        connection.execute(journal_state.insert().values(id=1, last_serial=0, pruned_serial=0))
    return _api(store, folder, http)


@pytest.fixture
def own_api(tmp_path: Path, empty_store: Path, http: HttpClient) -> Iterator[Api]:
    """With a store that the test may break."""
    shutil.copy(empty_store, tmp_path / "store.db")
    store = Store("", tmp_path)
    yield _api(store, tmp_path, http)
    store.close()


@pytest.fixture
def api_on_postgresql(tmp_path: Path, postgresql: Any, http: HttpClient) -> Iterator[Api]:
    store = Store(postgresql.create_database(), tmp_path)
    yield _api(store, tmp_path, http)
    store.close()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[LocalReceiver]:
    folder = tmp_path / "receiver"
    folder.mkdir()
    with LocalReceiver(folder) as opened:
        yield opened


@pytest.fixture
def later() -> Iterator[Callable[[float, Callable[[], object]], None]]:
    """``later(0.2, what)``: do something from another thread."""
    timers: list[threading.Timer] = []

    def start(seconds: float, what: Callable[[], object]) -> None:
        timers.append(threading.Timer(seconds, what))
        timers[-1].start()

    yield start
    for timer in timers:
        timer.join()
