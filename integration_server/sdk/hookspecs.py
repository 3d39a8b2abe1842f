"""Every hook there is. pluggy discovers and observes; it does not dispatch logins or lists.

A hook arrives here only together with a shipped plugin that uses it. Every hook is collected once, at the start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import pluggy

from integration_server.sdk.commands import Desk
from integration_server.sdk.consumers import Consumer
from integration_server.sdk.contracts import Backend
from integration_server.sdk.gateway import Frontend
from integration_server.sdk.model import Hidden, User

if TYPE_CHECKING:
    import click

PROJECT = "integration_server"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Waker(Protocol):
    """The hook ``wake_consumer`` of one plugin."""

    def __call__(self, *, mount: str, consumer: str, kick: Mapping[str, object]) -> None: ...


@hookspec
def register_backends() -> Sequence[type[Backend]]:
    """Return the backend classes of this plugin; each ``type`` may exist once. An empty sequence is fine."""
    raise NotImplementedError


@hookspec
def register_frontends() -> Sequence[type[Frontend]]:
    """Return the frontend classes of this plugin; each ``type`` may exist once."""
    raise NotImplementedError


@hookspec
def transform_user(user: User) -> User | Hidden:
    """Return the user, changed or not, or HIDDEN to leave them out, from lists and logins alike.

    Called for each user after mapping, in plugin order, each plugin seeing what the one before it returned. ``id`` and
    ``backend`` must stay; a changed ``username`` needs ``username_index = true`` on the backend. Any exception, or
    None, makes the whole listing or login fail (unavailable): a filter that broke must not let people through.
    """
    raise NotImplementedError


@hookspec
def register_consumers() -> Sequence[type[Consumer]]:
    """Return the consumer classes of this plugin; each ``type`` may exist once."""
    raise NotImplementedError


@hookspec
def register_commands(desk: Desk) -> Sequence[click.Command]:
    """Return commands of ``integration-server``, each under its own name, which no other command has.

    Called only when a command line names a command that is not the server's own, or asks for all of them; ``desk`` is
    what the commands open and print with. Nothing may be opened yet.
    """
    raise NotImplementedError


@hookspec
def audit(action: str, subject: str, details: Mapping[str, object]) -> None:
    """Called after something happened that a person may want to know. What it raises is logged and changes nothing.

    ``action`` is one of: ``sync.held``, ``sync.applied``, ``sync.discarded``, ``sync.approved`` (``subject`` is the
    backend); ``list.accepted`` (the frontend); ``guard.raised``, ``guard.lowered`` where somebody lifted a guard once
    or put it back, ``guard.passed`` where something went through for that (the frontend or the backend);
    ``login.tried`` where an administrator did (the user name); ``subscription.created``, ``subscription.changed`` and
    ``subscription.removed`` where that was done over the API or in the dashboard, or a channel was bound or
    unregistered, ``subscription.paused``, ``subscription.resumed``, ``subscription.replayed`` and
    ``subscription.secret_rotated`` where that was done in the dashboard, ``subscription.quarantined``,
    ``subscription.recovered``, ``subscription.ended`` (the subscription), ``delivery.dead``, and ``delivery.retried``
    and ``delivery.skipped`` where that was done in the dashboard (the subscription), ``token.created``,
    ``token.revoked`` (the token's name), ``token.rotated`` (the frontend), ``throttle.cleared`` (the user name, or
    ``(everybody)``), ``session.ended`` (the administrator). ``details`` holds plain JSON values, never a secret.
    """
    raise NotImplementedError


@hookspec
def wake_consumer(mount: str, consumer: str, kick: Mapping[str, object]) -> None:
    """Called when something waits for a consumer that is not connected (``kick = "plugin"`` of a push server).

    ``mount`` is the frontend's name, ``consumer`` the id by which its client is known, which is a secret between the
    two, and ``kick`` what that client told about how it is woken: plain JSON, by a stranger, so check it. Return when
    the wake-up is on its way. Nobody waits for it but the next wake-ups; what it raises is logged by its type alone.
    """
    raise NotImplementedError
