"""Security: who is refused for wrong passwords, who is signed in to the dashboard, and the tokens of frontends."""

from __future__ import annotations

from dataclasses import dataclass

import flask

from integration_server.sdk.errors import CallerRefused
from integration_server.sdk.model import normalize_name
from integration_server.sdk.settings import TokenSettings
from integration_server.store.admins import AdminSession
from integration_server.store.failed_logins import Failures
from integration_server.web.dashboard import asked
from integration_server.web.dashboard.access import MOUNT, Access
from integration_server.web.dashboard.audit import readable
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.rendering import Rendering
from integration_server.web.dashboard.route import Route, Visit

PATH = "/security"
#: Refused names and sessions on the page.
_MOST = 100
_LATEST = 10
#: Of a session's digest: enough to tell it from others, and of no use for anything else.
_HANDLE = 16
_EVERYBODY = "(everybody)"


@dataclass(frozen=True, slots=True)
class FrontendToken:
    """The one token of all callers of a frontend. ``made_at`` (Unix seconds) is None where there is none yet;
    ``is_elsewhere``: the product itself keeps it."""

    mount: str
    type: str
    made_at: float | None
    is_elsewhere: bool


class Security:
    """The page and its forms."""

    def __init__(self, facts: DashboardFacts, rendering: Rendering, access: Access) -> None:
        self._facts = facts
        self._store = facts.store
        self._rendering = rendering
        self._access = access

    def routes(self) -> list[Route]:
        return [
            Route("GET", PATH, "security", self.page),
            Route("POST", f"{PATH}/throttle/clear", "throttle_clear", self.clear),
            Route("POST", f"{PATH}/sessions/end", "session_end", self.end_session),
            Route("POST", f"{PATH}/frontends/rotate", "frontend_rotate", self.rotate),
        ]

    def page(self, visit: Visit) -> flask.Response:
        refused = self._refused()
        sessions = self._sessions()
        own = self._access.session()
        return self._rendering.page(
            "security.html",
            visit,
            refused=refused[:_MOST],
            is_more_refused=len(refused) > _MOST,
            dashboard=MOUNT,
            free=self._facts.throttle.policy.free_failures,
            admins=self._store.admins.all(),
            sessions=[(one, one.digest[:_HANDLE], own is not None and one.digest == own.digest) for one in sessions],
            frontends=self._frontends(),
            latest=[(entry, readable(entry.details)) for entry in self._store.audit_log.page(None, _LATEST)],
        )

    # -- wrong passwords ---------------------------------------------------------------------------------------------

    def _refused(self) -> list[tuple[Failures, float]]:
        """Who is refused, and until when."""
        policy, now = self._facts.throttle.policy, self._facts.clock()
        found = self._store.failed_logins.repeated(now - policy.window_seconds, policy.free_failures, _MOST * 2)
        return [(one, until) for one in found if (until := policy.blocked_until(one)) > now]

    def clear(self, visit: Visit) -> flask.Response:
        """Forget the wrong passwords of a name on all frontends, or of everybody."""
        is_all = asked.text("all") is not None
        name = None if is_all else normalize_name(asked.needed("name"))
        removed = self._store.failed_logins.forget(name)
        if removed:
            subject = _EVERYBODY if name is None else name
            self._facts.audit.tell("throttle.cleared", subject, {"wrong_passwords": removed}, visit.actor)
        whose = "everybody" if name is None else name
        told = f"{removed} wrong {'password' if removed == 1 else 'passwords'} of {whose} forgotten."
        self._access.leave_notice(told if removed else f"No wrong password of {whose} counts at the moment.")
        return self._rendering.see(PATH)

    # -- sessions ----------------------------------------------------------------------------------------------------

    def _sessions(self) -> list[AdminSession]:
        """Those that are alive."""
        settings, now = self._facts.config.core.dashboard, self._facts.clock()
        longest, idle = settings.session_hours * 3600, settings.idle_minutes * 60
        found = self._store.admins.sessions()
        return [one for one in found if now - one.created_at < longest and now - one.seen_at < idle][:_MOST]

    def end_session(self, visit: Visit) -> flask.Response:
        """Sign somebody out; one's own leads to the sign-in."""
        handle = asked.needed("session")
        chosen = [one for one in self._store.admins.sessions() if one.digest[:_HANDLE] == handle]
        if not chosen:
            raise CallerRefused(404, "There is no such session. It may have ended.")
        for one in chosen:
            self._store.admins.end(one.digest)
            self._facts.audit.tell("session.ended", one.admin, {}, visit.actor)
        self._access.leave_notice(f"A session of {chosen[0].admin} has ended.")
        return self._rendering.see(PATH)

    # -- tokens of frontends -----------------------------------------------------------------------------------------

    def _frontends(self) -> list[FrontendToken]:
        ages = self._store.frontend_tokens.ages()
        found = []
        for name, mount in self._facts.mounts.items():
            kind = self._facts.config.frontends[name].type
            if self._facts.plugins.frontends[kind].has_token:
                settings = mount.settings
                is_elsewhere = isinstance(settings, TokenSettings) and settings.token_source != "store"
                found.append(FrontendToken(name, kind, ages.get(name), is_elsewhere))
        return found

    def rotate(self, visit: Visit) -> flask.Response:
        """A new token for a frontend's callers, shown once."""
        name = asked.needed("frontend")
        chosen = next((one for one in self._frontends() if one.mount == name), None)
        if chosen is None:
            raise CallerRefused(404, "There is no such frontend with a token.")
        if chosen.is_elsewhere:
            raise CallerRefused(409, "This frontend takes its token from GroupServer's own database; change it there.")
        token = self._store.frontend_tokens.rotate(name)
        self._facts.audit.tell("token.rotated", name, {}, visit.actor)
        return self._rendering.page(
            "secret.html",
            visit,
            heading=f"Token of {name}",
            told="The token is shown this once. The old one is refused from now on: give this one to the callers.",
            secret=token,
            after=None,
            back=PATH,
            back_words="To security",
            back_id=None,
        )
