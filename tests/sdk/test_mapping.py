"""The mapper: attributes become users by rules, and listed names find back to the entry they came from."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_server import (
    AccountState,
    BadEntry,
    Batch,
    ColumnwiseRows,
    ConfigError,
    Email,
    Entry,
    Lookup,
    MapSettings,
    User,
    UserPage,
    normalize_name,
)
from integration_server.sdk.mapping import Mapper

NOW = dt.datetime(2026, 6, 15, 12, tzinfo=dt.UTC)


def mapper(**rules: object) -> Mapper:
    return Mapper("hq", MapSettings.model_validate({"username": "login", **rules}), clock=lambda: NOW)


def one(rules: Mapping[str, object], entry: Mapping[str, object]) -> User:
    """The user that these rules make of an entry."""
    (user,) = mapper(**rules).entry_page(Entry({"login": "ann", **entry})).users()
    return user


def addresses(user: User) -> list[str]:
    return [email.address for email in user.emails]


# -- rules -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "entry", "full_name"),
    [
        ("cn", {"cn": " Ann Lee "}, "Ann Lee"),
        ("cn", {"cn": None}, None),
        ("cn", {"cn": "  "}, None),
        ("cn", {"cn": ["", "Ann", "Lee"]}, "Ann"),
        ("cn", {"cn": b"J\xc3\xb6rg"}, "Jörg"),
        (["display", "cn"], {"display": None, "cn": "Ann"}, "Ann"),
        (["display", "cn"], {"display": "A.", "cn": "Ann"}, "A."),
        ("{given} {sn}", {"given": "Ann", "sn": "Lee"}, "Ann Lee"),
        ("{given} {sn}", {"given": "Ann", "sn": None}, "Ann"),
        ("{given} {middle} {sn}", {"given": "Ann", "middle": "", "sn": "Lee"}, "Ann Lee"),
        ("{given} {sn}", {"given": None, "sn": " "}, None),
        (["{given} {sn}", "cn"], {"given": None, "sn": None, "cn": "Ann"}, "Ann"),
        ("Dr. {sn}", {"sn": "Lee"}, "Dr. Lee"),
        ("Dr. {sn}", {"sn": None}, None),
        ("{sn}", {"sn": "{given} 100%s"}, "{given} 100%s"),
        ({"from": "cn", "lower": True}, {"cn": "ÄNN"}, "änn"),
    ],
)
def test_a_text_comes_from_the_first_source_that_has_one(
    rule: object, entry: dict[str, object], full_name: str | None
) -> None:
    assert one({"full_name": rule}, entry).full_name == full_name


@pytest.mark.parametrize("field", ["full_name", "distinguished_name", "nickname", "biography", "tz"])
def test_every_text_field_is_mapped_and_absent_without_a_rule(field: str) -> None:
    assert getattr(one({field: "value"}, {"value": "x"}), field) == "x"
    assert getattr(one({}, {}), field) is None


@pytest.mark.parametrize(
    ("rule", "entry", "username"),
    [
        ({"from": "login", "lower": True}, {"login": "ANN"}, "ann"),
        ({"from": "mail", "local_part": True}, {"mail": "Ann@Example.com"}, "Ann"),
        ({"from": "mail", "local_part": True, "lower": True}, {"mail": "Ann@Example.com"}, "ann"),
        ({"from": "mail", "local_part": True, "domain": "example.com"}, {"mail": "ann@Example.COM"}, "ann"),
        ("{login}@example.com", {"login": "ann"}, "ann@example.com"),
        (["nick", "login"], {"nick": "", "login": "ann"}, "ann"),
        ("number", {"number": 42}, "42"),
        ("number", {"number": Decimal("42.00")}, "42"),
        ("number", {"number": UUID(int=1)}, "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_user_names_follow_their_rule(rule: object, entry: dict[str, object], username: str) -> None:
    assert one({"username": rule}, entry).username == username


def test_only_the_given_domain_is_cut_off() -> None:
    """ann@other.test is somebody else than ann@example.com: both as "ann" would be one person's mail for two."""
    rule = {"from": "mail", "local_part": True, "domain": "example.com"}

    assert one({"username": rule}, {"mail": "ann@other.test"}).username == "ann@other.test"
    assert one({"username": rule}, {"mail": "ann"}).username == "ann"


