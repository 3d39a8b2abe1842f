"""Channels that a mount's protocol binds to the directory, kept as subscriptions."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from integration_server.sdk.bindings import Binding, Bindings, Mark
from integration_server.sdk.errors import CallerRefused, ConfigError
from integration_server.server.forwarding_parts import Forwarding
from integration_server.store.bound_channels import BoundChannel
from integration_server.store.bound_channels import Mark as StoredMark
from integration_server.store.resources import Resource
from integration_server.store.subscriptions import Subscription, new_subscription_id
from integration_server.store.tokens import Scope, Token

_SCOPE: Scope = "subscriptions:write"
_REALM = 'Bearer realm="integration-server"'
_LONGEST_NAME, _LONGEST_GROUP = 200, 1024
#: How often the store is asked for what other processes wrote.
_POLL_SECONDS = 0.25


class Bound(Bindings):
    """Those of one consumer type."""

    def __init__(self, type: str, forwarding: Forwarding) -> None:
        """Asks nothing. Raises ConfigError for a type whose receivers are called."""
        consumer = forwarding.plugins.consumers.get(type)
        if consumer is None or consumer.takes != "versions":
            raise ConfigError(f"no plugin has a consumer type {type!r} that takes versions")
        self._type = type
        self._forwarding = forwarding
        self._channels = forwarding.store.bound_channels

    def bind(self, name: str, token: str, resource: Mapping[str, object]) -> Binding:
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            raise ValueError(f"a channel's name is 1 to {_LONGEST_NAME} printable characters")
        wanted = _resource(resource)
        owner = self._permitted(token, wanted)
        self._check_room(owner, name)
        now = time.time()
        new = Subscription(
            id=new_subscription_id(),
            owner=owner.id,
            uid=name,
            type=self._type,
            resource=wanted,
            events=("*",),
            settings={},
            secrets=(),
            batch_size=1,
            rate_per_second=None,
            is_coalescing=False,
            is_active=True,
            state="ok",
            state_reason=None,
            created_at=now,
            changed_at=now,
            cursor=0,
        )
        made = self._channels.bind(new)
        if made.id == new.id:
            details = {"token": owner.name, "uid": name, "resource": str(wanted), "host": None}
            self._forwarding.audit.tell("subscription.created", made.id, details)
        return _binding(made)

    def _permitted(self, plain: str, resource: Resource) -> Token:
        """The token, if it may bind to this. Raises CallerRefused."""
        tokens = self._forwarding.store.tokens
        token = tokens.find(plain)
        if token is None:
            challenge = f'{_REALM}, error="invalid_token"'
            raise CallerRefused(401, "this token is unknown, expired or revoked", challenge)
        if _SCOPE not in token.scopes:
            challenge = f'{_REALM}, error="insufficient_scope", scope="{_SCOPE}"'
            told = f"this token has the scopes {', '.join(token.scopes)}; this needs {_SCOPE}"
            raise CallerRefused(403, told, challenge)
        if not token.may_see(resource):
            seen = ", ".join(map(str, token.resources))
            raise CallerRefused(403, f"this token may see {seen}, which does not include {resource}")
        if resource.backend is not None and resource.backend not in self._forwarding.config.backends:
            raise CallerRefused(404, f"there is no backend {resource.backend}")
        return token

    def _check_room(self, token: Token, name: str) -> None:
        """Raises CallerRefused for one more channel than a token may have."""
        most = self._forwarding.config.core.forwarding.channels_per_token
        is_new = self._forwarding.store.subscriptions.by_uid(token.id, name) is None
        if is_new and self._channels.count(token.id) >= most:
            raise CallerRefused(409, f"a token may have {most} channels ([forwarding] channels_per_token)")

    def find(self, ids: Collection[str]) -> Mapping[str, Binding]:
        return {id: _binding(one) for id, one in self._channels.find(ids).items()}

    def pending(self, ids: Collection[str]) -> Mapping[str, int]:
        return _told(self._channels.find(ids, is_pending=True))

    def pending_of(self, resources: Collection[int]) -> Mapping[str, int]:
        return _told(self._channels.pending_of(resources))

    def acknowledge(self, versions: Mapping[str, int]) -> None:
        self._channels.acknowledge(versions)

    def remove(self, ids: Collection[str]) -> None:
        found = self._channels.find(ids)
        self._channels.remove(ids)
        for id in found:
            self._forwarding.audit.tell("subscription.removed", id, {"type": self._type})

    def mark(self) -> Mark:
        return self._channels.mark()

    def changed_since(self, mark: Mark) -> frozenset[int]:
        return self._channels.changed_since(StoredMark(*mark))

    def wait(self, mark: Mark, timeout: float) -> Mark:
        bell = self._forwarding.bell
        until = time.monotonic() + timeout
        rung = bell.count
        while (now := self._channels.mark()) == mark and (left := until - time.monotonic()) > 0:
            rung = bell.wait(rung, min(left, _POLL_SECONDS))
        return now


def _told(found: Mapping[str, BoundChannel]) -> dict[str, int]:
    return {id: one.version for id, one in found.items() if one.is_told}


def _binding(one: BoundChannel) -> Binding:
    return Binding(one.id, one.resource, one.version, one.acknowledged, one.is_told)


def _resource(value: Mapping[str, object]) -> Resource:
    """Raises ValueError."""
    given = [part for part in value.values() if isinstance(part, str)]
    is_text = all(part and part.isprintable() and len(part) <= _LONGEST_GROUP for part in given)
    try:
        found = Resource.from_json(value)
    except ValueError:
        is_text = False
    if not is_text or found.as_json() != dict(value):
        raise ValueError(
            'a resource is {"kind": "all"}, {"kind": "backend", "backend": NAME} or '
            '{"kind": "group", "backend": NAME, "group": NAME}'
        )
    return found
