"""What callers may send to the hooks, and what each mistake is answered with."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_server import AccountState, Email, Group, Profile, SiteGroup, User, UserPage
from integration_server.builtin.groupserver.answers import (
    IdEncoder,
    ProfileListEncoder,
    Site,
    cleaned,
    is_address,
    small,
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
)
from integration_server.builtin.groupserver.settings import GroupServerSettings

MISSING = "Required input is missing."
WRONG = "Token: The authentication token does not match the one in the database."


def sent(**fields: str | Sequence[str]) -> dict[str, list[str]]:
    return {name: [value] if isinstance(value, str) else list(value) for name, value in fields.items()}


def errors(hook: Hook, **fields: str | Sequence[str]) -> list[str]:
    values, found = checked(hook, sent(**fields), lambda token: token == "T")
    assert set(values) <= {field.name for field in hook.fields}
    return found


def test_first_action_that_is_there_counts_whatever_its_value() -> None:
    assert action(GROUPS, sent(get="")) == "get"
    assert action(GROUPS, sent(get="Get", token="T")) == "get"
    assert action(MEMBERS, sent(user_groups="", users="")) == "users"
    assert action(MEMBERS, sent(user_groups="")) == "user_groups"
    assert action(SEARCH, sent(Search="", user="x")) is None
    assert action(ADD, {}) is None


def test_right_input_has_no_errors() -> None:
    assert errors(GROUPS, token="T") == []
    assert errors(LEAVE, token="T", groupId="g", userId="u") == []
    values, found = checked(
        ADD, sent(token="T", groupId="g", email="a@x", fn="  ", biography="a\nb", tz="", more="x"), lambda token: True
    )
    assert found == []
    assert values == {"token": "T", "groupId": "g", "email": "a@x", "fn": "  ", "biography": "a\nb"}


def test_wrong_token_gives_two_messages_and_hides_nothing() -> None:
    assert errors(GROUPS, token="X") == [WRONG, f"Token: {MISSING}"]
    assert errors(LEAVE, token="X", userId="u") == [WRONG, f"Group ID: {MISSING}", f"Token: {MISSING}"]


def test_wrong_token_is_not_repeated() -> None:
    assert "hush-hush" not in "".join(errors(GROUPS, token="hush-hush"))


def test_absent_field_is_told_once_and_an_empty_one_twice() -> None:
    assert errors(GROUPS) == [f"Token: {MISSING}"]
    assert errors(GROUPS, token="") == [f"Token: {MISSING}"] * 2
    assert errors(ADD, token="T", groupId="g", email="a@x") == [f"Name: {MISSING}"]
    assert errors(LEAVE) == [f"User ID: {MISSING}", f"Group ID: {MISSING}", f"Token: {MISSING}"]


def test_errors_stand_in_the_order_of_the_fields_of_the_hook() -> None:
    title = "Either the user identifier or email address"
    assert errors(SEARCH, token="X") == [WRONG, f"{title}: {MISSING}", f"Token: {MISSING}"]
    assert errors(ADD, email="", fn="a\nb") == [
        f"Email address: {MISSING}",
        "Name: Constraint not satisfied",
        f"Token: {MISSING}",
        f"GroupIdentifier: {MISSING}",
        f"Email address: {MISSING}",
        f"Name: {MISSING}",
    ]


@pytest.mark.parametrize("value", ["a\nb", "a\r", "\0"])
def test_one_line_fields_take_one_line(value: str) -> None:
    assert errors(SEARCH, token="T", user=value)[0].endswith(": Constraint not satisfied")


def test_repeated_field_is_an_error() -> None:
    assert errors(GROUPS, token=["T", "T"]) == [WRONG, f"Token: {MISSING}"]
    assert errors(LEAVE, token="T", groupId=["a", "b"], userId="u") == [
        "Group ID: It is given several times.",
        f"Group ID: {MISSING}",
    ]


def test_characters_beyond_ascii_are_an_error_where_they_cannot_be() -> None:
    assert errors(ADD, token="T", groupId="g", email="ä@x", fn="Ä") == [
        "Email address: Only ASCII characters are allowed.",
        f"Email address: {MISSING}",
    ]
    assert errors(ADD, token="T", groupId="g", email="a@x", fn="Ä", tz="Ö") == [
        "Timezone: Only ASCII characters are allowed."
    ]


@given(
    st.dictionaries(st.sampled_from(["token", "groupId", "userId", "user", "email", "fn", "tz"]), st.lists(st.text()))
)
def test_no_input_breaks_a_hook(fields: dict[str, list[str]]) -> None:
    given = {name: values for name, values in fields.items() if values}
    for hook in (GROUPS, ADD, SEARCH, MEMBERS, LEAVE):
        _, found = checked(hook, given, lambda token: False)
        assert f"Token: {MISSING}" in found
        assert json.loads(small(found)) == found


def test_about_describes_a_hook() -> None:
    assert about(GROUPS) == {
        "message": ["", "Get the groups on the site"],
        "actions": {"get": "Get"},
        "arguments": {"token": {"Description": "The authentication token", "Required": True}},
    }
    assert list(about(ADD)["arguments"]) == ["token", "groupId", "email", "fn", "biography", "tz"]  # type: ignore[call-overload]


# -- answers ---------------------------------------------------------------------------------------------------------


def shown(**settings: object) -> Site:
    given = {"type": "groupserver", "path": "/", "backends": ["hq"], "site_url": "https://groups.example.com/"}
    return Site(GroupServerSettings.model_validate(given | settings, strict=False))


ANN = User(
    "hq",
    "1",
    "ann",
    full_name="Ann Lee",
    emails=(Email("a@x", True, True), Email("b@x", True, False), Email("c@x", False, False)),
    groups=("test", "example"),
)


def test_profile_has_all_four_lists_of_addresses_and_sorted_groups() -> None:
    assert shown().found(Profile("5k0W", ANN)) == {
        "id": "5k0W",
        "name": "Ann Lee",
        "url": "https://groups.example.com/p/5k0W",
        "groups": ["example", "test"],
        "email": {"all": ["a@x", "b@x", "c@x"], "preferred": ["a@x"], "other": ["b@x"], "unverified": ["c@x"]},
    }
    assert list(shown().profile("5k0W", ANN)) == ["id", "name", "url", "email", "groups"]


def test_profile_may_have_lists_as_the_original_has() -> None:
    found = shown(profile_lists=True).profile("5k0W", ANN)
    assert (found["id"], found["name"]) == (["5k0W"], ["Ann Lee"])


def test_nickname_stands_in_the_url_and_the_username_for_a_name() -> None:
    found = shown().profile("5k0W", User("hq", "1", "ann", nickname="an/n"))
    assert (found["url"], found["name"]) == ("https://groups.example.com/p/an%2Fn", "ann")


def test_group_has_what_the_backend_says_and_defaults_for_the_rest() -> None:
    bare = shown().group(SiteGroup("test", "hq", Group("cn=Test")))
    assert bare == {
        "id": "test",
        "name": "cn=Test",
        "url": "https://groups.example.com/groups/test",
        "email": "test@groups.example.com",
        "type": "Discussion group",
        "privacy": "private",
    }
    full = Group("t", "Test", "https://x/t", "t@x", "Announcement group", "public")
    assert list(shown().group(SiteGroup("test", "hq", full)).values()) == ["test", *list(_values(full))]
    assert shown(mail_host="lists.x").group(SiteGroup("test", "hq", Group("t")))["email"] == "test@lists.x"


def _values(group: Group) -> list[object]:
    return [group.title, group.url, group.email, group.type, group.privacy]


def test_answers_are_ascii() -> None:
    user = User("hq", "1", "jörg", full_name='J\u00f6"rg \U0001f600', groups=("a",))
    page = UserPage.of("hq", [user, User("hq", "2", "bob", state=AccountState.ACTIVE)])
    one = small(shown().found(Profile("x", user)))
    many = b"[" + ProfileListEncoder(shown()).page(["x", "y"], page) + b"]"

    assert one.isascii()
    assert many.isascii()
    assert [each["name"] for each in json.loads(many)] == ['J\u00f6"rg \U0001f600', "bob"]
    assert json.loads(b"[" + IdEncoder().page(["x", "y"], page) + b"]") == ["x", "y"]
    assert IdEncoder().page([], UserPage("hq", [], [])) == b""
    assert ProfileListEncoder(shown()).page([], UserPage("hq", [], [])) == b""


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("bob@example.com", "bob@example.com"),
        ("Bob <bob@example.com>", "bob@example.com"),
        ('"Bob, B." <bob@example.com>', "bob@example.com"),
        ("  (bob@example.com), ", "bob@example.com"),
        ("<bob@example.com>", "bob@example.com"),
        ("bob@example.com.", "bob@example.com"),
    ],
)
def test_address_is_taken_out_of_what_people_paste(text: str, address: str) -> None:
    assert cleaned(text) == address


@pytest.mark.parametrize("text", ["bob", "@x", "bob@", "a b@x", "a@x y", "a@-x", "a@x-", "a@x..y", "a@" + "x" * 64, ""])
def test_what_is_no_address_is_refused(text: str) -> None:
    assert not is_address(text)


@pytest.mark.parametrize("text", ["bob@x", "b.o'b+1@example.com", "a%b@sub.example.co.uk"])
def test_what_may_be_an_address_passes(text: str) -> None:
    assert is_address(text)