@pytest.mark.parametrize(
    ("rule", "entry", "expected"),
    [
        ("mail", {"mail": "ann@x.test"}, ["ann@x.test"]),
        ("mail", {"mail": None}, []),
        ("mail", {"mail": " "}, []),
        ("mail", {"mail": ["b@x.test", "a@x.test"]}, ["b@x.test", "a@x.test"]),
        ("mail", {"mail": ["a@x.test", "A@X.TEST", None, ""]}, ["a@x.test"]),
        (["mail", "aliases"], {"mail": "m@x.test", "aliases": ("a@x.test", "m@x.test")}, ["m@x.test", "a@x.test"]),
        (["mail", "aliases"], {"mail": None, "aliases": None}, []),
        ("{login}@x.test", {"login": "ann"}, ["ann@x.test"]),
        ({"from": "mail", "lower": True}, {"mail": "ANN@X.TEST"}, ["ann@x.test"]),
        ({"from": "mail", "separator": ";"}, {"mail": "a@x.test; b@x.test;;a@x.test; "}, ["a@x.test", "b@x.test"]),
        ({"from": ["mail", "more"], "separator": ","}, {"mail": "a,b", "more": ["c,d", "a"]}, ["a", "b", "c", "d"]),
        ({"from": "mail", "local_part": True}, {"mail": ["a@x.test", "b"]}, ["a", "b"]),
    ],
)
def test_lists_keep_their_order_and_hold_each_value_once(
    rule: object, entry: dict[str, object], expected: list[str]
) -> None:
    assert addresses(one({"emails": rule}, entry)) == expected
    assert list(one({"groups": rule}, entry).groups) == expected


def test_the_first_address_is_the_preferred_one() -> None:
    user = one({"emails": "mail"}, {"mail": ["b@x.test", "a@x.test"]})

    assert [email.is_preferred for email in user.emails] == [True, False]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["smtp:alias@x.test", "SMTP:main@x.test"], ["main@x.test", "alias@x.test"]),
        (["SMTP:main@x.test"], ["main@x.test"]),
        (["Smtp:odd@x.test", "SMTP:main@x.test"], ["main@x.test", "odd@x.test"]),
        (["X500:/o=Example/cn=ann", "SIP:ann@x.test", "x400:C=US", "smtp:a@x.test"], ["a@x.test"]),
        (["smtp:a@x.test", "SMTP:a@x.test"], ["a@x.test"]),
        (["smtp:MAIN@x.test", "SMTP:main@x.test"], ["main@x.test"]),
        (["smtp: a@x.test"], ["a@x.test"]),
        (["SMTP:", "smtp: "], []),
        ("SMTP:main@x.test", ["main@x.test"]),
        (None, []),
    ],
)
def test_the_upper_case_prefix_marks_the_primary_address(found: object, expected: list[str]) -> None:
    rule = {"from": "proxyAddresses", "smtp_prefixes": True}

    assert addresses(one({"emails": rule}, {"proxyAddresses": found})) == expected


def test_mail_joins_behind_the_proxy_addresses() -> None:
    rule = {"from": ["mail", "proxyAddresses"], "smtp_prefixes": True}
    entry = {"mail": "old@x.test", "proxyAddresses": ["smtp:alias@x.test", "SMTP:main@x.test"]}

    assert addresses(one({"emails": rule}, entry)) == ["main@x.test", "alias@x.test", "old@x.test"]


