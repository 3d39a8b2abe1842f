"""Subscriptions: who is told of changes, the channels that ask by themselves, and all that is known about one."""

from __future__ import annotations

from collections.abc import Sequence

import flask

from integration_server.forwarding.subscriptions import masked_settings
from integration_server.sdk.consumers import Signing
from integration_server.sdk.errors import CallerRefused
from integration_server.store.subscriptions import BY_HAND, CONFIG_OWNER, Subscription
from integration_server.web.dashboard import asked
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.rendering import Rendering
from integration_server.web.dashboard.route import Route, Visit
from integration_server.web.dashboard.subscription_forms import Form, form_of, new_form
from integration_server.web.dashboard.subscription_words import Owners, Shown, table_of

_PAGE = 50
#: No page counts further.
MOST_COUNTED = 1_000
_MOST_CHANNELS = 100_000
_TRIES = 10
#: Settings that are columns, shown by themselves.
_COLUMNS = frozenset({"type", "url"})
LIST, NEW, ONE, CHANNELS = "/subscriptions", "/subscriptions/new", "/subscriptions/one", "/subscriptions/channels"
OWNERS = {CONFIG_OWNER: "the configuration", "dashboard": "the dashboard", "cli": "the command line"}


class Subscriptions:
    """The pages that only show."""

    def __init__(self, facts: DashboardFacts, rendering: Rendering) -> None:
        self._facts = facts
        self._store = facts.store
        self._rendering = rendering

    def routes(self) -> list[Route]:
        return [
            Route("GET", LIST, "subscriptions", self.page),
            Route("GET", CHANNELS, "channels", self.channels),
            Route("GET", NEW, "subscription_form", self.new),
            Route("GET", ONE, "subscription", self.show),
        ]

    # -- many --------------------------------------------------------------------------------------------------------

    def page(self, visit: Visit) -> flask.Response:
        """Those to which something is delivered, and how many channels there are."""
        owner, words, after = asked.text("owner"), asked.search("q"), _after()
        found = self._store.subscriptions.delivered_page(after, _PAGE + 1, owner, words)
        shown, owners = found[:_PAGE], Owners(self._facts)
        more = {"after": repr(shown[-1].created_at), "after_id": shown[-1].id} if len(found) > _PAGE else None
        is_first = after == (0.0, "") and owner is None and words is None
        channels = self._store.bound_channels.count_by_owner(_MOST_CHANNELS) if is_first else {}
        return self._rendering.page(
            "subscriptions.html",
            visit,
            subscriptions=self.shown(shown, owners),
            owner=owner,
            words=words,
            owners={**OWNERS, **({owner: owners.words(owner)} if owner is not None else {})},
            more=more,
            waiting_for_start=self._not_begun() if is_first else [],
            channels=[(id, owners.words(id), count) for id, count in channels.items()],
            is_counted=sum(channels.values()) < _MOST_CHANNELS,
            most=MOST_COUNTED,
        )

    def shown(self, found: Sequence[Subscription], owners: Owners | None = None) -> list[Shown]:
        """With what is known about them beside their settings."""
        owners = owners or Owners(self._facts)
        last = self._store.journal.last_serial()
        counts = self._store.deliveries.counts_up_to(MOST_COUNTED, [one.id for one in found])
        return [
            Shown(
                one,
                owners.words(one.owner),
                table_of(one, self._facts.tables),
                counts.get(one.id, {}),
                max(0, last - one.cursor),
            )
            for one in found
        ]

    def _not_begun(self) -> list[str]:
        """Names in the configuration that no process has brought into the store yet."""
        find = self._store.subscriptions.by_uid
        return [name for name in self._facts.tables if find(CONFIG_OWNER, name) is None]

    def channels(self, visit: Visit) -> flask.Response:
        """The channels of one token, by name."""
        owner, after = asked.needed("owner"), asked.text("after") or ""
        found = self._store.bound_channels.page(owner, after, _PAGE + 1)
        return self._rendering.page(
            "channels.html",
            visit,
            channels=[Shown(one, "", None, {}, max(0, version - one.cursor)) for one, version in found[:_PAGE]],
            owner=owner,
            owner_words=Owners(self._facts).words(owner),
            after=after,
            more=found[_PAGE - 1][0].uid if len(found) > _PAGE else None,
        )

    # -- one ---------------------------------------------------------------------------------------------------------

    def new(self, visit: Visit) -> flask.Response:
        return self.form_page(visit, new_form())

    def form_page(self, visit: Visit, form: Form) -> flask.Response:
        """The form of a new one, as far as it is filled in."""
        return self._rendering.page(
            "subscription_form.html",
            visit,
            422 if form.faults else 200,
            form=form,
            kinds=[(kind, kind) for kind in self._facts.receivers.kinds],
            backends=sorted(self._facts.config.backends),
            last_serial=self._store.journal.last_serial(),
        )

    def show(self, visit: Visit) -> flask.Response:
        return self.one_page(visit, self.found())

    def found(self) -> Subscription:
        """The one that the request names. Raises CallerRefused."""
        id = asked.text("id")
        one = self._store.subscriptions.get(id) if id is not None else None
        if one is None:
            raise CallerRefused(404, "There is no such subscription. It may have been removed.")
        return one

    def one_page(
        self, visit: Visit, one: Subscription, status: int = 200, form: Form | None = None, fault: str | None = None
    ) -> flask.Response:
        """Everything about one. ``form`` is what was sent and is wrong, ``fault`` why nothing was done."""
        (shown,) = self.shown([one])
        consumer = self._facts.plugins.consumers.get(one.type)
        chosen = form or form_of(one)
        return self._rendering.page(
            "subscription.html",
            visit,
            status,
            shown=shown,
            one=one,
            form=chosen,
            fault=fault,
            is_wrong=form is not None,
            settings=self._settings(one),
            secrets=[kept for kept in one.secrets if kept.until is None or kept.until > self._facts.clock()],
            has_secret=consumer is not None and issubclass(consumer, Signing) and not one.settings.get("secret"),
            has_address=one.type in self._facts.receivers.kinds,
            is_loaded=consumer is not None,
            is_by_hand=one.owner in BY_HAND,
            backends=sorted({*self._facts.config.backends, *filter(None, [chosen.values["backend"]])}),
            last_serial=self._store.journal.last_serial(),
            channel_version=self._version(one),
            can_test=self._facts.api.engine is not None,
            attempts=self._store.deliveries.attempts(one.id, limit=_TRIES),
            most=MOST_COUNTED,
        )

    def _settings(self, one: Subscription) -> list[tuple[str, object]] | None:
        found = masked_settings(one, self._facts.plugins.consumers, self._facts.config.base_dir)
        if found is None:
            return None
        return [(key, _told(value)) for key, value in found.items() if key not in _COLUMNS]

    def _version(self, one: Subscription) -> int | None:
        found = self._store.bound_channels.find([one.id]) if one.bound_to is not None else {}
        return found[one.id].version if one.id in found else None


def _told(value: object) -> object:
    if isinstance(value, dict):
        return "\n".join(f"{name}: {content}" for name, content in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return {None: "not set", True: "yes", False: "no"}.get(value, value) if isinstance(value, bool | None) else value


def _after() -> tuple[float, str]:
    """Where the page begins."""
    try:
        return float(asked.text("after") or 0.0), asked.text("after_id") or ""
    except ValueError:
        return 0.0, ""
