"""Calls of IPS Connect: read as the reference reads them, and whatever is sent, nothing raises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import parse_qs

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration_server.builtin.ips_connect import calls
from integration_server.builtin.ips_connect.calls import Call, Refusal, connect_id, parse, refused
from integration_server.builtin.ips_connect.keys import KeyRule, key_of_id
from integration_server.builtin.ips_connect.methods import METHODS, IdType, Status

K = "0123456789abcdef0123456789abcdef"
URL = "https%3A%2F%2Fa.example%2Fgw"
KEY_42 = "ef7d05c70b4fddc71bb6d4449bfdd60e"


def read(query: str, form: str = "") -> Call | Refusal:
    return parse(parse_qs(query, keep_blank_values=True), parse_qs(form, keep_blank_values=True))


def call(query: str, form: str = "") -> Call:
    found = read(query, form)
    assert isinstance(found, Call)
    return found


def told(query: str) -> Status:
    """What the key and the completeness of a call come to."""
    found = read(query)
    return found.status if isinstance(found, Refusal) else refused(found, K) or Status.SUCCESS


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (f"do=verifySettings&key={K}&url={URL}&ourKey={'a' * 32}", {"url": "https://a.example/gw", "ourKey": "a" * 32}),
        (
            "do=fetchSalt&key=0da4713f6108abdac7a7ff4480143cdd&idType=2&id=alice%40example.com",
            {"idType": "2", "id": "alice@example.com"},
        ),
        (
            "do=login&key=0da4713f6108abdac7a7ff4480143cdd&idType=2&id=alice@example.com&password=$2a$13$leEv/",
            {"idType": "2", "id": "alice@example.com", "password": "$2a$13$leEv/"},
        ),
        (
            f"do=register&key={K}&name=Alice&email=alice%40example.com&pass_hash=h&pass_salt=s&revalidateUrl=&url={URL}",
            {
                "name": "Alice",
                "email": "alice@example.com",
                "pass_hash": "h",
                "pass_salt": "s",
                "revalidateUrl": "",
                "url": "https://a.example/gw",
            },
        ),
        (
            f"do=register&key={K}&name=A&email=a&pass_hash=h&pass_salt=s&id=42&slaveCall=1",
            {"name": "A", "email": "a", "pass_hash": "h", "pass_salt": "s", "id": "42", "slaveCall": "1"},
        ),
        (f"do=ban&key={KEY_42}&id=42&status=1", {"id": "42", "status": "1"}),
        (f"do=merge&key={KEY_42}&id=42&remove=43", {"id": "42", "remove": "43"}),
        (f"do=merge&key={KEY_42}&id=42&remote=43", {"id": "42", "remove": "43"}),
        (f"do=changeEmail&key={KEY_42}&id=42&email=new%40example.com", {"id": "42", "email": "new@example.com"}),
        (
            f"do=crossLogin&key={KEY_42}&url={URL}&id=42&returnTo=https%3A%2F%2Fa.example%2F%3Fx%3D1",
            {"url": "https://a.example/gw", "id": "42", "returnTo": "https://a.example/?x=1"},
        ),
    ],
)
def test_calls_of_the_reference_are_taken(query: str, values: Mapping[str, str]) -> None:
    assert dict(call(query).values) == values
    assert told(query) is Status.SUCCESS


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("do=nonsense&key=x", Status.INVALID_ACTION),
        ("key=x", Status.INVALID_ACTION),
        ("do=&key=x", Status.INVALID_ACTION),
        ("do[]=login&key=x", Status.INVALID_ACTION),
        ("do=login&do[]=login&key=x", Status.INVALID_ACTION),
        ("do=_push&key=x", Status.INVALID_ACTION),
        ("do=__construct&key=x", Status.INVALID_ACTION),
        ("do=chec\u212aName&key=x", Status.INVALID_ACTION),
        ("do=login ", Status.INVALID_ACTION),
        ("do=validate&id=42&key=wrong", Status.BAD_KEY),
        ("do=validate", Status.BAD_KEY),
        (f"do=validate&id=42&key={K}", Status.BAD_KEY),
        (f"do=validate&id=42&key={KEY_42.upper()}", Status.BAD_KEY),
        (f"do=validate&id=42&key[]={KEY_42}", Status.BAD_KEY),
        (f"do=validate&id=42&key={KEY_42}", Status.SUCCESS),
        # Without any id it is the key itself, and then there is nobody to do it to.
        (f"do=validate&key={K}", Status.SUCCESS),
        (f"do=validate&id=&key={K}", Status.BAD_KEY),
        (f"do=validate&id=&key={key_of_id(K, '')}", Status.SUCCESS),
        ("do=login", Status.BAD_KEY),
        (f"do=login&key={K}", Status.REQUEST_MISSING_DATA),
        (f"do=login&id=&idType=1&key={key_of_id(K, '')}", Status.REQUEST_MISSING_DATA),
        (f"do=login&id=42&key={KEY_42}", Status.REQUEST_MISSING_DATA),
        (f"do=login&id=42&idType=&key={KEY_42}", Status.REQUEST_MISSING_DATA),
        (f"do=login&id=42&idType=4&key={KEY_42}", Status.REQUEST_MISSING_DATA),
        (f"do=login&id=42&idType=member_id&key={KEY_42}", Status.REQUEST_MISSING_DATA),
        (f"do=login&id=42&idType=3&key={KEY_42}", Status.SUCCESS),
        (f"do=fetchId&id=42&idType=email&key={KEY_42}", Status.SUCCESS),
        # An array is no id, and what remains is a call without one.
        (f"do=login&id[]=42&idType=3&key={KEY_42}", Status.BAD_KEY),
        (f"do=login&id[]=42&idType=3&key={K}", Status.REQUEST_MISSING_DATA),
        (f"do=delete&id[]=42&key={K}", Status.REQUEST_MISSING_DATA),
        (f"do=delete&id=42&id[x][y]=43&key={KEY_42}", Status.BAD_KEY),
        (f"do=delete&id=42&strange[]=43&key={KEY_42}", Status.SUCCESS),
        (f"do=merge&id=42&remote[]=43&key={KEY_42}", Status.REQUEST_MISSING_DATA),
        (f"do=verifySettings&key={K}&url={URL}", Status.FAILURE),
        (f"do=verifySettings&key={K}&url=&ourKey=x", Status.FAILURE),
        ("do=verifySettings&key=x", Status.BAD_KEY),
        (f"do=register&key={K}&name=A&email=a&pass_hash=h&pass_salt=", Status.REQUEST_MISSING_DATA),
        (f"do=register&key={K}&name=+&email=a&pass_hash=h&pass_salt=s", Status.REQUEST_MISSING_DATA),
        (f"do=register&key={KEY_42}&id=42&name=A&email=a&pass_hash=h&pass_salt=s", Status.BAD_KEY),
        (f"do=changeName&id=42&key={KEY_42}", Status.REQUEST_MISSING_DATA),
        (f"do=changeName&id=42&name={'x' * 256}&key={KEY_42}", Status.REQUEST_MISSING_DATA),
        (f"do=changePassword&id=42&pass_hash=h&key={KEY_42}", Status.REQUEST_MISSING_DATA),
        (f"do=checkEmail&key={K}", Status.SUCCESS),
        (f"do=crossLogin&key={K}", Status.REQUEST_MISSING_DATA),
    ],
)  # fmt: skip
def test_checks_come_in_the_order_of_the_reference(query: str, status: Status) -> None:
    assert told(query) is status


def test_action_is_taken_in_any_case() -> None:
    assert call("do=FETCHSALT").method is call("do=fetchsalt").method is METHODS["fetchsalt"]


def test_form_wins_and_of_a_repeated_name_the_last_value() -> None:
    found = call("do=changeName&id=1&id=2&name=query", "name=first&name=form")
    assert dict(found.values) == {"id": "2", "name": "form"}


def test_nul_bytes_are_stripped_before_anything_else() -> None:
    found = call(f"do=%00vali%00date&id=4%002&key={KEY_42}%00")
    assert found.id == "42"
    assert refused(found, K) is None


def test_id_is_as_it_was_sent_and_names_lose_blanks_around() -> None:
    found = call("do=changeName&id=+Alice+&name=+Alice+Smith+")
    assert found.id == " Alice "
    assert found.value("name") == "Alice Smith"


@pytest.mark.parametrize("query", ["act=login&id=alice&idType=username", "act=", "act[]=delete"])
def test_version_3_is_recognised_and_told_so(query: str) -> None:
    refusal = read(query)
    assert refusal == Refusal(is_version_3=True)
    said = calls.refusal_answer(refusal)
    assert said["status"] == said["connect_status"] == "INVALID_ACTION"
    assert "version 3" in str(said["message"])
    assert read(query + "&do=nonsense") == Refusal(), "who says do speaks version 4"


@pytest.mark.parametrize(("sent", "flag"), [("1", True), ("0", False), ("", False), ("true", True)])
def test_slave_call_is_a_flag_of_php(sent: str, flag: bool) -> None:
    assert call(f"do=delete&slaveCall={sent}").is_slave_call is flag


def test_only_1_is_a_ban() -> None:
    assert call("do=ban&status=1").is_ban
    assert not any(call(f"do=ban{rest}").is_ban for rest in ("", "&status=", "&status=0", "&status=01", "&status=-1"))


def test_types_of_ids() -> None:
    found = {sent: call(f"do=login&idType={sent}").id_type for sent in ("1", "2", "3", "name", "Email", "id", "")}
    assert found == {
        "1": IdType.NAME,
        "2": IdType.EMAIL,
        "3": IdType.EITHER,
        "name": IdType.NAME,
        "Email": IdType.EMAIL,
        "id": None,
        "": None,
    }


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", 42),
        ("042", 42),
        (str(2**63 - 1), 2**63 - 1),
        *((text, None) for text in (None, "", "0", "-1", "4.2", " 42", "42\n", "٤٢", "1e3", str(2**63), "9" * 9999)),
    ],
)
def test_id_of_an_account_is_a_number(text: str | None, number: int | None) -> None:
    assert connect_id(text) == number


def test_rules_of_keys_are_those_of_the_reference() -> None:
    raw = {method.name for method in METHODS.values() if method.key_rule is KeyRule.RAW}
    assert raw == {"verifySettings", "disableSlave", "register", "checkEmail", "checkName"}
    assert len(METHODS) == 17
    assert {method.name for method in METHODS.values() if method.is_pushed} == {
        *("register", "validate", "delete", "ban", "merge", "changeEmail", "changePassword", "changeName")
    }


def test_no_secret_is_shown_with_a_call() -> None:
    query = f"do=changePassword&id=42&key={KEY_42}&pass_hash=hash-of-her&pass_salt=salt-of-her"
    shown = repr(call(query))
    assert not any(secret in shown for secret in (KEY_42, "hash-of-her", "salt-of-her"))


def test_answers_are_those_of_the_reference() -> None:
    answers = [
        calls.answer(Status.BAD_KEY),
        calls.salt_answer("leEvXu77OIwPwNvtZIJval"),
        calls.login_answer(42, "Alice", "alice@example.com", ""),
        calls.login_answer(42, "Ålice", "a@x", "https://a.example/"),
        calls.id_answer(42),
        calls.used_answer(True),
        calls.used_answer(False),
        calls.refusal_answer(Refusal()),
    ]
    assert [calls.body(answer).decode() for answer in answers] == [
        '{"status":"BAD_KEY"}',
        '{"status":"SUCCESS","pass_salt":"leEvXu77OIwPwNvtZIJval"}',
        '{"status":"SUCCESS","connect_status":"SUCCESS","email":"alice@example.com","name":"Alice","connect_id":42,'
        '"connect_revalidate_url":""}',
        '{"status":"SUCCESS","connect_status":"VALIDATING","email":"a@x","name":"\\u00c5lice","connect_id":42,'
        '"connect_revalidate_url":"https://a.example/"}',
        '{"status":"SUCCESS","connect_id":42}',
        '{"status":"SUCCESS","used":1}',
        '{"status":"SUCCESS","used":0}',
        '{"status":"INVALID_ACTION"}',
    ]


# -- whatever is sent ------------------------------------------------------------------------------------------------

_KNOWN = sorted({name for m in METHODS.values() for p in m.parameters for name in p.names} | {"do", "act", "key"})
_NAMES = st.one_of(
    st.sampled_from(_KNOWN),
    st.sampled_from(_KNOWN).flatmap(
        lambda name: st.sampled_from([name + "[]", name + "[x]", "_" + name, name.upper()])
    ),
    st.text(max_size=8),
)
_VALUES = st.one_of(
    st.sampled_from([method.name for method in METHODS.values()]),
    st.sampled_from(["", "0", "1", "2", "3", "42", "\0", "\ud800", "x" * 1_000_000, "$2a$13$", K, KEY_42]),
    st.text(st.characters(exclude_categories=[]), max_size=40),
)
_SENT = st.dictionaries(_NAMES, st.lists(_VALUES, max_size=3), max_size=12)
_CALLS = st.tuples(st.sampled_from(sorted(METHODS)), _SENT).map(lambda pair: {**pair[1], "do": [pair[0]]})


# Some of these values are long, and machines are busy.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_SENT | _CALLS, _SENT)
def test_whatever_is_sent_is_a_call_or_refused(query: Mapping[str, list[str]], form: Mapping[str, list[str]]) -> None:
    found = parse(query, form)
    if isinstance(found, Refusal):
        assert json.loads(calls.body(calls.refusal_answer(found)))["status"] == "INVALID_ACTION"
        return
    assert refused(found, "another key, which nobody has sent") is Status.BAD_KEY
    known = {parameter.name: parameter for parameter in found.method.parameters}
    for name, value in found.values.items():
        assert len(value) <= known[name].limit
        assert "\0" not in value
        assert value.encode().decode() == value, "what is taken can be stored"
    connect_id(found.id)
    repr((found, found.id_type, found.is_ban, found.is_slave_call))


@given(_CALLS)
def test_who_has_the_key_is_told_nothing_but_documented_statuses(query: Mapping[str, list[str]]) -> None:
    found = parse(query, {})
    if isinstance(found, Call):
        right = K if found.id is None or found.method.key_rule is KeyRule.RAW else key_of_id(K, found.id)
        known = parse({name: sent for name, sent in query.items() if not name.startswith("key[")}, {"key": [right]})
        assert isinstance(known, Call)
        assert refused(known, K) in (None, known.method.missing)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_key_of_whatever_id_is_right_for_this_id_alone(id: str) -> None:
    found = parse({"do": ["validate"], "id": [id], "key": [key_of_id(K, id.replace(chr(0), ""))]}, {})
    assert isinstance(found, Call)
    assert (refused(found, K) is None) is (found.id is not None)
    other = parse({"do": ["validate"], "id": [id + "x"], "key": [found.key]}, {})
    assert isinstance(other, Call)
    assert refused(other, K) is Status.BAD_KEY
