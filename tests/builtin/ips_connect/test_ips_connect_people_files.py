"""Files about people: what is written is read back, what MySQL writes is understood, and nothing is guessed."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration_server.builtin.ips_connect.account import Account, is_storable
from integration_server.builtin.ips_connect.people_files import csv_lines, json_lines, read_csv, read_json_lines
from integration_server.builtin.ips_connect.people_read import Layout, Remarks, Source, UnreadableRow

NOW = 2_000_000_000.0
BCRYPT = "$2a$13$leEvXu77OIwPwNvtZIJvaeAx8EItGHuR3nIlq8416g0gXeJaQdrr2"
SALT = "leEvXu77OIwPwNvtZIJval"
ANN = Account(1, "Ann", "ann@example.org", None, BCRYPT, SALT, False, "", 0.0, 0.0)
HEADER = "id,name,email,pass_hash,pass_salt"
IPS_HEADER = "member_id,name,email,members_pass_hash,members_pass_salt,temp_ban"

Read = Callable[[io.BytesIO], Source]


def everybody(source: Source, remarks: Remarks | None = None) -> list[Account]:
    layout = Layout.of(source.names)
    remarks = Remarks() if remarks is None else remarks
    return [layout.account(values, remarks, NOW) for _, values in source.rows]


def from_csv(text: str, remarks: Remarks | None = None) -> list[Account]:
    return everybody(read_csv(io.BytesIO(text.encode())), remarks)


def from_json(text: str) -> list[Account]:
    return everybody(read_json_lines(io.BytesIO(text.encode())))


# -- what is written -------------------------------------------------------------------------------------------------


KEPT = st.text(min_size=1, max_size=20).filter(lambda text: is_storable(text) and text.strip() == text)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.builds(
            Account,
            st.integers(1, 2**62),
            KEPT,
            KEPT,
            st.none() | KEPT,
            KEPT.filter(lambda text: text not in ("NULL", "\\N")),
            KEPT.filter(lambda text: text not in ("NULL", "\\N")),
            st.booleans(),
            st.just("") | KEPT.filter(lambda text: text not in ("NULL", "\\N")),
            st.just(0.0),
            st.just(0.0),
        ),
        min_size=1,
    )
)
def test_what_is_written_is_read_back_as_it_was(people: list[Account]) -> None:
    for write, read in ((csv_lines, read_csv), (json_lines, read_json_lines)):
        written = b"".join(write([people[:1], people[1:]]))
        assert everybody(read(io.BytesIO(written))) == people


def test_people_may_be_called_as_nothing_is() -> None:
    odd = [replace(ANN, name="NULL", email="\\N", full_name="NULL"), replace(ANN, name="\\N", full_name="\\N")]
    assert everybody(read_csv(io.BytesIO(b"".join(csv_lines([odd]))))) == odd


def test_csv_has_a_header_and_quotes_what_needs_it() -> None:
    odd = replace(ANN, name='A "n", n', full_name="Ann\nSmith", is_banned=True)
    lines = b"".join(csv_lines([[odd]])).decode().split("\r\n")
    assert lines[0] == "id,name,email,pass_hash,pass_salt,full_name,is_banned,revalidate_url"
    assert lines[1].startswith('1,"A ""n"", n",ann@example.org,$2a$13$')
    assert lines[1].endswith(',"Ann\nSmith",true,')


# -- what others write -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f"{IPS_HEADER}\n1,Ann,ann@example.org,{BCRYPT},{SALT},0\n",
        f"\ufeff{IPS_HEADER}\r\n1,Ann,ann@example.org,{BCRYPT},{SALT},0\r\n",
        f'"{IPS_HEADER}"\n1,Ann,ann@example.org,{BCRYPT},{SALT},NULL'.replace(",", '","').replace("\n1", '\n"1') + '"',
        f"{IPS_HEADER}\n1,Ann,ann@example.org,{BCRYPT},{SALT},\\N\n\n".replace(",", ";"),
        f"{IPS_HEADER}\n1,Ann,ann@example.org,{BCRYPT},{SALT},NULL\n".replace(",", "\t"),
        f"{HEADER}\n 1 , Ann ,ann@example.org ,{BCRYPT},{SALT}\n",
        f"Member_ID, Name ,EMAIL,members_pass_hash,pass_salt\n1,Ann,ann@example.org,{BCRYPT},{SALT}",
        f"joined,{IPS_HEADER},x\n5,1,Ann,ann@example.org,{BCRYPT},{SALT},0,y\n",
    ],
)
def test_the_same_person_in_the_ways_of_others(text: str) -> None:
    assert from_csv(text) == [ANN]


def test_backslashes_of_mysqls_client_are_undone() -> None:
    text = f"{IPS_HEADER}\nx\n".replace(",", "\t").replace(
        "x", "\t".join(["1", r"A\\n\tn\n\"x\"", "a@x", r"ab\\c", r"s\\", r"\N"])
    )
    (found,) = from_csv(text)
    assert (found.name, found.pass_hash, found.pass_salt) == ('A\\n\tn\n"x"', "ab\\c", "s\\")


def test_values_of_mysqls_outfile_may_go_over_several_lines() -> None:
    header = IPS_HEADER.replace(",", "\t")
    text = f"{header}\n1\tA\\\n\\\tn\\\\\ta@x\th\ts\t\\N\n\n2\tB\tb@x\th\ts\t0\n"
    source = read_csv(io.BytesIO(text.encode()))
    assert [(place, values[1], values[5]) for place, values in source.rows] == [
        ("line 2", "A\n\tn\\", None),
        ("line 5", "B", "0"),
    ]
    with pytest.raises(UnreadableRow, match="line 2: ends in a backslash"):
        from_csv(f"{header}\n1\tA\\\n")


def test_missing_passwords_and_odd_hashes_are_counted() -> None:
    rows = [
        f"1,a,a@x,{BCRYPT},{SALT},0",
        "2,b,b@x,NULL,NULL,0",
        f"3,c,c@x,{BCRYPT},,0",
        f"4,d,d@x,\\N,{SALT},0",
        f"5,e,e@x,{'0' * 32},abcde,0",
        f"6,f,f@x,{'0' * 32},{SALT},0",
        "7,g,g@x,$2y$10$leEvXu77OIwPwNvtZIJvaeAx8EItGHuR3nIlq8416g0gXeJaQdrr2,NULL,0",
        f"8,h,h@x,$2y$10${BCRYPT[7:]},{SALT},0",
    ]
    remarks = Remarks()
    found = from_csv("\n".join([IPS_HEADER, *rows]), remarks)
    assert [one.id for one in found if not one.pass_hash] == [2, 3, 4, 7]
    assert not any(one.pass_salt for one in found if not one.pass_hash)
    assert (remarks.without_password, remarks.strange_password) == (4, 2)


def test_only_a_ban_for_good_is_one() -> None:
    remarks = Remarks()
    bans = ["-1", "0", "NULL", "", "1999999999", "2000000001"]
    rows = [f"{number},n{number},{number}@x,h,s,{ban}" for number, ban in enumerate(bans, 1)]
    found = from_csv("\n".join([IPS_HEADER, *rows]), remarks)
    assert [one.is_banned for one in found] == [True, False, False, False, False, False]
    assert remarks.temporary_ban == 1
    ours = [f"{number},n{number},{number}@x,h,s,{ban}" for number, ban in enumerate(["true", "False", "1", "0", ""], 1)]
    assert [one.is_banned for one in from_csv("\n".join([f"{HEADER},is_banned", *ours]))] == [
        True, False, True, False, False,
    ]  # fmt: skip


def test_json_may_have_numbers_and_nothing() -> None:
    line = f'{{"member_id": 1, "name": "Ann", "email": "ann@example.org", "members_pass_hash": "{BCRYPT}",'
    line += f' "members_pass_salt": "{SALT}", "temp_ban": -1, "revalidate_url": null}}'
    assert from_json(f"\ufeff{line}\n\n{line}") == [replace(ANN, is_banned=True)] * 2


def test_only_columns_that_are_there_are_compared() -> None:
    assert Layout.of(HEADER.split(",")).details == {"name", "email", "pass_hash"}
    layout = Layout.of([*IPS_HEADER.split(","), "joined", "full_name"])
    assert layout.details == {"name", "email", "pass_hash", "is_banned", "full_name"}
    assert layout.unknown == ("joined",)


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("", "there is nothing in it"),
        ("id,name,email", r"lack pass_hash \(or members_pass_hash\), pass_salt \(or members_pass_salt\)"),
        ("1,Ann,ann@x,h,s", "lack id"),
        (f"{HEADER},member_id", "hold id twice: id, member_id"),
        (f"{HEADER},Name", "hold name twice: name, Name"),
    ],
)
def test_columns_that_are_not_there_are_named(header: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        from_csv(header)
    with pytest.raises(ValueError, match="there is nothing in it"):
        from_json("\n")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("x,Ann,ann@x,h,s,0", "id: is no number"),
        (",Ann,ann@x,h,s,0", "id: is no number"),
        ("1.5,Ann,ann@x,h,s,0", "id: is no number"),
        ("0,Ann,ann@x,h,s,0", "id: is not from 1 to"),
        (f"{2**62 + 1},Ann,ann@x,h,s,0", "id: is not from 1 to"),
        ("1,,ann@x,h,s,0", "name: is empty"),
        ("1,\\N,ann@x,h,s,0", "name: is empty"),
        ("1,Ann,NULL,h,s,0", "email: is empty"),
        (f"1,{'x' * 256},ann@x,h,s,0", "name: has more than 255"),
        ("1,A\0,ann@x,h,s,0", "name: holds a character"),
        (f"1,Ann,ann@x,{'h' * 256},s,0", "pass_hash: has more than 255"),
        ("1,Ann,ann@x,h,s,soon", "temp_ban: is no number"),
    ],
)
def test_values_that_cannot_be_are_named_and_not_quoted(row: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as raised:
        from_csv(f"{IPS_HEADER}\n{row}\n")
    assert "soon" not in str(raised.value)


@pytest.mark.parametrize(
    ("read", "content", "told"),
    [
        (read_csv, f"{HEADER}\n1,Ann,a@x,h,s\n2,Bob\n".encode(), "line 3: has 2 cells, and the header 5"),
        (read_csv, f"{HEADER}\n1,Ann,a@x,h,s,\n".encode(), "line 2: has 6 cells"),
        (read_csv, f'{HEADER}\n1,"An\nn",a@x,h,s\n2,"B\\"ob",b@x,h,s'.encode(), "line 4: .*expected after"),
        (read_csv, f'{HEADER}\n1,"Ann,a@x,h,s\n'.encode(), "line 2: unexpected end of data"),
        (read_csv, f"{HEADER}\n1,Jörg,a@x,h,s\n".encode("latin-1"), r"line 2: is not UTF-8 \(byte 3\)"),
        (read_csv, f"{HEADER}\n".encode("utf-16"), "line 1: is not UTF-8"),
        (read_csv, f"{HEADER}\n{'x' * 200_000},".encode(), "line 2: field larger"),
        (read_csv, b"x" * 1_000_001, "line 1: is longer than 1000000 bytes"),
        (read_json_lines, b"[1]", "line 1: is no JSON object"),
        (read_json_lines, b'{"id": 1', "line 1: is no JSON object"),
        (read_json_lines, b"[" * 100_000, "line 1: is no JSON object"),
        (read_json_lines, b'{"id": ' + b"9" * 5000 + b"}", "line 1: is no JSON object"),
    ],
)
def test_rows_that_are_none_end_it_with_their_line(read: Read, content: bytes, told: str) -> None:
    with pytest.raises(UnreadableRow, match=told):
        list(read(io.BytesIO(content)).rows)


@pytest.mark.parametrize("second", ['{"id": 2}', '{"id": 2, "name": [1]}', '{"id": 2.5, "name": "x"}'])
def test_every_json_object_must_be_like_the_first(second: str) -> None:
    source = read_json_lines(io.BytesIO(f'{{"id": 1, "name": "x"}}\n{second}\n'.encode()))
    assert next(source.rows) == ("line 1", ["1", "x"])
    with pytest.raises(UnreadableRow, match="line 2: "):
        next(source.rows)


def test_a_row_is_named_by_id_and_name_cut_short() -> None:
    layout = Layout.of(HEADER.split(","))
    assert layout.who(["7", "Ann \x1b[31m", "a", "secret hash", "s"]) == "id 7, 'Ann \\x1b[31m'"
    assert len(layout.who(["x" * 1000, "y" * 1000, "a", "h", "s"])) < 150
