"""The gateway of a master: every row of the protocol's table, over whole requests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from integration_server.builtin.ips_connect import passwords
from integration_server.builtin.ips_connect.account import Account, NewPerson
from integration_server.builtin.ips_connect.keys import key_of_id
from tests.builtin.ips_connect.master_site import B_KEY, HASH, SALT, A, B, K, MasterSite, answered, signed

NEW_HASH, NEW_SALT = "$2a$13$xyTTP9zhQQtRRKIJPv5AuuOGJ6Ni9FLbDhcuIAcPjt3XzCxIWe3Uu", "xyTTP9zhQQtRRKIJPv5Au3"
REVALIDATE = "https://a.example/confirm?x=1&y=2"
SUCCESS = {"status": "SUCCESS"}


@pytest.fixture
def ann(master: MasterSite) -> int:
    """The connect id of Ann, beside whom there is Bob."""
    ann = master.register("Ann")
    master.register("Bob")
    return ann


# -- asking ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id", "id_type"),
    [
        *(("Ann", "1"), ("ANN", "1"), ("ann", "name"), ("ann@example.com", "2"), ("ann@EXAMPLE.com", "Email")),
        *(("Ann", "3"), ("ann@example.com", "3")),
    ],
)
def test_people_are_found_by_what_they_type(master: MasterSite, ann: int, id: str, id_type: str) -> None:
    sent = {"id": id, "idType": id_type}
    assert master.call("fetchSalt", **sent) == {**SUCCESS, "pass_salt": SALT}
    assert master.call("fetchId", **sent) == {**SUCCESS, "connect_id": ann}
    assert master.call("login", **sent, password=HASH) == {
        **SUCCESS,
        "connect_status": "SUCCESS",
        "email": "ann@example.com",
        "name": "Ann",
        "connect_id": ann,
        "connect_revalidate_url": "",
    }


@pytest.mark.parametrize("do", ["fetchSalt", "login", "fetchId"])
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"id": "Ann", "idType": "2"}, "ACCOUNT_NOT_FOUND"),
        ({"id": "nobody", "idType": "3"}, "ACCOUNT_NOT_FOUND"),
        ({"id": " Ann", "idType": "1"}, "ACCOUNT_NOT_FOUND"),
        ({"id": "Ann"}, "REQUEST_MISSING_DATA"),
        ({"id": "Ann", "idType": "4"}, "REQUEST_MISSING_DATA"),
        ({"id": "", "idType": "1"}, "REQUEST_MISSING_DATA"),
        ({"idType": "1"}, "REQUEST_MISSING_DATA"),
        ({"id": "Ann", "idType": "1", "key": K}, "BAD_KEY"),
        ({"id": "Ann", "idType": "1", "key": key_of_id(K, "ann")}, "BAD_KEY"),
        ({"id": "Ann", "key": "wrong"}, "BAD_KEY"),
        ({"id": "Ann", "idType": "1", "slaveCall": "1"}, "DISABLED"),
    ],
)
def test_questions_about_people_are_checked_in_order(
    master: MasterSite, ann: int, do: str, sent: dict[str, str], status: str
) -> None:
    assert master.call(do, **sent, password=HASH) == {"status": status}


def test_owner_of_an_address_is_asked_for_before_a_namesake(master: MasterSite, ann: int) -> None:
    namesake = master.register("ann@example.com", "other@example.com")
    for id_type, id in (("3", ann), ("2", ann), ("1", namesake)):
        assert master.call("fetchId", id="ann@example.com", idType=id_type)["connect_id"] == id


def test_only_the_stored_hash_logs_in(master: MasterSite, ann: int) -> None:
    for wrong in ("", "password", HASH[:-1], HASH + "x", HASH.upper(), NEW_HASH, "*0"):
        assert master.call("login", id="Ann", idType=1, password=wrong) == {"status": "WRONG_AUTH"}
    assert master.call("login", id="Bob", idType=1) == {"status": "WRONG_AUTH"}
    assert master.status("login", id="Bob", idType=1, fetchId=1) == "WRONG_AUTH"


@pytest.mark.parametrize("stored", ["*0", "*1"])
def test_hash_that_is_a_failure_of_crypt_logs_nobody_in(master: MasterSite, stored: str) -> None:
    # As an import may bring it.
    master.accounts.register(NewPerson("Cas", "cas@example.com", stored, SALT))
    assert master.status("login", id="Cas", idType=1, password=stored) == "WRONG_AUTH"


def test_person_without_password_does_not_log_in_by_the_hash_that_slaves_were_told(master: MasterSite) -> None:
    stored, salt = passwords.unusable()
    master.register("Cas", pass_hash=stored, pass_salt=salt)
    assert master.call("fetchSalt", id="Cas", idType=1)["pass_salt"] == salt
    assert master.status("login", id="Cas", idType=1, password=stored) == "WRONG_AUTH"


def test_who_has_yet_to_confirm_the_address_is_validating(master: MasterSite) -> None:
    id = master.register("Val", revalidateUrl=REVALIDATE)
    answer = master.call("login", id="Val", idType=1, password=HASH)
    assert (answer["status"], answer["connect_status"]) == ("SUCCESS", "VALIDATING")
    assert answer["connect_revalidate_url"] == REVALIDATE
    assert master.status("login", id="Val", idType=1, password=NEW_HASH) == "WRONG_AUTH"
    assert master.call("validate", id=id) == SUCCESS
    answer = master.call("login", id="Val", idType=1, password=HASH)
    assert (answer["connect_status"], answer["connect_revalidate_url"]) == ("SUCCESS", "")


def test_bans_are_for_slaves_to_look_at(master: MasterSite, ann: int) -> None:
    master.call("ban", id=ann, status=1)
    assert master.call("login", id="Ann", idType=1, password=HASH)["connect_status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("do", "sent", "used"),
    [
        *(("checkEmail", {"email": email}, 1) for email in ("ann@example.com", "ANN@example.com", " ann@example.com ")),
        *(("checkEmail", sent, 0) for sent in ({"email": "x@example.com"}, {"email": "Ann"}, {"email": ""}, {})),
        *(("checkName", {"name": name}, 1) for name in ("Ann", "aNN", " Ann ")),
        *(("checkName", sent, 0) for sent in ({"name": "Anna"}, {"name": "ann@example.com"}, {"name": ""}, {})),
    ],
)
def test_whether_something_is_used_is_a_number(
    master: MasterSite, ann: int, do: str, sent: dict[str, str], used: int
) -> None:
    assert master.call(do, **sent) == {**SUCCESS, "used": used}
    assert master.call(do, **sent, key=key_of_id(K, "")) == {"status": "BAD_KEY"}


# -- registering -----------------------------------------------------------------------------------------------------


def test_registered_people_have_what_was_sent(master: MasterSite) -> None:
    sent = {"name": " Ånn Lee ", "email": " ann@example.com", "pass_hash": NEW_HASH, "pass_salt": NEW_SALT}
    answer = master.call("register", **sent, revalidateUrl=REVALIDATE)
    assert answer == {**SUCCESS, "connect_id": 1}
    ann = master.account(1)
    assert (ann.name, ann.email) == ("Ånn Lee", "ann@example.com")
    assert (ann.pass_hash, ann.pass_salt, ann.revalidate_url) == (NEW_HASH, NEW_SALT, REVALIDATE)


@pytest.mark.parametrize(
    ("name", "email"), [("Other", "ann@example.com"), ("ANN", "other@example.com"), ("Ann", "ann@example.com")]
)
def test_who_is_there_already_is_registered_with_the_same_id(
    master: MasterSite, ann: int, name: str, email: str
) -> None:
    before = master.account(ann)
    sent = {"name": name, "email": email, "pass_hash": NEW_HASH, "pass_salt": NEW_SALT}
    assert master.call("register", **sent) == {**SUCCESS, "connect_id": ann}
    assert master.account(ann) == before
    told = {"name": "Ann", "email": "ann@example.com", "revalidateUrl": ""}
    assert master.events()[-1] == ("register", str(ann), told, None)


@pytest.mark.parametrize("failure", ["*0", "*1"])
def test_hash_that_is_a_failure_of_crypt_is_not_kept_nor_told(master: MasterSite, ann: int, failure: str) -> None:
    sent = {"pass_hash": failure, "pass_salt": SALT}
    told = master.events()
    assert master.status("register", name="Eve", email="eve@example.com", **sent) == "REQUEST_MISSING_DATA"
    assert master.status("changePassword", id=ann, **sent) == "REQUEST_MISSING_DATA"
    assert (master.account(ann).pass_hash, master.events()) == (HASH, told)


@pytest.mark.parametrize("empty", ["name", "email", "pass_hash", "pass_salt"])
def test_nobody_is_registered_with_something_missing(master: MasterSite, empty: str) -> None:
    sent = {"name": "Ann", "email": "ann@example.com", "pass_hash": HASH, "pass_salt": SALT}
    for missing in ({empty: ""}, {empty: None}, {empty: "\0"}, {empty: "x" * 400}):
        assert master.call("register", **{**sent, **missing}) == {"status": "REQUEST_MISSING_DATA"}
    assert master.call("register", **{**sent, empty: ""}, key="wrong") == {"status": "BAD_KEY"}
    assert master.accounts.count() == 0


def test_register_takes_the_raw_key_also_with_an_id(master: MasterSite) -> None:
    sent = {"name": "Ann", "email": "ann@example.com", "pass_hash": HASH, "pass_salt": SALT, "id": "42"}
    assert master.call("register", **sent, key=key_of_id(K, "42")) == {"status": "BAD_KEY"}
    assert master.call("register", **sent) == {**SUCCESS, "connect_id": 1}, "a master gives its own ids"


# -- changing --------------------------------------------------------------------------------------------------------

#: What is sent with a change beside the id, and what the account then has.
CHANGES: dict[str, tuple[dict[str, str], Callable[[Account], object], object]] = {
    "validate": ({}, lambda ann: ann.revalidate_url, ""),
    "ban": ({"status": "1"}, lambda ann: ann.is_banned, True),
    "changeEmail": ({"email": "new@example.com"}, lambda ann: ann.email, "new@example.com"),
    "changeName": ({"name": "Anna"}, lambda ann: ann.name, "Anna"),
    "changePassword": (
        {"pass_hash": NEW_HASH, "pass_salt": NEW_SALT},
        lambda ann: (ann.pass_hash, ann.pass_salt),
        (NEW_HASH, NEW_SALT),
    ),
}


@pytest.mark.parametrize("do", CHANGES)
def test_change_is_made_and_told_once(master: MasterSite, do: str) -> None:
    sent, read, after = CHANGES[do]
    ann = master.register("Ann", revalidateUrl=REVALIDATE)
    slave = master.slaves()[0].id
    assert master.call(do, id=ann, **sent, url=A) == SUCCESS
    assert read(master.account(ann)) == after
    assert master.call(do, id=ann, **sent, url=A) == SUCCESS, "it is so already"
    told = {key: value for key, value in sent.items() if not key.startswith("pass_")}
    assert master.events()[1:] == [(do, str(ann), told, slave)]


def test_ban_is_lifted_by_any_other_status(master: MasterSite, ann: int) -> None:
    for status in ("0", "", "-1", "01", None):
        master.call("ban", id=ann, status="1")
        assert master.account(ann).is_banned
        assert master.call("ban", id=ann, status=status) == SUCCESS
        assert not master.account(ann).is_banned


def test_deleted_person_is_gone_for_good(master: MasterSite, ann: int) -> None:
    assert master.call("delete", id=ann) == SUCCESS
    assert master.accounts.find(ann) is None
    assert master.status("login", id="Ann", idType=1, password=HASH) == "ACCOUNT_NOT_FOUND"
    assert master.call("delete", id=ann) == SUCCESS
    assert master.register("Ann") == 3, "an id is never given again"


@pytest.mark.parametrize("parameter", ["remove", "remote"])
def test_merged_person_is_gone(master: MasterSite, ann: int, parameter: str) -> None:
    assert master.call("merge", id=ann, **{parameter: 2}) == SUCCESS
    assert master.accounts.find(2) is None
    assert master.events()[-1] == ("merge", str(ann), {"remove": "2"}, None)


def test_spelling_of_a_parameter_that_is_empty_does_not_hide_the_other(master: MasterSite, ann: int) -> None:
    assert master.status("merge", id=ann, remove="", remote=ann + 1) == "SUCCESS"
    assert master.accounts.find(ann + 1) is None


def test_nothing_is_merged_unless_both_are_there(master: MasterSite, ann: int) -> None:
    before = master.events()
    for sent in ({"id": 99, "remove": ann}, {"id": ann, "remove": 99}, {"id": ann, "remove": "x"}, {"id": ann}):
        assert master.call("merge", **sent) == SUCCESS
    assert master.call("merge", id=ann, remove=ann) == SUCCESS
    assert master.accounts.count() == 2
    assert master.events() == before


@pytest.mark.parametrize("id", ["99", "0", "-1", "1x", "9" * 19, "9" * 300, "", "Ann", None])
@pytest.mark.parametrize("do", [*CHANGES, "delete", "merge"])
def test_what_is_done_to_nobody_is_a_success_and_told_to_nobody(
    master: MasterSite, ann: int, do: str, id: str | None
) -> None:
    sent = CHANGES[do][0] if do in CHANGES else {}
    before = master.events()
    assert master.call(do, id=id, **sent) == SUCCESS
    assert master.events() == before
    assert master.accounts.count() == 2


@pytest.mark.parametrize(
    ("do", "sent", "status"),
    [
        ("changeEmail", {"email": "bob@example.com"}, "EMAIL_IN_USE"),
        ("changeEmail", {"email": "BOB@example.com "}, "EMAIL_IN_USE"),
        ("changeEmail", {"email": "bob@example.com", "id": "99"}, "EMAIL_IN_USE"),
        ("changeEmail", {"email": "ANN@example.com"}, "SUCCESS"),
        ("changeEmail", {"email": ""}, "REQUEST_MISSING_DATA"),
        ("changeEmail", {}, "REQUEST_MISSING_DATA"),
        ("changeName", {"name": "bob"}, "USERNAME_IN_USE"),
        ("changeName", {"name": "Bob", "id": "99"}, "USERNAME_IN_USE"),
        ("changeName", {"name": "ANN"}, "SUCCESS"),
        ("changeName", {"name": " "}, "REQUEST_MISSING_DATA"),
        ("changeName", {"name": "", "id": "99"}, "REQUEST_MISSING_DATA"),
        ("changePassword", {"pass_hash": NEW_HASH}, "REQUEST_MISSING_DATA"),
        ("changePassword", {"pass_salt": NEW_SALT}, "REQUEST_MISSING_DATA"),
        ("changePassword", {"pass_hash": "", "pass_salt": NEW_SALT}, "REQUEST_MISSING_DATA"),
    ],
)
def test_changes_are_checked_in_order(master: MasterSite, ann: int, do: str, sent: dict[str, str], status: str) -> None:
    sent = {"id": str(ann), **sent}
    assert master.call(do, **sent) == {"status": status}
    assert master.call(do, **sent, key=K) == {"status": "BAD_KEY"}


def test_changed_password_logs_in(master: MasterSite, ann: int) -> None:
    master.call("changePassword", id=ann, pass_hash=NEW_HASH, pass_salt=NEW_SALT)
    assert master.call("fetchSalt", id="Ann", idType=1)["pass_salt"] == NEW_SALT
    assert master.status("login", id="Ann", idType=1, password=HASH) == "WRONG_AUTH"
    assert master.status("login", id="Ann", idType=1, password=NEW_HASH) == "SUCCESS"


@pytest.mark.parametrize("do", ["register", *CHANGES, "delete", "merge", "verifySettings", "disableSlave", "checkName"])
def test_what_a_master_sends_its_slave_is_not_done_here(master: MasterSite, ann: int, do: str) -> None:
    before = master.events()
    sent = {"name": "X", "email": "x@example.com", "pass_hash": HASH, "pass_salt": SALT, "url": A, "ourKey": "x"}
    assert master.call(do, id=ann, remove=2, status=1, slaveCall=1, **sent) == {"status": "DISABLED"}
    assert master.call(do, id=ann, slaveCall="1", key="wrong") == {"status": "DISABLED"}
    assert master.events() == before
    assert master.slaves()[0].is_up


@pytest.mark.parametrize(
    ("url", "is_told"), [(A, False), ("https://A.example/gw", True), (A + "/", True), ("", True), (None, True)]
)
def test_slave_that_asks_for_a_change_is_not_told_of_it(master: MasterSite, url: str | None, is_told: bool) -> None:
    id = master.register("Ann", url=url)
    slave = master.slaves()[0].id
    assert master.events() == [
        (
            "register",
            str(id),
            {"name": "Ann", "email": "ann@example.com", "revalidateUrl": ""},
            None if is_told else slave,
        )
    ]


# -- how calls come --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/gw", "/gw/", "/gw/applications/core/interface/ipsconnect/ipsconnect.php"])
def test_calls_come_by_get_and_post_and_below_the_usual_path(master: MasterSite, ann: int, path: str) -> None:
    sent = signed("fetchId", id="Ann", idType="1")
    for response in (
        master.request(path=path, query_string=sent),
        master.request("POST", path, data=sent),
        master.request("POST", path, data=sent, content_type="multipart/form-data"),
        master.request("POST", path, query_string=sent),
        master.request(
            "POST", path, query_string={"do": "FETCHID", "key": sent["key"]}, data={"id": "Ann", "idType": 1}
        ),
    ):
        assert answered(response) == {**SUCCESS, "connect_id": ann}


def test_gateway_at_the_root_answers_below_the_usual_path(make_master: Callable[..., MasterSite]) -> None:
    site = make_master(path="/")
    site.register("Ann")
    site.path = "/applications/core/interface/ipsconnect/ipsconnect.php"
    assert site.call("fetchId", id="Ann", idType=1) == {**SUCCESS, "connect_id": 1}


def test_form_wins_over_the_query(master: MasterSite, ann: int) -> None:
    query = signed("changeName", id=ann, name="Query")
    assert answered(master.request("POST", query_string=query, data={"name": "Form"})) == SUCCESS
    assert master.account(ann).name == "Form"


@pytest.mark.parametrize("path", ["/gw", "/gw/applications/core/interface/ipsconnect/ipsconnect.php"])
@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_other_http_methods_change_nothing_and_say_which_to_take(
    master: MasterSite, ann: int, method: str, path: str
) -> None:
    response = master.request(method, path, query_string=signed("delete", id=ann))
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"GET", "POST"}
    assert master.accounts.find(ann) is not None


@pytest.mark.parametrize("do", ["fetchsalt", "FETCHSALT", "FetchSalt"])
def test_methods_are_known_in_any_case(master: MasterSite, ann: int, do: str) -> None:
    assert master.status(do, id="Ann", idType=1) == "SUCCESS"


@pytest.mark.parametrize("do", ["nonsense", "_push", "__construct", "", "cancel", "act"])
def test_unknown_methods_are_invalid_actions(master: MasterSite, do: str) -> None:
    assert answered(master.request(query_string={"do": do, "key": K})) == {"status": "INVALID_ACTION"}
    assert answered(master.request()) == {"status": "INVALID_ACTION"}


@pytest.mark.parametrize("query", ["act=login&idType=username&id=ann&password=x", "act=check&key=" + K, "act[]=delete"])
def test_version_3_is_told_that_it_is_not_answered(master: MasterSite, query: str) -> None:
    for response in (
        master.request(query_string=query),
        master.request("POST", data=query, content_type="application/x-www-form-urlencoded"),
    ):
        answer = answered(response)
        assert answer["status"] == answer["connect_status"] == "INVALID_ACTION"
        assert "version 3" in answer["message"]


# -- together with other frontends -----------------------------------------------------------------------------------


def test_registered_people_are_in_mailstores_list_and_log_in_there(
    stored_master: MasterSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "COST", 4)
    for name in ("Ann", "Ban", "Val"):
        salt = passwords.new_salt()
        more = {"revalidateUrl": REVALIDATE} if name == "Val" else {}
        stored_master.register(name, pass_hash=passwords.hashed(name, salt), pass_salt=salt, **more)
    stored_master.call("ban", id=2, status=1)

    def mailstore(**fields: str) -> Any:
        return stored_master.request("POST", "/mailstore", data=fields, caller="127.0.0.1").get_json()

    assert [one["userName"] for one in mailstore(cmd="list")] == ["Ann"]
    for name in ("Ann", "Ban", "Val"):
        assert mailstore(cmd="auth", user=name, **{"pass": name}) == {"succeeded": name == "Ann"}
    assert mailstore(cmd="auth", user="Ann", **{"pass": "wrong"}) == {"succeeded": False}


# -- many at once ----------------------------------------------------------------------------------------------------


def test_many_registers_of_one_address_make_one_account(stored_master: MasterSite) -> None:
    begin = threading.Barrier(8)

    def register(number: int) -> dict[str, Any]:
        begin.wait(20)
        return stored_master.call(
            "register", name=f"Ann {number}", email="ann@example.com", pass_hash=HASH, pass_salt=SALT
        )

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(register, range(8)))
    assert answers == [{**SUCCESS, "connect_id": 1}] * 8
    assert stored_master.accounts.count() == 1


def test_many_take_one_name_and_one_gets_it(stored_master: MasterSite) -> None:
    ids = [stored_master.register(f"Person {number}") for number in range(6)]
    begin = threading.Barrier(len(ids))

    def rename(id: int) -> str:
        begin.wait(20)
        return stored_master.status("changeName", id=id, name="Ann")

    with ThreadPoolExecutor(len(ids)) as threads:
        assert sorted(threads.map(rename, ids)) == ["SUCCESS", *["USERNAME_IN_USE"] * 5]


def test_one_slave_that_registers_many_times_at_once_is_one(stored_master: MasterSite) -> None:
    begin = threading.Barrier(6)

    def verify(number: int) -> str:
        begin.wait(20)
        return stored_master.status("verifySettings", url=B, ourKey=B_KEY)

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(verify, range(6))) == ["SUCCESS"] * 6
    assert len(stored_master.slaves()) == 2