@pytest.mark.parametrize(
    ("proxies", "mail", "expected"),
    [
        (["smtp:alias@x.test", "SMTP:main@x.test"], "old@x.test", ["main@x.test", "alias@x.test"]),
        (["X500:/o=Example/cn=ann", "SIP:ann@x.test"], "ann@x.test", ["ann@x.test"]),
        (None, "ann@x.test", ["ann@x.test"]),
        ([], None, []),
    ],
)
def test_the_first_attribute_that_has_any_address_may_be_the_only_one_that_counts(
    proxies: object, mail: str | None, expected: list[str]
) -> None:
    rule = {"from": ["proxyAddresses", "mail"], "smtp_prefixes": True, "first_found": True}

    assert addresses(one({"emails": rule}, {"proxyAddresses": proxies, "mail": mail})) == expected


@pytest.mark.parametrize(
    ("value", "dn"),
    [
        ("ann", "uid=ann,dc=x"),
        ("a,b+c", r"uid=a\,b\+c,dc=x"),
        ('"q" <a;b> \\ =', r"uid=\"q\" \<a\;b\> \\ \=,dc=x"),
        ("#1", r"uid=\#1,dc=x"),
    ],
)
def test_values_in_a_distinguished_name_are_escaped(value: str, dn: str) -> None:
    assert one({"distinguished_name": "uid={v},dc=x"}, {"v": value}).distinguished_name == dn


def test_a_whole_distinguished_name_is_taken_as_it_is() -> None:
    assert one({"distinguished_name": "dn"}, {"dn": "uid=a,dc=x"}).distinguished_name == "uid=a,dc=x"


# -- accounts that may not be used -----------------------------------------------------------------------------------

USABLE, DISABLED, EXPIRED = AccountState.ACTIVE, AccountState.DISABLED, AccountState.EXPIRED


@pytest.mark.parametrize(
    ("rules", "value", "state"),
    [
        ({"is_disabled": "v"}, "yes", DISABLED),
        ({"is_disabled": "v"}, 1, DISABLED),
        ({"is_disabled": "v"}, "FALSE", USABLE),
        ({"is_disabled": "v"}, None, USABLE),
        ({"is_enabled": "v"}, "no", DISABLED),
        ({"is_enabled": "v"}, True, USABLE),
        ({"is_enabled": "v"}, None, USABLE),
        ({"is_enabled": "v"}, "", USABLE),
        ({"is_disabled": {"from": "v", "bit": 2}}, 514, DISABLED),
        ({"is_disabled": {"from": "v", "bit": 2}}, "512", USABLE),
        ({"is_disabled": {"from": "v", "bit": 2}}, None, USABLE),
        ({"is_enabled": {"from": "v", "bit": 1}}, 1, USABLE),
        ({"is_enabled": {"from": "v", "bit": 1}}, 2, DISABLED),
        ({"is_enabled": {"from": "v", "bit": 1}}, None, USABLE),
        ({"expires_at": "v"}, None, USABLE),
        ({"expires_at": "v"}, 0, USABLE),
        ({"expires_at": "v"}, "2026-06-14", EXPIRED),
        ({"expires_at": "v"}, "2026-06-15", USABLE),
        ({"expires_at": "v"}, dt.date(2026, 6, 15), USABLE),
        ({"expires_at": "v"}, "2026-06-15T12:00:00Z", EXPIRED),
        ({"expires_at": "v"}, "2026-06-15T12:00:01Z", USABLE),
        ({"expires_at": "v"}, dt.datetime(2026, 6, 15, 12, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))), EXPIRED),
        ({"expires_at": "v"}, int(NOW.timestamp()), EXPIRED),
        ({"expires_at": "v"}, int(NOW.timestamp()) + 1, USABLE),
        ({"is_locked": {"from": "v", "bit": 16}}, 16, AccountState.LOCKED),
        ({"is_locked": {"from": "v", "bit": 16}}, 8388608, USABLE),
        ({"is_locked": "v"}, None, USABLE),
        ({"is_password_expired": {"from": "v", "bit": 8388608}}, "8388624", AccountState.PASSWORD_EXPIRED),
        ({"is_password_expired": "v"}, "no", USABLE),
    ],
)
def test_account_states_follow_their_rules(rules: dict[str, object], value: object, state: AccountState) -> None:
    assert one(rules, {"v": value}).state is state


