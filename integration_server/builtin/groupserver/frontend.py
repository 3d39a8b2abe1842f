"""The frontend: requests become questions to the gateway, and its answers JSON.

Whatever reaches a hook is answered with 200, wrong tokens included; but a directory that could not be asked is a 503,
for an empty answer would say that nobody is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import flask

from integration_server import (
    BackendMisconfigured,
    ConfigError,
    Frontend,
    FrontendSettings,
    Gateway,
    NewAccount,
    ProfileEncoder,
    ShortAnswer,
    Shortcut,
    UnknownGroup,
    WriteRefused,
    form_pairs,
    is_short_form,
    short_body,
)
from integration_server.builtin.groupserver.answers import (
    IdEncoder,
    ProfileListEncoder,
    Site,
    cleaned,
    is_address,
    name_of,
    small,
    title,
)
from integration_server.builtin.groupserver.hooks import (
    ADD,
    GROUPS,
    LEAVE,
    MEMBERS,
    SEARCH,
    Hook,
    about,
    action,
    checked,
    refusal,
)
from integration_server.builtin.groupserver.settings import GroupServerSettings

_METHODS = ["GET", "POST"]
_JSON = "application/json"
_LOOSE_JSON = "application/json; charset=utf-8"

Values = Mapping[str, str]
#: From the chosen action and the valid values to an answer.
Act = Callable[[str, Values], flask.Response]


class GroupServerFrontend(Frontend, Shortcut):
    """One mount of the hooks."""

    type: ClassVar[str] = "groupserver"
    Settings = GroupServerSettings
    has_token: ClassVar[bool] = True
    short_paths: ClassVar[Sequence[str]] = SEARCH.paths

    def __init__(self, settings: FrontendSettings, gateway: Gateway) -> None:
        assert isinstance(settings, GroupServerSettings)
        self._gateway = gateway
        self._site = Site(settings)
        self._write_to = settings.write_to
        if self._write_to is not None and not gateway.takes_new_people(self._write_to):
            raise ConfigError(f"write_to: nobody can be made in a backend of the type of {self._write_to!r}")
        encoders: tuple[ProfileEncoder, ...] = (IdEncoder(), ProfileListEncoder(self._site))
        self._lists = {encoder.name: encoder for encoder in encoders}

    def blueprint(self) -> flask.Blueprint:
        blueprint = flask.Blueprint(self.type, __name__)
        hooks: tuple[tuple[Hook, Act], ...] = (
            (GROUPS, self._groups),
            (SEARCH, self._search),
            (MEMBERS, self._members),
            (ADD, self._add),
            (LEAVE, self._leave),
        )
        for hook, act in hooks:
            for path in hook.paths:
                view = partial(self._answer, hook, act)
                blueprint.add_url_rule(path, path[1:].partition(".")[0], view, methods=_METHODS)
        return blueprint

    def shortcut(self, environ: dict[str, Any]) -> ShortAnswer | None:
        """A search as most callers send it."""
        if not is_short_form(environ):
            return None
        self._gateway.admit(has_token=True)
        sent: dict[str, list[str]] = {}
        try:
            for name, value in form_pairs(short_body(environ)):
                sent.setdefault(name, []).append(value)
        except UnicodeError:
            return None
        if action(SEARCH, sent) is None:
            return None
        values, errors = checked(SEARCH, sent, self._gateway.is_token)
        if errors:
            return ShortAnswer(small(refusal(errors)), _LOOSE_JSON)
        return ShortAnswer(small(self._found(values["user"])), _JSON)

    def _answer(self, hook: Hook, act: Act) -> flask.Response:
        if flask.request.method == "HEAD":
            # What only asks must not write, and the original has no HEAD either.
            flask.abort(405, valid_methods=_METHODS)
        self._gateway.admit(has_token=True)
        sent = _sent()
        chosen = action(hook, sent)
        if chosen is None:
            return flask.Response(small(about(hook)), content_type=_LOOSE_JSON)
        values, errors = checked(hook, sent, self._gateway.is_token)
        if errors:
            return flask.Response(small(refusal(errors)), content_type=_LOOSE_JSON)
        return act(chosen, values)

    # -- the hooks ---------------------------------------------------------------------------------------------------

    def _groups(self, chosen: str, values: Values) -> flask.Response:
        return _json([self._site.group(group) for group in self._gateway.groups()])

    def _search(self, chosen: str, values: Values) -> flask.Response:
        return _json(self._found(values["user"]))

    def _found(self, wanted: str) -> dict[str, object]:
        ask = self._gateway
        profile = ask.profile_of_address(cleaned(wanted)) if "@" in wanted else ask.profile(wanted)
        return {} if profile is None else self._site.found(profile)

    def _members(self, chosen: str, values: Values) -> flask.Response:
        response = self._gateway.members_response(self._lists[chosen])
        assert isinstance(response, flask.Response)
        return response

    def _add(self, chosen: str, values: Values) -> flask.Response:
        address = cleaned(values["email"])
        if not is_address(address):
            return _failed("The email address is not valid.")
        account = NewAccount(address, values["fn"], values.get("biography"), values.get("tz"))
        try:
            joined = self._gateway.join(values["groupId"], account, self._write_to)
        except (WriteRefused, BackendMisconfigured) as exc:
            return _failed(str(exc))
        name, group = name_of(joined.profile.user), title(joined.group)
        if joined.is_new_person:
            status, message = 0, f"Created a new profile for {name} and added {name} to {group}"
        elif joined.is_new_member:
            status, message = 1, f"Added {name} to {group}"
        else:
            status, message = 256, f"{name} is alredy a member of {group}"
        user = self._site.profile(joined.profile.id, joined.profile.user)
        return _json({"status": status, "message": message, "user": user})

    def _leave(self, chosen: str, values: Values) -> flask.Response:
        group_id, user_id = values["groupId"], values["userId"]
        echoed = {"groupId": group_id, "userId": user_id}
        group = self._gateway.group(group_id)
        if group is None:
            return _json({"status": 1, "message": f'No such group "{group_id}"', **echoed})
        profile = self._gateway.profile(user_id)
        if profile is None:
            return _json({"status": 2, "message": f'No such user "{user_id}"', **echoed})
        name = name_of(profile.user)
        try:
            was_in = group.id in profile.user.groups and self._gateway.leave(group, profile)
        except UnknownGroup:
            return _json({"status": 1, "message": f'No such group "{group_id}"', **echoed})
        except (WriteRefused, BackendMisconfigured) as exc:
            return _json({"status": 257, "message": str(exc), **echoed})
        if was_in:
            return _json({"status": 0, "message": f"{name} has left {title(group)}", **echoed})
        return _json({"status": 4, "message": f"{name} is not a member {title(group)}", **echoed})


def _failed(message: str) -> flask.Response:
    """Where the original fails with an HTML page: the nearest of its answers, with the reason."""
    return _json({"status": 257, "message": message})


def _json(value: object) -> flask.Response:
    return flask.Response(small(value), content_type=_JSON)


def _sent() -> dict[str, list[str]]:
    """The fields of the request, those of the query first. A file is no text, so what is sent as one is not there."""
    request = flask.request
    sent = request.args.to_dict(flat=False) if request.query_string else {}
    for name, values in request.form.lists():
        sent.setdefault(name, []).extend(values)
    return sent
