"""What the CSV backend can read, and how it says that it cannot."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_server import (
    AmbiguousEntry,
    BackendMisconfigured,
    BackendUnavailable,
    BadEntry,
    ConfigError,
    Deadline,
    Entry,
    IncompleteListing,
    Lookup,
    Verdict,
)
from tests.builtin.csv_files import Reader, quoted, ssha, write_old

PLAIN = "username,full_name,email\nann,Ann Äpfel,ann@example.org\nbob,Bob,bob@example.org\n"
HASH = "{SSHA256}c2VjcmV0LWhhc2gtdmFsdWU="


def reader(folder: Path, content: str | bytes, **keys: Any) -> Reader:
    made = Reader(folder, **keys)
    write_old(made.path, content)
    return made


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        pytest.param(PLAIN, {}, id="plain"),
        pytest.param(PLAIN.replace("\n", "\r\n"), {}, id="Windows line ends"),
        pytest.param(PLAIN.replace("\n", "\r"), {}, id="old Macintosh line ends"),
        pytest.param(PLAIN.encode("utf-8-sig"), {}, id="byte order mark"),
        pytest.param(PLAIN.encode("utf-16"), {"encoding": "utf-16"}, id="UTF-16 with mark"),
        pytest.param(PLAIN.encode("utf-16-le"), {"encoding": "utf-16-le"}, id="UTF-16 without mark"),
        pytest.param(PLAIN.encode("cp1252"), {"encoding": "cp1252"}, id="Windows code page"),
        pytest.param(PLAIN.encode("latin-1"), {"encoding": "latin-1"}, id="Latin-1"),
        pytest.param(PLAIN.replace(",", ";"), {"delimiter": ";"}, id="semicolons"),
        pytest.param(PLAIN.replace(",", ";"), {"delimiter": "auto"}, id="semicolons found"),
        pytest.param(PLAIN.replace(",", "\t"), {"delimiter": "auto"}, id="tabs found"),
        pytest.param(PLAIN.replace(",", "|"), {"delimiter": "auto"}, id="bars found"),
        pytest.param(PLAIN, {"delimiter": "auto"}, id="commas found"),
        pytest.param(PLAIN.replace("full_name", '"full_name"'), {"delimiter": "auto"}, id="quotes in the header"),
        pytest.param(PLAIN.replace("Ann Äpfel", "'Ann Äpfel'"), {"quote": "'"}, id="other quotes"),
        pytest.param(f"\n{PLAIN}\n\n,,\n , ,\n".replace(" , ,", ",,"), {}, id="blank rows"),
        pytest.param(PLAIN.replace("username", " username "), {}, id="spaces around a name"),
        pytest.param(PLAIN.replace("\nann,", "\n ann ,"), {}, id="spaces around a value"),
        pytest.param("note," + PLAIN.replace("\nann", "\nx,ann").replace("\nbob", "\ny,bob"), {}, id="more columns"),
        pytest.param(PLAIN.rstrip("\n"), {"require_final_newline": False}, id="no last line end"),
        pytest.param(
            PLAIN.split("\n", 1)[1],
            {"has_header": False, "columns": ["username", "full_name", "email"]},
            id="no header",
        ),
    ],
)
def test_dialects_give_the_same_people(tmp_path: Path, content: str | bytes, keys: dict[str, Any]) -> None:
    file = reader(tmp_path, content, **keys)
    assert [(u.username, u.full_name, [e.address for e in u.emails]) for u in file.users()] == [
        ("ann", "Ann Äpfel", ["ann@example.org"]),
        ("bob", "Bob", ["bob@example.org"]),
    ]
    assert file.find("bob") == Entry({"username": "bob", "full_name": "Bob", "email": "bob@example.org"})


def test_nothing_is_quoted_where_there_are_no_quotes(tmp_path: Path) -> None:
    file = reader(tmp_path, 'username,full_name\nann,"Ann\n', quote="")
    assert [user.full_name for user in file.users()] == ['"Ann']


def test_quoted_values_hold_anything(tmp_path: Path) -> None:
    rows = [quoted("username", "full_name", "email"), quoted('a"n,n', "two\r\nlines", " x@example.org ")]
    (user,) = reader(tmp_path, "".join(rows)).users()
    assert (user.username, user.full_name, user.emails[0].address) == ('a"n,n', "two\r\nlines", "x@example.org")


def test_addresses_come_from_several_columns_or_one_separated_list(tmp_path: Path) -> None:
    content = "username,email,more\nann,a@x.org,b@x.org;c@x.org\nbob,,\n"
    file = reader(tmp_path, content, map={"emails": {"from": ["email", "more"], "separator": ";"}})
    assert [[e.address for e in user.emails] for user in file.users()] == [["a@x.org", "b@x.org", "c@x.org"], []]


def test_columns_of_the_default_mapping_may_be_missing_and_check_says_so(tmp_path: Path) -> None:
    file = reader(tmp_path, "username,email\nann,ann@x.org\n")
    (user,) = file.users()
    assert user.full_name is None
    assert user.emails[0].address == "ann@x.org"
    assert any("no column 'full_name'" in warning for warning in file.warnings())


@pytest.mark.parametrize(
    ("content", "keys", "message"),
    [
        pytest.param(b"", {}, "users.csv is empty", id="empty"),
        pytest.param("username\n", {}, "holds nobody", id="header only"),
        pytest.param("\n\n", {}, "no column 'username'", id="blank lines only"),
        pytest.param(PLAIN[:-1], {}, "line 3: no line end after the last row", id="torn between rows"),
        pytest.param(PLAIN[:-9], {}, "line 3: no line end after the last row", id="torn row"),
        pytest.param(PLAIN[:-20] + "\n", {}, "line 3: 2 columns instead of 3", id="too few columns"),
        pytest.param(PLAIN + "x\n", {}, "line 4: 1 column instead of 3", id="one column"),
        pytest.param(PLAIN + "a,b,c,d\n", {}, "line 4: 4 columns instead of 3", id="too many columns"),
        pytest.param(
            'username,full_name,email\n"a","two\nlines",\nb,c\n', {}, "line 4: 2 columns", id="line after a long row"
        ),
        pytest.param(PLAIN + '"cleo,Cleo,\n', {}, "line 4: the row cannot be read", id="open quote"),
        pytest.param(PLAIN + '"cl"eo,Cleo,\n', {}, "line 4: the row cannot be read", id="misplaced quote"),
        pytest.param(PLAIN.encode("cp1252"), {}, "line 2: this is not utf-8", id="wrong encoding"),
        pytest.param(PLAIN.encode("utf-16"), {}, "line 1: this is not utf-8", id="UTF-16 undeclared"),
        pytest.param(PLAIN.encode("utf-16")[:-1], {"encoding": "utf-16"}, "this is not utf-16", id="half a character"),
        pytest.param(PLAIN.replace("Bob", "B\0b"), {}, "line 3: a NUL character", id="NUL"),
        pytest.param(PLAIN + "\0" * 5000, {}, "line 4: a NUL character", id="preallocated space"),
        pytest.param(PLAIN.encode("utf-16-le"), {"encoding": "latin-1"}, "line 1: a NUL", id="UTF-16 as Latin-1"),
        pytest.param(PLAIN, {"map": {"tz": "zone"}}, "no column 'zone'$", id="mapped column missing"),
        pytest.param(PLAIN, {"map": {"nickname": "Fullname"}}, "there is 'full_name'", id="misspelt column"),
        pytest.param(PLAIN, {"map": {"full_name": "{first} {full_name}"}}, "no column 'first'", id="in a template"),
        pytest.param(PLAIN, {"delimiter": ";"}, "no column 'username'", id="wrong delimiter"),
        pytest.param(PLAIN, {"password_column": "password"}, "no column 'password'", id="no password column"),
        pytest.param(PLAIN.split("\n", 1)[1], {}, "no column 'username'; is it a header", id="no header"),
        pytest.param(
            "username,email,username\nann,x,bob\n", {}, "names the column 'username' twice", id="column twice"
        ),
        pytest.param("username\n" + "x" * 200_000 + "\n", {}, "field larger than field limit", id="huge value"),
    ],
)
def test_unsound_file_is_an_outage_that_says_where(
    tmp_path: Path, content: str | bytes, keys: dict[str, Any], message: str
) -> None:
    file = reader(tmp_path, content, **keys)
    for _ in range(2):
        with pytest.raises(IncompleteListing, match=message):
            file.users()
        with pytest.raises(IncompleteListing, match=r"users\.csv"):
            file.find("ann")
    with pytest.raises(IncompleteListing, match=message):
        file.complaints()
    assert file.copies() == []


def test_every_torn_file_is_refused(tmp_path: Path) -> None:
    whole = "".join(
        [quoted("username", "full_name", "email"), *(quoted(f"u{n}", f"Name\n{n}", "ü@example.org") for n in range(3))]
    ).encode()
    ends_of_rows = {n + 2 for n in range(len(whole)) if whole[n : n + 2] == b"\r\n"}
    for length in range(len(whole)):
        # A file that ends exactly between two rows looks like a shorter one; the quiet period and the guard remain.
        if length in ends_of_rows or whole[length - 1 : length] == b"\r":
            continue
        with pytest.raises(IncompleteListing):
            reader(tmp_path, whole[:length]).users()


def test_first_row_of_a_file_without_header_is_not_shown(tmp_path: Path) -> None:
    file = reader(tmp_path, f"ann,pasword,{HASH}\n", password_column="password")
    with pytest.raises(IncompleteListing) as caught:
        file.users()
    assert "pasword" not in str(caught.value)
    assert HASH not in str(caught.value)


def test_unsound_values_are_not_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for bad in (f'ann,"x"y,{HASH}\n', f"ann,{HASH}\n", f"ann,\xff,{HASH}\n".encode("latin-1"), f"ann,\0,{HASH}\n"):
        prefix = b"username,email,password\n"
        file = reader(tmp_path, prefix + (bad if isinstance(bad, bytes) else bad.encode()), password_column="password")
        with pytest.raises(IncompleteListing) as caught:
            file.users()
        error: BaseException | None = caught.value
        while error is not None:
            assert HASH not in str(error)
            error = error.__cause__ or error.__context__
    assert HASH not in caplog.text


def test_file_without_people_is_believed_when_the_admin_says_so(tmp_path: Path) -> None:
    file = reader(tmp_path, "username\n", allow_empty=True)
    assert file.users() == []
    assert file.find("ann") is None


def test_file_that_is_gone_names_itself(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match=r"users\.csv does not exist"):
        Reader(tmp_path).users()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"delimiter": ",,"}, "delimiter: give one character"),
        ({"delimiter": "\n"}, "delimiter: give one character"),
        ({"quote": ","}, "quote: give one character"),
        ({"encoding": "utf-9"}, "'utf-9' is no text encoding"),
        ({"encoding": "base64"}, "'base64' is no text encoding"),
        ({"columns": ["username"]}, "only with has_header = false"),
        ({"has_header": False}, "needs columns"),
        ({"has_header": False, "columns": ["username"], "delimiter": "auto"}, "say which it is"),
        ({"password_scheme": "ssha"}, "names no password_column"),
        ({"password_column": "password", "password_scheme": "rot13"}, "password_scheme: .*rot13"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Reader(tmp_path, **keys)
    assert "[backends.test]" in str(caught.value)


def test_two_rows_of_one_name_are_ambiguous(tmp_path: Path) -> None:
    file = reader(tmp_path, "username\nann\nAnn\nbob\nbob\n")
    with pytest.raises(AmbiguousEntry, match="2 rows have the username 'bob'"):
        file.find("bob")
    assert file.find("ann") == Entry({"username": "ann", "full_name": None, "email": None})
    with pytest.raises(AmbiguousEntry):
        file.find("ann", ignore_case=True)


def test_column_that_is_not_mapped_cannot_be_asked_for(tmp_path: Path) -> None:
    file = reader(tmp_path, PLAIN)
    with pytest.raises(BackendMisconfigured, match="'phone'"):
        file.backend.find(Lookup("phone", "1"), Deadline(20))


def test_logins_without_a_password_column_are_a_misconfiguration(tmp_path: Path) -> None:
    file = reader(tmp_path, PLAIN)
    entry = file.find("ann")
    assert entry is not None
    with pytest.raises(BackendMisconfigured, match=r"\[backends\.test\] names no password_column"):
        file.backend.verify(entry, "x", Deadline(20))
    assert any("password_column" in warning for warning in file.warnings())


def check_password(file: Reader, name: str, password: str) -> Verdict:
    entry = file.find(name)
    assert entry is not None
    return file.backend.verify(entry, password, Deadline(20))


def test_password_is_read_literally_only_where_that_is_declared(tmp_path: Path) -> None:
    content = "username,password\nann,plain-text\nbob,{PLAIN}marked\n"
    undeclared = reader(tmp_path, content, password_column="password")
    for name in ("ann", "bob"):
        with pytest.raises(BadEntry) as caught:
            check_password(undeclared, name, "plain-text")
        assert "plain-text" not in str(caught.value)
    marked = reader(tmp_path, content, password_column="password", allow_plain_passwords=True)
    assert check_password(marked, "bob", "marked") is Verdict.ACCEPTED
    with pytest.raises(BadEntry):
        check_password(marked, "ann", "plain-text")
    declared = reader(tmp_path, content, password_column="password", password_scheme="plain")
    assert check_password(declared, "ann", "plain-text") is Verdict.ACCEPTED
    assert check_password(declared, "ann", "plain-Text") is Verdict.REJECTED


def test_account_without_password_is_rejected(tmp_path: Path) -> None:
    file = reader(tmp_path, f"username,password\nann,\nbob,{ssha('x')}\n", password_column="password")
    assert check_password(file, "ann", "x") is Verdict.REJECTED
    assert check_password(file, "bob", "x") is Verdict.ACCEPTED


def test_weak_scheme_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    weak = "{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc="
    file = reader(tmp_path, f"username,password\nann,{weak}\nbob,{weak}\n", password_column="password")
    for name in ("ann", "bob", "ann"):
        assert check_password(file, name, "admin") is Verdict.ACCEPTED
    assert caplog.text.count("weak scheme") == 1
    assert "backend test" in caplog.text


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Reader]:
    """More people than fit into a block, with blank rows strewn in."""
    rows = [
        f"u{n},Name {n},u{n}@example.org,{ssha(f'password {n}')}\n" + ("\n" if n % 7 == 0 else "") for n in range(2500)
    ]
    file = reader(tmp_path, "username,full_name,email,password\n" + "".join(rows), password_column="password")
    yield file
    file.backend.close()


def test_people_of_all_blocks_are_listed_and_found_with_their_own_password(many: Reader) -> None:
    assert many.names() == [f"u{n}" for n in range(2500)]
    for n in (0, 1, 874, 875, 999, 1000, 1001, 1999, 2000, 2499):
        entry = many.find(f"u{n}")
        assert entry is not None
        assert entry.attributes == {"username": f"u{n}", "full_name": f"Name {n}", "email": f"u{n}@example.org"}
        assert many.backend.verify(entry, f"password {n}", Deadline(20)) is Verdict.ACCEPTED
    assert many.find("u2500") is None