def test_a_disabled_account_that_has_expired_is_disabled() -> None:
    rules = {"expires_at": "until", "is_disabled": "off"}

    assert one(rules, {"until": "2020-01-01", "off": 1}).state is DISABLED
    assert one(rules, {"until": "2020-01-01", "off": 0}).state is EXPIRED


def test_of_several_states_the_one_that_lasts_counts() -> None:
    rules = {
        "is_password_expired": {"from": "flags", "bit": 8},
        "is_locked": {"from": "flags", "bit": 4},
        "expires_at": "until",
        "is_disabled": {"from": "flags", "bit": 2},
    }
    told = [
        one(rules, {"flags": flags, "until": until}).state.value
        for flags, until in ((8, None), (12, None), (12, "2020-01-01"), (14, "2020-01-01"))
    ]
    assert told == ["password expired", "locked", "expired", "disabled"]


def test_without_rules_there_are_no_states() -> None:
    assert mapper().page(Batch(("login",), [("ann",)])).states is None


# -- rules that cannot work ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"username": None}, "username"),
        ({"full_name": "{given"}, "brace"),
        ({"full_name": "given}"}, "brace"),
        ({"full_name": "{}"}, "brace"),
        ({"full_name": "{{x}}"}, "brace"),
        ({"full_name": ""}, "empty"),
        ({"full_name": []}, "empty"),
        ({"full_name": ["cn", ""]}, "empty"),
        ({"is_disabled": "a", "is_enabled": "b"}, "is_enabled"),
        ({"username": {"from": "mail", "domain": "x.test"}}, "local_part"),
        ({"is_disabled": ["a", "b"]}, "is_disabled"),
        ({"is_disabled": "{a}"}, "is_disabled"),
        ({"is_enabled": ["a", "b"]}, "is_enabled"),
        ({"expires_at": ["a", "b"]}, "expires_at"),
        ({"username": {"from": "proxyAddresses", "smtp_prefixes": True}}, "smtp_prefixes"),
        ({"full_name": {"from": "names", "separator": ";"}}, "separator"),
        ({"full_name": {"from": "names", "bit": 2}}, "bit"),
        ({"full_name": {"from": "names", "first_found": True}}, "first_found"),
        ({"expires_at": {"from": "until", "bit": 2}}, "bit"),
    ],
)
def test_rules_that_cannot_work_are_configuration_errors(rules: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        mapper(**rules)

    assert "backends.hq.map" in str(raised.value)


def test_the_admins_rules_replace_the_defaults_field_by_field() -> None:
    default = MapSettings.model_validate({"id": "uuid", "username": "uid", "full_name": "cn", "is_disabled": "locked"})
    merged = Mapper("hq", MapSettings.model_validate({"username": "mail", "is_enabled": "active"}), default)

    assert set(merged.attributes) == {"uuid", "mail", "cn", "active"}
    assert merged.has_own_id


def test_the_attributes_are_those_that_the_rules_read_each_once() -> None:
    rules = mapper(full_name=["{given} {sn}", "cn"], nickname="given", emails={"from": ["mail", "login"]})

    assert sorted(rules.attributes) == ["cn", "given", "login", "mail", "sn"]
    assert not rules.has_own_id


# -- entries that cannot be read -------------------------------------------------------------------------------------

SECRET = "hush-hush"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"cn": f"{SECRET}\0"}, "NUL"),
        ({"cn": f"{SECRET}\ud800"}, "surrogate"),
        ({"cn": SECRET.encode() + b"\xff"}, "utf-8"),
        ({"cn": {"secret": SECRET}}, "type dict"),
        ({"mail": [f"{SECRET}\0"]}, "NUL"),
        ({"off": "maybe"}, "neither yes nor no"),
        ({"until": "some day"}, "no date"),
        ({"login": None}, "no user name"),
        ({"login": " "}, "no user name"),
        ({"no": None}, "no id"),
        ({"no": Decimal("sNaN")}, "finite"),
    ],
)
def test_an_unreadable_entry_is_named_by_its_id_and_user_name_only(broken: dict[str, object], reason: str) -> None:
    rules = mapper(id="no", full_name="cn", emails="mail", is_disabled="off", expires_at="until")
    names = ("no", "login", "cn", "mail", "off", "until")
    good = {"no": 1, "login": "bob", "cn": "Bob", "mail": [], "off": 0, "until": None}
    bad = {**good, "no": 7, "login": "ann", **broken}
    rows = [tuple(entry[name] for name in names) for entry in (good, bad, good)]

    with pytest.raises(BadEntry) as raised:
        rules.page(Batch(names, rows))
    page, unreadable = rules.readable(Batch(names, rows))

    message = str(raised.value)
    assert reason in message
    assert "backend hq" in message
    assert SECRET not in message
    assert "bob" not in message
    if "no" not in broken:
        assert "no='7'" in message
    if "login" not in broken:
        assert "login='ann'" in message
    assert [row.position for row in unreadable] == [1]
    assert page.usernames == ["bob", "bob"]


