"""What an administrator does with subscriptions. The logic is the API's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import flask

from integration_server.sdk.errors import CallerRefused
from integration_server.store.resources import Resource
from integration_server.store.subscriptions import DASHBOARD_OWNER, Subscription
from integration_server.web.api.problems import Problem
from integration_server.web.api.resources import resource_of
from integration_server.web.api.subscribing import Subscribing
from integration_server.web.api.subscription_actions import replayed
from integration_server.web.dashboard import asked
from integration_server.web.dashboard.access import Access
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.rendering import Rendering, moment
from integration_server.web.dashboard.route import Route, Visit
from integration_server.web.dashboard.running import Running, until
from integration_server.web.dashboard.subscription_forms import (
    Faults,
    Form,
    changes,
    faults_of,
    new_subscription,
    replay,
    sent_form,
    sentence,
)
from integration_server.web.dashboard.subscriptions import LIST, NEW, ONE, Subscriptions

#: What is in the form would take back what somebody else did.
_MEANWHILE = (
    "Somebody changed it after you had loaded the page, so nothing was changed. Compare the fields with the settings "
    "above, and save again if you mean them."
)
#: Of what a receiver answered.
_LONGEST_ANSWER = 500


class SubscriptionActions:
    """The forms of the pages of ``Subscriptions``."""

    def __init__(self, facts: DashboardFacts, rendering: Rendering, access: Access) -> None:
        self._facts = facts
        self._store = facts.store.subscriptions
        self._subscribing = Subscribing(facts.api, facts.receivers)
        self._running = Running(facts)
        self._pages = Subscriptions(facts, rendering)
        self._rendering = rendering
        self._access = access

    def routes(self) -> list[Route]:
        does = {
            "edit": self.edit,
            "test": self.test,
            "rotate": self.rotate,
            "pause": self.pause,
            "resume": self.resume,
            "replay": self.replay,
            "remove": self.remove,
        }
        one = [
            Route("POST", f"{LIST}/{what}", f"subscription_{what}", partial(self._on, do)) for what, do in does.items()
        ]
        return [Route("POST", NEW, "subscription_new", self.create), *one]

    def _on(self, do: Callable[[Visit, Subscription], flask.Response], visit: Visit) -> flask.Response:
        one = self._pages.found()
        try:
            return do(visit, one)
        except Problem as problem:
            if problem.status == 404:
                raise CallerRefused(404, "There is no such subscription. It may have been removed.") from problem
            # 410 would say that the page is gone.
            status = 409 if problem.status == 410 else problem.status
            fault = " ".join(faults_of(problem).values())
            return self._pages.one_page(visit, one, status, fault=f"{fault} Nothing was done.")

    def _done(self, one: Subscription, told: str) -> flask.Response:
        self._access.leave_notice(told)
        return self._rendering.see(ONE, id=one.id)

    # -- made and changed --------------------------------------------------------------------------------------------

    def create(self, visit: Visit) -> flask.Response:
        form = sent_form()
        try:
            body = new_subscription(form)
            resource = self._known(Resource() if body.resource is None else resource_of(body.resource))
            if self._store.by_uid(DASHBOARD_OWNER, body.uid or "") is not None:
                raise self._subscribing.uid_taken(DASHBOARD_OWNER, body.uid)
            settings = self._subscribing.receiver(body)
            made, secret = self._subscribing.create(DASHBOARD_OWNER, body, resource, settings)
        except Problem as problem:
            return self._pages.form_page(visit, form.at_fault(faults_of(problem)))
        self._running.tell("created", visit, made)
        if secret is None:
            return self._done(made, f"{made.uid} is told of changes from now on.")
        return self._secret_page(visit, made, secret, None)

    def _secret_page(self, visit: Visit, one: Subscription, secret: str, until: float | None) -> flask.Response:
        name = one.uid or one.id
        after = f"Until {moment(until)}, what is sent is signed with the secret of before, too." if until else None
        return self._rendering.page(
            "secret.html",
            visit,
            heading=f"Secret of {name}",
            told="The secret is shown this once. Give it to the receiver, which verifies signatures with it.",
            secret=secret,
            after=after,
            back=ONE,
            back_words=f"To the subscription {name}",
            back_id=one.id,
        )

    def edit(self, visit: Visit, one: Subscription) -> flask.Response:
        (shown,) = self._pages.shown([one])
        if not shown.is_editable:
            raise Problem(409, "its settings are not an administrator's to change here")
        form = sent_form()
        try:
            changed = self._changed(one, form)
        except Problem as problem:
            if problem.status == 404:
                raise
            return self._pages.one_page(visit, one, 422, form=form.at_fault(faults_of(problem)))
        self._running.tell("changed", visit, changed)
        return self._done(one, "The changes are saved, and in force within a second.")

    def _changed(self, one: Subscription, form: Form) -> Subscription:
        if asked.text("changed_at") not in (None, repr(one.changed_at)):
            raise Faults({"form": _MEANWHILE})
        body = changes(form, one, has_address=one.type in self._facts.receivers.kinds)
        names = frozenset(body.model_fields_set)
        resource = self._known(resource_of(body.resource)) if "resource" in names else None
        return self._subscribing.change(one, body, names, resource)

    def _known(self, resource: Resource) -> Resource:
        if resource.backend is not None and resource.backend not in self._facts.config.backends:
            raise Faults({"backend": f"There is no backend {resource.backend}."})
        return resource

    def remove(self, visit: Visit, one: Subscription) -> flask.Response:
        self._running.remove(visit, one)
        self._access.leave_notice(f"{one.uid or one.id} is told nothing any more.")
        return self._rendering.see(LIST)

    # -- running -----------------------------------------------------------------------------------------------------

    def test(self, visit: Visit, one: Subscription) -> flask.Response:
        tested = self._subscribing.test(one)
        status = f" Its answer had the status {tested.status}." if tested.status is not None else ""
        answered = f" It said: {tested.response[:_LONGEST_ANSWER]}" if tested.response else ""
        if tested.is_delivered:
            return self._done(one, f"The receiver took a test event.{status}{answered}")
        told = f"The receiver did not take a test event: {sentence(tested.error or 'it did not say why')}"
        return self._done(one, f"{told}{status}{answered}")

    def rotate(self, visit: Visit, one: Subscription) -> flask.Response:
        secret, until = self._subscribing.rotate_secret(one)
        self._running.tell("secret_rotated", visit, one)
        return self._secret_page(visit, one, secret, until)

    def pause(self, visit: Visit, one: Subscription) -> flask.Response:
        try:
            self._store.change(one.id, is_active=False)
        except KeyError as exc:
            raise Problem(404, "") from exc
        self._running.tell("paused", visit, one)
        return self._done(one, f"Nothing is sent to it until you resume it; what happens meanwhile waits.{until(one)}")

    def resume(self, visit: Visit, one: Subscription) -> flask.Response:
        self._running.resume(visit, one)
        return self._done(one, f"It is sent what waits for it, at once.{until(one)}")

    def replay(self, visit: Visit, one: Subscription) -> flask.Response:
        fields = (asked.text(name) or "" for name in ("replay", "serial", "since"))
        wanted = replay(*fields)
        serial = replayed(self._subscribing, one, wanted)
        is_everybody = asked.text("replay") == "everybody"
        self._running.tell("replayed", visit, one, serial=serial, is_snapshot=is_everybody)
        told = "everybody as they are now" if is_everybody else f"everything after serial {serial}"
        return self._done(one, f"It is sent {told}.")
