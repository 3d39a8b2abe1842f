"""The five hooks as data, and the reading of what a caller sends to one. Pure functions.

Source: GroupServer 15.11 and 16.04, "Web hooks", and the answers of a running server where the two differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

MISSING = "Required input is missing."
_UNFIT = "Constraint not satisfied"
_WRONG_TOKEN = "The authentication token does not match the one in the database."


@dataclass(frozen=True, slots=True)
class Field:
    """An input of a hook. ``title`` is what messages call it."""

    name: str
    title: str
    description: str
    is_required: bool = True
    is_ascii: bool = True
    is_one_line: bool = True


@dataclass(frozen=True, slots=True)
class Hook:
    """A page. ``actions`` are names of actions and labels, the first one that is present counts; ``fields`` stand in
    the order in which they are checked."""

    paths: tuple[str, ...]
    label: str
    actions: Mapping[str, str]
    fields: tuple[Field, ...]


_TOKEN = Field("token", "Token", "The authentication token")

GROUPS = Hook(("/gs-group-groups.json",), "Get the groups on the site", {"get": "Get"}, (_TOKEN,))

ADD = Hook(
    ("/gs-group-member-add.json",),
    "Add hook",
    {"add": "Add"},
    (
        _TOKEN,
        Field("groupId", "GroupIdentifier", "The identifier of the group that the person joins"),
        Field("email", "Email address", "The email address of the person"),
        Field("fn", "Name", "The name of the person, for a new profile", is_ascii=False),
        Field(
            "biography",
            "Biography",
            "A text about the person, for a new profile",
            is_required=False,
            is_ascii=False,
            is_one_line=False,
        ),
        Field("tz", "Timezone", "The time zone of the person, for a new profile", is_required=False),
    ),
)

SEARCH = Hook(
    ("/gs-search-people.json",),
    "Profile exists",
    {"search": "Search"},
    (
        Field(
            "user",
            "Either the user identifier or email address",
            "The identifier of a profile, or one of its email addresses",
        ),
        _TOKEN,
    ),
)

MEMBERS = Hook(
    # The second is what one manual calls it.
    ("/gs-site-member-list.json", "/gs-site-member.json"),
    "List the site members",
    {"users": "Users", "user_groups": "User groups"},
    (_TOKEN,),
)

LEAVE = Hook(
    ("/gs-group-member-leave.json",),
    "Remove someone from the group",
    {"leave": "Leave"},
    (
        Field("userId", "User ID", "The identifier of the profile"),
        Field("groupId", "Group ID", "The identifier of the group to leave"),
        _TOKEN,
    ),
)

#: Every value of each field: what is sent twice is not taken for either.
Sent = Mapping[str, Sequence[str]]


def action(hook: Hook, sent: Sent) -> str | None:
    """The action that is asked for: the first whose name is there, whatever its value."""
    return next((name for name in hook.actions if name in sent), None)


def checked(hook: Hook, sent: Sent, is_token: Callable[[str], bool]) -> tuple[dict[str, str], list[str]]:
    """The valid values, and what is wrong with the others, as messages in the order of the original.

    First comes what is wrong with each field that is there, then each required field that has no valid value: so a
    wrong token gives two messages, and hides none about others. No message holds a value. ``is_token`` is asked once.
    """
    values: dict[str, str] = {}
    errors: list[str] = []
    for field in hook.fields:
        given = sent.get(field.name)
        if given is None or (list(given) == [""] and not field.is_required):
            continue
        error = _error(field, given, is_token)
        if error is None:
            values[field.name] = given[0]
        else:
            errors.append(f"{field.title}: {error}")
    errors += [f"{field.title}: {MISSING}" for field in hook.fields if field.is_required and field.name not in values]
    return values, errors


def _error(field: Field, given: Sequence[str], is_token: Callable[[str], bool]) -> str | None:
    if field is _TOKEN and len(given) > 1:
        return _WRONG_TOKEN
    if len(given) > 1:
        return "It is given several times."
    value = given[0]
    if not value:
        return MISSING
    if "\0" in value or (field.is_one_line and ("\n" in value or "\r" in value)):
        return _UNFIT
    if "�" in value:
        return "It is not UTF-8."
    if field.is_ascii and not value.isascii():
        return "Only ASCII characters are allowed."
    if field is _TOKEN and not is_token(value):
        return _WRONG_TOKEN
    return None


def about(hook: Hook) -> dict[str, object]:
    """What a hook answers to whoever asks for no action that it has, with a token or without."""
    arguments = {field.name: {"Description": field.description, "Required": field.is_required} for field in hook.fields}
    return {"message": ["", hook.label], "actions": dict(hook.actions), "arguments": arguments}


def refusal(errors: Sequence[str]) -> dict[str, object]:
    """The answer to input that is wrong. A list as message tells it from every other answer."""
    return {"status": -1, "message": list(errors)}