def test_an_entry_behind_a_template_is_named_by_the_attributes_of_the_template() -> None:
    rules = mapper(username="{login}@x.test", full_name="cn")

    with pytest.raises(BadEntry, match="login='ann'"):
        rules.entry_page(Entry({"login": "ann", "cn": "\0"}))


def test_a_missing_column_is_named_beside_those_there_are() -> None:
    with pytest.raises(BadEntry, match=r"no attribute 'cn'.*login, mail"):
        mapper(full_name="cn").page(Batch(("mail", "login"), [("a", "ann")]))


def test_rows_of_different_lengths_are_unreadable() -> None:
    with pytest.raises(BadEntry):
        mapper(full_name="cn").page(Batch(("login", "cn"), [("ann", "Ann"), ("bob",)]))


class _Login(enum.StrEnum):
    ANN = "ann"
    BOB = "bob"


def test_texts_of_another_class_become_plain_ones() -> None:
    """Their own class may write, compare or hash them in its way: members of enumerations are hashed by their names."""
    rows = [(_Login.ANN, _Login.ANN, _Login.ANN), (_Login.BOB, _Login.BOB, _Login.BOB)]
    page = mapper(full_name="{cn}", emails=["mail", "{cn}@x.test"]).page(Batch(("login", "cn", "mail"), rows))

    users = list(page.users())
    assert [user.username for user in users] == [user.full_name for user in users] == ["ann", "bob"]
    assert [email.address for user in users for email in user.emails] == ["ann", "ann@x.test", "bob", "bob@x.test"]
    assert {type(user.username) for user in users} | {type(e.address) for u in users for e in u.emails} == {str}


@pytest.mark.parametrize("columns", [[["ann", "bob"], ["a@x.test"]], [["ann"], ["a@x.test", "b@x.test"]], []])
def test_columns_that_lack_somebody_are_no_rows(columns: list[list[object]]) -> None:
    with pytest.raises(ValueError, match="one length"):
        ColumnwiseRows(columns)


def test_a_batch_without_rows_is_an_empty_page() -> None:
    page = mapper(full_name="cn", emails="mail", is_disabled="off").page(Batch(("login", "cn", "mail", "off"), []))

    assert len(page) == 0
    assert list(page.users()) == []


# -- columns and rows ------------------------------------------------------------------------------------------------

ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
ODD_TEXT = st.sampled_from(
    ["", " ", " a", "a ", "a\nb", "\u2003x", "a|b", "|", "||", "a| b", '"', "\\", "\x7f", "ß", "İ"]
)
BROKEN = st.sampled_from(["\0", "a\0", "\ud800", b"\xff", float("nan"), object()])
SCALARS = st.one_of(
    ANY_TEXT,
    ODD_TEXT,
    st.none(),
    st.integers(),
    st.booleans(),
    st.binary(max_size=3),
    st.floats(),
    st.decimals(allow_nan=True, places=3),
    st.uuids(),
    st.dates(),
    st.datetimes(),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), BROKEN)
