"""The CSV backend makes people and confirms their addresses."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from integration_server import (
    AccountWriter,
    AmbiguousEntry,
    BackendMisconfigured,
    Deadline,
    Email,
    NewAccount,
    ReadOnlyBackend,
    UnwritableValue,
    User,
)
from tests.builtin.csv_files import Reader, write_old
from tests.builtin.csv_writer import writable

PEOPLE = "number,login,name,mail,mail2,pending,about,zone,extra\n7,ann,Ann,ann@x.org,,,,,keep\n"
MAP = {
    "id": "number",
    "username": "login",
    "full_name": "name",
    "emails": ["mail", "mail2"],
    "unverified_emails": "pending",
    "biography": "about",
    "tz": "zone",
}
CLEO = NewAccount("cleo@x.org", "Cleo", "Two\nlines", "Europe/Berlin")


def people(folder: Path, content: str = PEOPLE, **keys: Any) -> Reader:
    made = Reader(folder, **{"is_writable": True, "map": MAP, **keys})
    write_old(made.path, content)
    return made


def make(reader: Reader, account: NewAccount = CLEO) -> str:
    return reader.backend.create_account(account, Deadline(20))


def confirm(reader: Reader, name: str, address: str) -> None:
    entry = reader.backend.find(lookup(reader, name), Deadline(20))
    assert entry is not None
    reader.backend.confirm_email(entry, address, Deadline(20))


def lookup(reader: Reader, name: str) -> Any:
    return reader.mapper.lookups(name)[0]


def user(reader: Reader, user_id: str) -> User:
    return next(user for user in reader.users() if user.id == user_id)


def text(reader: Reader) -> str:
    return reader.path.read_bytes().decode()


def test_new_person_is_a_row_that_is_seen_at_once(tmp_path: Path) -> None:
    made = people(tmp_path)
    assert isinstance(made.backend, AccountWriter)
    found = user(made, make(made))
    assert (found.username, found.full_name, found.biography, found.tz) == ("cleo", "Cleo", "Two\nlines", CLEO.tz)
    assert found.emails == (Email("cleo@x.org", is_verified=True, is_preferred=True),)
    assert text(made) == f'{PEOPLE}{found.id},cleo,Cleo,cleo@x.org,,,"Two\nlines",Europe/Berlin,\n'
    entry = made.backend.find(lookup(made, "cleo"), Deadline(20))
    assert entry is not None
    assert len(made.mapper.entry_page(entry).ids) == 1


def test_ids_are_no_numbers_that_were_somebodys_before(tmp_path: Path) -> None:
    first, second = people(tmp_path), "dora@x.org"
    assert len({make(first), make(first, NewAccount(second, "Dora")), "7", "8"}) == 4


def test_user_names_are_made_of_addresses_and_are_nobody_elses(tmp_path: Path) -> None:
    made = people(tmp_path)
    for address, name in [
        ("ANN@y.org", "ANN2"),
        ("ann@z.org", "ann3"),
        ('"a b;c"@x.org', "abc"),
        ("'@x.org", "user"),
        ("jörg+x@x.org", "jörg+x"),
    ]:
        assert user(made, make(made, NewAccount(address, "N"))).username == name


def test_without_an_id_column_the_user_name_is_the_id(tmp_path: Path) -> None:
    rest = {key: value for key, value in MAP.items() if key != "id"}
    made = people(tmp_path, map={**rest, "username": {"from": "login", "lower": True}})
    assert make(made, NewAccount("Dora@x.org", "D")) == "dora"
    assert make(made, NewAccount("ANN@y.org", "A")) == "ann2"
    assert user(made, "ann2").emails[0].address == "ANN@y.org"


def test_user_name_may_be_the_address_or_a_part_of_it(tmp_path: Path) -> None:
    rest = {key: value for key, value in MAP.items() if key != "id"}
    made = people(tmp_path, map={**rest, "username": "mail"})
    assert make(made) == "cleo@x.org"
    made = people(tmp_path, map={**rest, "username": {"from": "login", "local_part": True, "domain": "x.org"}})
    assert make(made, NewAccount("ann@y.org", "A")) == "ann2"
    assert text(made) == f"{PEOPLE},ann2@x.org,A,ann@y.org,,,,,\n"
    made = people(tmp_path, map={**rest, "username": {"from": "mail", "local_part": True}})
    with pytest.raises(UnwritableValue, match=r"username: 'ann@y\.org' is empty or somebody else's"):
        make(made, NewAccount("ann@y.org", "A"))


def test_default_mapping_takes_people_even_without_a_column_of_names(tmp_path: Path) -> None:
    made = Reader(tmp_path, is_writable=True)
    write_old(made.path, '"username","email"\r\n"ann",""\r\n')
    assert make(made) == "cleo"
    assert text(made) == '"username","email"\r\n"ann",""\r\n"cleo","cleo@x.org"\r\n'
    write_old(made.path, "username\nann\n")
    with pytest.raises(BackendMisconfigured, match="there is no column 'email' to write to"):
        make(made)


def test_address_that_somebody_has_makes_nobody(tmp_path: Path) -> None:
    made = people(tmp_path, PEOPLE + "8,bob,Bob,,BOB@x.org,wait@x.org,,,\n")
    before = text(made)
    assert make(made, NewAccount("Ann@X.org", "A")) == "7"
    assert make(made, NewAccount("bob@x.org", "B")) == "8"
    assert make(made, NewAccount("wait@x.org", "B")) == "8"
    assert text(made) == before
    write_old(made.path, before + "9,eve,Eve,ann@x.org,,,,,\n")
    with pytest.raises(AmbiguousEntry, match=r"users\.csv: more than one person has the address"):
        make(made, NewAccount("ann@x.org", "A"))


@pytest.mark.parametrize(
    ("keys", "account", "complaint"),
    [
        ({"encoding": "cp1252"}, NewAccount("a@x.org", "李"), r"full_name \(column 'name'\): the character"),
        ({"quote": ""}, CLEO, r"biography \(column 'about'\): a line break"),
        ({"quote": ""}, NewAccount("a@x.org", "a,b"), r"full_name \(column 'name'\): a ',' cannot be written"),
        ({}, NewAccount("a@x.org", "A", tz="a\0"), r"tz \(column 'zone'\): a NUL"),
        ({}, NewAccount("", "A"), "email: '' cannot be written as one address"),
        ({"map": {**MAP, "emails": {"from": "mail", "separator": ";"}}}, NewAccount("a;b@x", ""), "email: 'a;b@x'"),
    ],
)
def test_value_that_the_file_cannot_hold_is_named_and_nothing_is_written(
    tmp_path: Path, keys: dict[str, Any], account: NewAccount, complaint: str
) -> None:
    made = people(tmp_path, **keys)
    with pytest.raises(UnwritableValue, match=complaint):
        make(made, account)
    assert text(made) == PEOPLE


@pytest.mark.parametrize("value", ['a","b', "x\r\n8,admin,,,,,,,", "=1+1", '"', "', --", "\u2028"])
def test_hostile_values_stay_in_their_cells(tmp_path: Path, value: str) -> None:
    made = people(tmp_path)
    found = user(made, make(made, NewAccount("m@x.org", "M", f"<{value}>")))
    assert found.biography == f"<{value}>"
    assert len(made.users()) == 2


def test_read_only_backends_and_mappings_without_a_place_say_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(ReadOnlyBackend, match="set is_writable = true"):
        make(people(tmp_path, is_writable=False))
    with pytest.raises(
        ReadOnlyBackend, match=r"people cannot be made: in \[map\], username must be read from a column"
    ):
        make(people(tmp_path, map={**MAP, "username": "{login}x"}))
    with pytest.raises(ReadOnlyBackend, match="set is_writable = true"):
        confirm(people(tmp_path, is_writable=False), "ann", "ann@x.org")


def test_confirmed_address_moves_to_the_others(tmp_path: Path) -> None:
    made = people(tmp_path, PEOPLE + "8,bob,Bob,,,bob@x.org,,,\n")
    confirm(made, "bob", "BOB@x.org")
    assert text(made) == PEOPLE + "8,bob,Bob,BOB@x.org,,,,,\n"
    assert user(made, "8").emails == (Email("BOB@x.org", is_verified=True, is_preferred=True),)
    write_old(made.path, PEOPLE.replace("ann@x.org,,,", "ann@x.org,,new@x.org,"))
    confirm(made, "ann", "other@x.org")
    confirm(made, "ann", "new@x.org")
    confirm(made, "ann", "new@x.org")
    assert text(made) == PEOPLE.replace("ann@x.org,,,", "ann@x.org,new@x.org,,")


def test_confirmed_address_joins_others_in_one_column_and_is_preferred_where_none_is(tmp_path: Path) -> None:
    rules = {
        **MAP,
        "emails": {"from": "mail", "separator": ";"},
        "unverified_emails": {"from": "pending", "separator": ";"},
        "preferred_emails": "mail2",
    }
    made = people(tmp_path, PEOPLE.replace("ann@x.org,,,", "ann@x.org,,b@x.org;c@x.org,"), map=rules)
    confirm(made, "ann", "c@x.org")
    assert text(made) == PEOPLE.replace("ann@x.org,,,", "ann@x.org;c@x.org,c@x.org,b@x.org,")
    confirm(made, "ann", "b@x.org")
    assert text(made) == PEOPLE.replace("ann@x.org,,,", "ann@x.org;c@x.org;b@x.org,c@x.org,,")


def test_address_without_a_place_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    full = PEOPLE.replace("ann@x.org,,,", "ann@x.org,a2@x.org,new@x.org,")
    made = people(tmp_path, full)
    with pytest.raises(BackendMisconfigured, match=r"set separator in \[map\] emails"):
        confirm(made, "ann", "new@x.org")
    assert text(made) == full


def test_without_unverified_addresses_there_is_nothing_to_confirm(tmp_path: Path) -> None:
    made = people(tmp_path, map={key: value for key, value in MAP.items() if key != "unverified_emails"})
    confirm(made, "ann", "ann@x.org")
    assert text(made) == PEOPLE


def test_new_person_gets_the_key_that_memberships_refer_to(tmp_path: Path) -> None:
    table = {"path": "in.csv", "user_column": "who", "group_column": "what", "key_column": "extra"}
    made = people(tmp_path, memberships=table, map={**MAP, "groups": "groups"})
    write_old(tmp_path / "in.csv", "who,what\nkeep,staff\n")
    new = make(made)
    entry = made.backend.find(lookup(made, "cleo"), Deadline(20))
    assert entry is not None
    assert made.backend.add_member(entry, "staff", Deadline(20))
    assert user(made, new).groups == user(made, "7").groups == ("staff",)


def test_eight_threads_and_two_processes_lose_nobody(tmp_path: Path) -> None:
    made = writable(tmp_path)
    write_old(made.path, "username;full_name;email;groups\nann;;;\n")
    command = [sys.executable, "-m", "tests.builtin.csv_writer", str(tmp_path), "make"]
    processes = [subprocess.Popen([*command, str(n), "15"], cwd=Path(__file__).parents[2]) for n in (1000, 2000)]
    ids: list[str] = []

    def work(number: int) -> None:
        for turn in range(4):
            # Everybody would like to be called the same.
            ids.append(make(made, NewAccount(f"same@{number}-{turn}.org", "S")))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait(60) for process in processes] == [0, 0]
    expected = {"ann"} | {f"p{n + number}" for n in (1000, 2000) for number in range(15)}
    assert len(set(ids)) == 32
    assert sorted(made.names()) == sorted(expected | set(ids))
