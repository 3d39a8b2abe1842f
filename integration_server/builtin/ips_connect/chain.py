"""Browsers that are led through all slaves, to be logged in or out everywhere.

A browser is sent to each slave once, in the order in which they joined, and each sends it back here. In between, all
there is of a chain is in the browser's URL, signed; only which step was the last is noted, so that none is done twice.
The signature stands in place of the key, which slaves therefore do not get to see in the URL that they send back to.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence

import flask
from flask import request

from integration_server import Deadline, Gateway, StoreUnavailable
from integration_server.builtin.ips_connect import calls, pages
from integration_server.builtin.ips_connect.account import Account
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.calls import Call
from integration_server.builtin.ips_connect.chain_state import STEP_SECONDS, ChainState, Trail
from integration_server.builtin.ips_connect.keys import key_of_id
from integration_server.builtin.ips_connect.master_key import MasterKey
from integration_server.builtin.ips_connect.methods import METHODS, Method, Status
from integration_server.builtin.ips_connect.pages import Reason
from integration_server.builtin.ips_connect.places import Here, Places, bare_page, shown_host, with_query
from integration_server.builtin.ips_connect.seals import Seal
from integration_server.builtin.ips_connect.sessions import Sessions
from integration_server.builtin.ips_connect.settings import GatewaySettings
from integration_server.builtin.ips_connect.steps import Steps
from integration_server.builtin.ips_connect.stops import Looks, Stop, stops
from integration_server.builtin.ips_connect.tables import TABLES

logger = logging.getLogger(__name__)

#: Seconds that one request may spend on finding a slave that answers.
_SEARCH_SECONDS = 3.0
_LOGIN = METHODS["crosslogin"]
#: Slaves that one chain visits. What a browser carries for more would not fit into URLs, which end at 8 kB.
_MOST_STOPS = 300


class Chain:
    """Answers ``crossLogin`` and ``logout``. Thread-safe."""

    def __init__(
        self,
        backend: str,
        accounts: Accounts,
        key: MasterKey,
        gateway: Gateway,
        settings: GatewaySettings,
        clock: Callable[[], float] = time.time,
        new_name: Callable[[], str] = lambda: secrets.token_urlsafe(16),
    ) -> None:
        """Raises ConfigError. ``clock`` gives Unix seconds, ``new_name`` a name that no other chain has."""
        self._backend = backend
        self._accounts = accounts
        self._key = key
        self._gateway = gateway
        self._clock = clock
        self._new_name = new_name
        self._places = Places(settings)
        self._looks = Looks(gateway.http, clock)
        self._steps = Steps(gateway.storage(TABLES))
        # One for each kind of value: none is taken for another. Who changes what is in one gives its key another
        # purpose, so that nobody has to read what an older version wrote.
        self._state_seal = Seal(gateway.signing_key("chain"))
        self._trail_seal = Seal(gateway.signing_key("trail"))
        # No mount has a dot in its name.
        self._trail_cookie = f"ips_connect_{gateway.name}.chain"
        self.sessions = Sessions(gateway.name, accounts, gateway.signing_key("session"), settings.session_days, clock)

    def visit(self, call: Call) -> flask.Response:
        """A redirect, or a page: with status 403, or 503 where the store cannot be asked."""
        try:
            return self._visited(call)
        except StoreUnavailable as exc:
            logger.error("mount %s: %s: %s", self._gateway.name, call.method.name, exc)
            return pages.outage(self._signed_way_on(call))

    def _visited(self, call: Call) -> flask.Response:
        found = stops(self._gateway.receivers("ips_connect").all(), self._backend)
        try:
            here = self._here()
            if call.is_slave_call:
                raise _Refused(Reason.REQUEST_SLAVE_NOT_SLAVE)
            if call.value("state") or call.value("slaveReturn") not in ("", "0"):
                return self._go_on(call, here, found)
            return self._start(call, here, found)
        except _Refused as refused:
            logger.info("mount %s: %s: %s", self._gateway.name, call.method.name, refused.reason.name)
            return pages.refusal(refused.reason, self._way_on(call, refused.return_to, found))

    def start_url(self, method: Method, account: Account, return_to: str) -> str:
        """Where a browser that logs in or out at this server itself is sent, to be logged in or out everywhere. Within
        a request only. Raises ValueError where that came by a name that is none."""
        here, id = self._places.here(request), str(account.id)
        key = key_of_id(self._key.value(), id)
        parameters = {"do": method.name, "key": key, "url": here.url, "id": id, "returnTo": return_to}
        return with_query(here.url, list(parameters.items()))

    # -- the two kinds of calls --------------------------------------------------------------------------------------

    def _start(self, call: Call, here: Here, found: Sequence[Stop]) -> flask.Response:
        """A call that somebody made who knows the key."""
        status = calls.refused(call, self._key.value())
        if status is not None or call.id is None:
            is_wrong = status is Status.BAD_KEY
            raise _Refused(Reason.BAD_KEY if is_wrong else Reason.REQUEST_MISSING_DATA)
        origin = call.value("url")
        told = [stop for stop in found if stop.is_told]
        if not told and call.method is _LOGIN and origin != here.url:
            # A slave that is not registered yet must not believe that its people are logged in everywhere.
            raise _Refused(Reason.REQUEST_NOT_SLAVE_IS_SLAVE)
        return_to = self._return_to(call, found)
        trail = self._trail()
        # A slave with our own URL would be a mistake, and lead to a page.
        going = [stop for stop in told if stop.url not in (origin, here.url) and stop.tag not in trail.lost]
        if len(going) > _MOST_STOPS:
            text = "mount %s: %s visits %d slaves, and leaves out the %d that joined last"
            logger.warning(text, self._gateway.name, call.method.name, _MOST_STOPS, len(going) - _MOST_STOPS)
            del going[_MOST_STOPS:]
        state = ChainState(
            method=call.method.name,
            id=call.id,
            chain=self._new_name(),
            step=0,
            current="",
            remaining=tuple(stop.tag for stop in going),
            origin=next((stop.tag for stop in found if stop.url == origin), ""),
            return_to=return_to,
            at=int(self._clock()),
        )
        self._looks.begin([stop for stop in going if stop.is_up])
        response = self._lead(state, trail, here, found)
        if call.method is _LOGIN:
            self._log_in(call.id, response, here)
        return response

    def _go_on(self, call: Call, here: Here, found: Sequence[Stop]) -> flask.Response:
        """A browser that comes back from a slave. Our own signature stands in place of the key."""
        state, now = ChainState.opened(self._state_seal, call.value("state")), self._clock()
        if state is None or state.method != call.method.name:
            raise _Refused(Reason.INVALID_STATE)
        if not state.is_fresh(now):
            raise _Refused(Reason.EXPIRED_STATE, state.return_to)
        trail = self._trail()
        # A browser asks again when it did not get the answer, and still has the cookie of the answer before.
        if not self._steps.take(state, now) and not trail.awaits(state):
            raise _Refused(Reason.REPEATED_STATE, state.return_to)
        return self._lead(state, trail.back_from(state.current), here, found)

    def _return_to(self, call: Call, found: Sequence[Stop]) -> str:
        """Where the chain ends; empty where nobody said. A refused one is logged: most likely it is missing in
        ``known_hosts``."""
        sent = call.value("returnTo")
        if not sent:
            return self._places.home or ""
        page = self._page(sent, found)
        if page is None:
            logger.warning(
                "mount %s: %s is not to end at %s, which is no host of a slave, and not in known_hosts",
                self._gateway.name,
                call.method.name,
                shown_host(sent),
            )
            raise _Refused(Reason.INVALID_REDIRECTION)
        return page

    # -- answers -----------------------------------------------------------------------------------------------------

    def _lead(self, state: ChainState, trail: Trail, here: Here, found: Sequence[Stop]) -> flask.Response:
        """To the next slave that answers, or to where the chain ends."""
        by_tag = {stop.tag: stop for stop in found}
        deadline = Deadline(_SEARCH_SECONDS)
        for number, tag in enumerate(state.remaining, 1):
            stop = by_tag.get(tag)
            if stop is None or not stop.is_up:
                continue
            if not self._looks.is_alive(stop, deadline):
                logger.info("mount %s: %s does not answer, and is left out", self._gateway.name, stop.id)
                continue
            moved = state.moved(tag, state.remaining[number:], self._clock())
            response = self._redirect(self._visit_url(moved, stop, here, by_tag))
            self._set(response, here, self._trail_cookie, trail.sent_off(moved).sealed(self._trail_seal), STEP_SECONDS)
            return response
        is_login = state.method == _LOGIN.name
        response = self._redirect(state.return_to) if state.return_to else pages.end(is_login)
        if trail.sent:
            self._set(response, here, self._trail_cookie, trail.sealed(self._trail_seal), STEP_SECONDS)
        elif self._trail_cookie in request.cookies:
            self._set(response, here, self._trail_cookie, "", 0)
        if not is_login:
            self._set(response, here, self.sessions.cookie, "", 0)
        return response

    def _visit_url(self, state: ChainState, stop: Stop, here: Here, by_tag: dict[str, Stop]) -> str:
        parameters = [("do", state.method), ("slaveReturn", "1"), ("state", state.sealed(self._state_seal))]
        origin = by_tag[state.origin].url if state.origin in by_tag else here.url
        return stop.visit_url(state.method, state.id, origin, with_query(here.url, parameters))

    def _log_in(self, id: str, response: flask.Response, here: Here) -> None:
        """Begin a session, where there is such an account and it may have one."""
        number = calls.connect_id(id)
        account = None if number is None else self._accounts.find(number)
        value = None if account is None else self.sessions.begin(account)
        if value is not None:
            self._set(response, here, self.sessions.cookie, value, self.sessions.max_age)

    def _redirect(self, url: str) -> flask.Response:
        return pages.redirect(url, request.headers.get("X-Requested-With", "").lower() == "xmlhttprequest")

    def _set(self, response: flask.Response, here: Here, cookie: str, value: str, max_age: int) -> None:
        """``max_age`` 0 removes the cookie."""
        response.set_cookie(
            cookie,
            value,
            max_age=max_age,
            expires=None if max_age else 0,
            path=here.cookie_path,
            secure=here.is_encrypted,
            httponly=True,
            samesite="Lax",
        )

    # -- places ------------------------------------------------------------------------------------------------------

    def _here(self) -> Here:
        try:
            return self._places.here(request)
        except ValueError:
            raise _Refused(Reason.INVALID_HOST) from None

    def _trail(self) -> Trail:
        return Trail.opened(self._trail_seal, request.cookies.get(self._trail_cookie), self._clock())

    def _page(self, url: str, found: Sequence[Stop]) -> str | None:
        # Who left the network is known no more; who pauses is.
        return self._places.page(url, [stop.url for stop in found if not stop.has_ended])

    def _way_on(self, call: Call, return_to: str, found: Sequence[Stop]) -> str | None:
        """A link for a page. What a call says counts only where its host is known; its query may hold a key, which
        belongs into no page."""
        sent = (return_to, call.value("returnTo"), call.value("origReturn"))
        page = next((page for url in sent if url and (page := self._page(url, found))), None)
        return self._places.home if page is None else bare_page(page)

    def _signed_way_on(self, call: Call) -> str | None:
        """The same where it cannot be asked which hosts are known: that of a state of ours was known when it began."""
        state = ChainState.opened(self._state_seal, call.value("state"))
        return self._places.home if state is None or not state.return_to else bare_page(state.return_to)


class _Refused(Exception):
    """Why a browser gets a page. ``return_to`` is where it was going, by a signed state."""

    def __init__(self, reason: Reason, return_to: str = "") -> None:
        super().__init__(reason.name)
        self.reason = reason
        self.return_to = return_to