#: Columns as they really are: of one kind, with some exceptions.
COLUMN_KINDS = st.sampled_from([ANY_TEXT, ODD_TEXT, st.integers(), st.one_of(ANY_TEXT, st.none()), SCALARS, VALUES])
NAMES = ("no", "login", "cn", "mail", "off")
RULES = st.sampled_from(
    [
        {"username": "login"},
        {"id": "no", "username": {"from": "login", "lower": True}, "full_name": "cn", "emails": "mail"},
        {"username": ["cn", "login"], "full_name": "{cn} {no}", "emails": {"from": "mail", "lower": True}},
        {"username": "{login}", "emails": {"from": ["mail", "cn"], "separator": "a"}, "groups": "cn"},
        {"username": "login", "emails": ["mail", "cn", "login"]},
        {"username": "login", "emails": {"from": ["cn", "mail"], "lower": True}},
        {"username": {"from": "login", "local_part": True}, "emails": "{login}@x", "is_disabled": "off"},
        {"username": "login", "emails": {"from": "mail", "smtp_prefixes": True}, "distinguished_name": "a={cn},b={no}"},
    ]
)


@st.composite
def batches(draw: st.DrawFn) -> list[tuple[object, ...]]:
    count = draw(st.integers(1, 6))
    columns = [draw(st.lists(draw(COLUMN_KINDS), min_size=count, max_size=count)) for _ in NAMES[:-1]]
    columns.append(draw(st.lists(st.sampled_from([0, 1, None, "yes", False, "odd"]), min_size=count, max_size=count)))
    return list(zip(*columns, strict=True))


@settings(max_examples=150)
@given(RULES, batches())
def test_a_column_is_read_like_its_values_one_by_one(rules: dict[str, Any], rows: list[tuple[object, ...]]) -> None:
    plan = mapper(**rules)
    alone: list[UserPage | None] = []
    for row in rows:
        try:
            alone.append(plan.page(Batch(NAMES, [row])))
        except BadEntry:
            alone.append(None)
    good = [user for page in alone if page is not None for user in page.users()]

    page, bad = plan.readable(Batch(NAMES, rows))
    assert list(page.users()) == good
    assert [row.position for row in bad] == [i for i, found in enumerate(alone) if found is None]
    if bad:
        with pytest.raises(BadEntry):
            plan.page(Batch(NAMES, rows))
    else:
        assert list(plan.page(Batch(NAMES, rows)).users()) == good
    columns = ColumnwiseRows(list(zip(*rows, strict=True)))
    assert list(columns) == [columns[i] for i in range(len(columns))] == rows
    assert list(plan.readable(Batch(NAMES, columns))[0].users()) == good
    if not bad:
        assert list(plan.page(Batch(NAMES, columns)).users()) == good


@given(RULES, batches(), st.data())
def test_some_rows_of_a_page_are_the_users_of_these_rows(
    rules: dict[str, Any], rows: list[tuple[object, ...]], data: st.DataObject
) -> None:
    page, _ = mapper(**rules).readable(Batch(NAMES, rows))
    users = list(page.users())
    positions = data.draw(st.lists(st.integers(0, len(users) - 1), max_size=4)) if users else []

    assert list(page.take(positions).users()) == [users[i] for i in positions]
    assert list(UserPage.of("hq", users).users()) == users


# -- the way back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        {"from": "mail", "local_part": True},
        "{given}.{sn}",
        "{login}{login}",
        ["login", "{given}.{sn}"],
    ],
)
def test_a_mapping_that_cannot_be_undone_is_known(rule: object) -> None:
    plan = mapper(username=rule)

    assert not plan.is_reversible
    with pytest.raises(ConfigError, match="username_index"):
        plan.lookups("ann")


@pytest.mark.parametrize(
    ("rule", "typed", "lookups"),
    [
        ("login", "Ann", [Lookup("login", "Ann")]),
        ({"from": "login", "ignore_case": True}, "Ann", [Lookup("login", "Ann", True)]),
        ({"from": "login", "lower": True}, "ann", [Lookup("login", "ann", True)]),
        ("{login}@x.test", "ann@X.test", [Lookup("login", "ann")]),
        ("{login}@x.test", "ann@y.test", []),
        ("{login}@x.test", "@x.test", []),
        ("x-{login}", "X-ann", [Lookup("login", "ann")]),
        (["nick", "login"], "ann", [Lookup("nick", "ann"), Lookup("login", "ann")]),
    ],
)
def test_a_typed_name_becomes_the_question_for_its_entry(rule: object, typed: str, lookups: list[Lookup]) -> None:
    assert list(mapper(username=rule).lookups(typed)) == lookups


def test_ids_out_of_an_index_need_a_plain_attribute() -> None:
    assert mapper(id="uuid").id_lookup("7") == Lookup("uuid", "7")
    for rule in ("{a}-{b}", {"from": "uuid", "lower": True}, ["a", "b"]):
        with pytest.raises(ConfigError, match="or nobody is found by it"):
            mapper(id=rule).id_lookup("7")


LOGIN = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=5)
SIMPLE = st.text("abAB@.İßé", min_size=1, max_size=4)
REVERSIBLE = [
    "login",
    {"from": "login", "lower": True},
    {"from": "login", "ignore_case": True},
    "{login}@x.test",
    {"from": "{login}@X.test", "lower": True},
    "ext-{login}",
    {"from": "ext-{login}!", "ignore_case": True},
    ["nick", "login"],
    {"from": ["nick", "login"], "lower": True},
    {"from": "mail", "local_part": True, "domain": "x.test"},
    {"from": "mail", "local_part": True, "domain": "X.test", "lower": True},
    {"from": ["nick", "mail"], "local_part": True, "domain": "x.test"},
    {"from": "{login}@x.test", "local_part": True, "domain": "x.test"},
]


class Entries:
    """A backend's find over rows in memory, as the contract wants it."""

    def __init__(self, rows: Sequence[Mapping[str, object]]) -> None:
        self.rows = rows

    def find(self, lookup: Lookup) -> list[Mapping[str, object]]:
        if lookup.ignore_case:
            wanted = normalize_name(lookup.value)
            return [r for r in self.rows if (v := r[lookup.attribute]) is not None and normalize_name(str(v)) == wanted]
        return [row for row in self.rows if row[lookup.attribute] == lookup.value]


@st.composite
def people(draw: st.DrawFn) -> list[dict[str, object]]:
    """Entries whose keys are unique even by normalised name, as directories keep them."""
    names = st.one_of(LOGIN, SIMPLE)
    logins = draw(st.lists(names, min_size=1, max_size=6, unique_by=normalize_name))
    nicks = draw(st.lists(names, min_size=6, max_size=6, unique_by=normalize_name))
    domains = draw(st.lists(st.sampled_from(["@x.test", "@X.Test", "@y.test", ""]), min_size=6, max_size=6))
    has_nick = draw(st.lists(st.booleans(), min_size=6, max_size=6))
    return [
        {"no": i, "login": login, "nick": nicks[i] if has_nick[i] else None, "mail": login + domains[i]}
        for i, login in enumerate(logins)
    ]


@settings(max_examples=150)
@given(st.sampled_from(REVERSIBLE), people(), st.booleans())
def test_every_listed_name_finds_the_entry_it_came_from(
    rule: Any, rows: list[dict[str, object]], is_other_case: bool
) -> None:
    plan = mapper(id="no", username=rule)
    names = ("no", "login", "nick", "mail")
    page = plan.page(Batch(names, [tuple(row[name] for name in names) for row in rows]))
    entries = Entries(rows)
    listed = [normalize_name(name) for name in page.usernames]
    is_case_free = isinstance(rule, dict) and (rule.get("lower") or rule.get("ignore_case"))

    for i, username in enumerate(page.usernames):
        if listed.count(listed[i]) > 1:
            continue  # a collision, which the listing reports
        typed = username.swapcase() if is_other_case and is_case_free else username
        if normalize_name(typed) != listed[i]:
            continue
        found = [
            row
            for lookup in plan.lookups(typed)
            for row in entries.find(lookup)
            if normalize_name(plan.entry_page(Entry(row)).usernames[0]) == listed[i]
        ]
        assert {row["no"] for row in found} == {i}


def kinds(mapped: dict[str, object], **attributes: object) -> list[tuple[str, bool, bool]]:
    """Address, whether verified, whether preferred, of the one person with these attributes."""
    mapper = Mapper("hq", MapSettings.model_validate({"username": "uid", **mapped}))
    page = mapper.page(Batch(("uid", *attributes), [("ada", *attributes.values())]))
    return [(email.address, email.is_verified, email.is_preferred) for email in page.user(0).emails]


def test_all_addresses_are_verified_and_the_first_preferred_unless_mapped() -> None:
    assert kinds({"emails": "mail"}, mail=["a@x", "b@x"]) == [("a@x", True, True), ("b@x", True, False)]


def test_unverified_addresses_belong_to_a_person_and_come_last() -> None:
    found = kinds({"emails": "mail", "unverified_emails": "new"}, mail=["a@x", "b@x"], new=["A@x", "c@x"])
    assert found == [("b@x", True, True), ("a@x", False, False), ("c@x", False, False)]


def test_preferred_addresses_come_first_whatever_their_case() -> None:
    found = kinds({"emails": "mail", "preferred_emails": "main"}, mail=["a@x", "b@x"], main="B@X")
    assert found == [("B@X", True, True), ("a@x", True, False)]


def test_unverified_address_is_not_preferred() -> None:
    mapped = {"emails": "mail", "preferred_emails": "main", "unverified_emails": "new"}
    assert kinds(mapped, mail="a@x", main=["b@x", "a@x"], new="b@x") == [("a@x", True, True), ("b@x", False, False)]
    assert kinds(mapped, mail="a@x", main=None, new=None) == [("a@x", True, False)]


def test_person_made_of_objects_keeps_what_is_known_of_their_addresses() -> None:
    emails = (Email("b@x", True, True), Email("c@x", True, True), Email("a@x", True, False), Email("d@x", False, False))
    users = [User("hq", "1", "ada", emails=emails), User("hq", "2", "bob", emails=(Email("e@x"),))]
    page = UserPage.of("hq", users)
    assert page.user(0).emails == emails
    assert page.user(1).emails == (Email("e@x", True, True),)


VALUES = st.one_of(
    st.none(),
    st.sampled_from(
        ["", " ", "ann", "Ann ", " b", "a@x.org", "A@X.org", "ß@x", "SS@x", "a\x00", "a\tb", "\ud800", "e\u0301"]
    ),
    st.text(max_size=4),
    st.integers(),
    st.sampled_from([True, 1.5, Decimal("2.0"), b"ann", b"\xff", ["a", "b"], (), ("",)]),
)
PLAIN_RULES: list[dict[str, object]] = [
    {"full_name": "a", "emails": ["b", "c"]},
    {"id": "a", "full_name": ["b", "c"], "nickname": "b", "tz": "c"},
    {"id": ["a", "b"], "emails": "c", "distinguished_name": "a", "biography": "b"},
    {"emails": ["a", "absent"]},
    {"emails": {"from": ["a", "b"], "lower": True}, "full_name": "{a} {b}"},
    {"is_disabled": "a", "groups": "b"},
]


@settings(max_examples=300)
@given(st.sampled_from(PLAIN_RULES), st.fixed_dictionaries(dict.fromkeys(("login", "a", "b", "c"), VALUES)))
def test_one_entry_is_mapped_as_it_is_on_a_list(rules: dict[str, object], entry: dict[str, object]) -> None:
    def users(page: Callable[[], UserPage]) -> list[User] | str:
        try:
            return list(page().users())
        except BadEntry as exc:
            return str(exc)

    mapping = mapper(**rules)
    found = users(lambda: mapping.entry_page(Entry(entry)))
    assert found == users(lambda: mapping.page(Batch(tuple(entry), [tuple(entry.values())])))
