"""Parsers that read what people and other programs write: any text is read as it is meant, or refused in one way.

``FUZZ_EXAMPLES=10000`` runs each test that often.
"""

from __future__ import annotations

import io
import ipaddress
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from integration_server import BackendError, ConfigError, PasswordChecker, masked_url, parse_url
from integration_server.builtin.csv_file.edits import joined, names, without
from integration_server.builtin.csv_file.records import Dialect, RowWriter
from integration_server.builtin.push import first_api
from integration_server.builtin.push.letters import is_channel, is_version, kick_text
from integration_server.cli.gsconfig import with_token
from integration_server.config import load
from integration_server.sdk import addresses
from integration_server.sdk.certificates import certificate_expiry
from integration_server.sdk.errors import AddressRefused
from integration_server.sdk.headers import check_header, header_lines
from integration_server.sdk.model import normalize_name
from integration_server.sdk.schemes.model import UnknownScheme
from integration_server.sdk.schemes.registry import recognise
from integration_server.server.backups import _is_plain
from integration_server.web.api.paging import cursor_of, read_cursor
from integration_server.web.api.problems import Problem

fuzzed = settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "40")), deadline=None)
ANY = st.text(st.characters(exclude_categories=[]), max_size=40)
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


def near(*samples: str) -> st.SearchStrategy[str]:
    """Texts that look like these, and others."""
    pieces = [sample[i:j] for sample in samples for i in (0, len(sample) // 2) for j in (len(sample) // 2, None)]
    return ANY | st.lists(st.sampled_from([*samples, *pieces]) | st.text(max_size=3), max_size=5).map("".join)


def refusal(kind: type[Exception], read: Callable[..., object], *args: object, **options: Any) -> str:
    """What it is refused with, or an empty text."""
    try:
        read(*args, **options)
    except kind as exc:
        return str(exc)
    return ""


# -- URLs and headers ------------------------------------------------------------------------------------------------


@fuzzed
@given(
    near(
        "https://hook.example/path?key=value#x", "http://[2001:db8::1]:8080", "http://user:pw@h/", "\r\nX: y", "1.2.3.4"
    )
)
def test_any_url_is_refused_or_plain_enough_for_a_request_line(url: str) -> None:
    masked_url(url)
    if refused := refusal(ValueError, parse_url, url):
        assert len(url) < 12 or url not in refused, "it may hold a key"
        return
    target = parse_url(url)
    for part in (target.host, target.path, target.authority):
        assert part.isascii()
        assert part.isprintable()
        assert " " not in part
    assert target.path.startswith(("/", "?"))
    assert parse_url(f"{target.origin}{target.path}") == target


@fuzzed
@given(
    st.dictionaries(near("X-A", "Host", "Content-Length", "X: y\r\nZ"), near("value", "\r\nEvil: 1", "ä\t"), max_size=4)
)
def test_no_header_brings_another_one_along(headers: dict[str, str]) -> None:
    try:
        written = header_lines(headers)
    except ValueError:
        return
    lines = written.decode("latin-1").split("\r\n")
    assert lines == [*(f"{name}: {value}" for name, value in headers.items()), ""]
    assert "\n" not in "".join(lines)
    for name in headers:
        assert name.lower() not in ("host", "content-length", "transfer-encoding")


@fuzzed
@given(near("X-A", "host"), near("value", "secret\n"))
def test_refusal_of_a_header_quotes_no_value(name: str, value: str) -> None:
    refused = refusal(ValueError, check_header, name, value)
    assert len(value) < 8 or value in name or value not in refused


# -- addresses -------------------------------------------------------------------------------------------------------

_PRIVATE = st.sampled_from(["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"])


@fuzzed
@given(_PRIVATE.flatmap(lambda network: st.ip_addresses(network=network)))
def test_no_way_of_writing_a_private_address_makes_it_public(private: ipaddress.IPv4Address) -> None:
    number = int(private)
    disguises = [
        str(private),
        f"::ffff:{private}",
        str(ipaddress.IPv6Address((0x64FF9B << 96) | number)),
        str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80))),
        str(ipaddress.IPv6Address(number)) if number > 1 else "::1",
    ]
    for disguise in disguises:
        with pytest.raises(AddressRefused):
            addresses.check("name.example", disguise, ())


@fuzzed
@given(near("10.0.0.0/8", "::1", "2001:db8::/32", "fe80::1%eth0", "1.2.3"))
def test_any_network_is_read_or_refused(text: str) -> None:
    try:
        (network,) = addresses.networks([text])
    except ValueError:
        return
    assert network.num_addresses > 0


# -- files -----------------------------------------------------------------------------------------------------------


@fuzzed
@given(
    near(
        "[server]\nport = 1\n",
        '[backends.hq]\ntype = "csv"\npath = "\\u0000"\n',
        "a = [[[",
        "x = 9" * 3,
        "\ufeff",
        "=\n",
    )
)
def test_any_configuration_is_read_or_refused_with_its_file(text: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "a.toml")
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        refused = refusal(ConfigError, load, path.parent)
        assert not refused or "a.toml" in refused


@fuzzed
@given(near("[config-main]\nwebservice = main\n", "[webservice-main]\ntoken: x ; y\n", "[", "= \n", "# \n ; "))
def test_any_gsconfig_gets_its_token_or_is_left_alone(text: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "gsconfig.ini")
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            changed = with_token(path, "main", "new-token")
        except ConfigError:
            return
        assert b"new-token" in changed
        path.write_bytes(changed)
        assert with_token(path, "main", "new-token") == changed, "what is there is not put there again"


@fuzzed
@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda data: b"\x30\x82\x01\x00\x30\x81\x80" + data))
def test_any_octets_are_a_certificate_or_a_value_error(der: bytes) -> None:
    try:
        assert isinstance(certificate_expiry(der), float)
    except ValueError:
        return


@fuzzed
@given(near("..", "../x", "store.db", "a/b", "C:\\x", "..\\", "\0"))
def test_no_part_of_a_name_in_a_backup_leads_out_of_its_folder(part: str) -> None:
    if _is_plain(part):
        root = Path("/data/store").resolve()
        assert Path(root, part).parent == root


# -- rows of CSV -----------------------------------------------------------------------------------------------------

DIALECTS = st.sampled_from([Dialect(",", '"'), Dialect(";", "'"), Dialect("\t", "")])
CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.sampled_from(
    ['"', "'", ",", ";", "\t", "\r\n", "", " ", '""', "a,b"]
)


@fuzzed
@given(DIALECTS, st.lists(CELL, min_size=2, max_size=5), st.data(), st.booleans())
def test_rows_are_written_as_they_are_read(
    dialect: Dialect, row: list[str], data: st.DataObject, is_all_quoted: bool
) -> None:
    writer = RowWriter(dialect, "utf-8", [f"c{number}" for number in range(len(row))], {})
    try:
        written = writer.new(row, "\r\n", is_all_quoted=is_all_quoted and bool(dialect.quote))
    except BackendError:
        return
    assert list(dialect.reader(io.StringIO(written, newline=""))) == [row]
    assert dialect.delimiter.join(dialect.cells(written)) + "\r\n" == written
    place = data.draw(st.integers(0, len(row) - 1))
    after = [*row[:place], data.draw(CELL), *row[place + 1 :]]
    try:
        changed = writer.changed(written, row, after)
    except BackendError:
        return
    assert list(dialect.reader(io.StringIO(changed, newline=""))) == [after]
    before_cells, after_cells = dialect.cells(written), dialect.cells(changed)
    assert before_cells[:place] == after_cells[:place]
    assert before_cells[place + 1 :] == after_cells[place + 1 :]


@fuzzed
@given(st.lists(TEXT, max_size=4).map(";".join), TEXT)
def test_a_group_goes_into_a_cell_and_out_of_it_and_the_others_stay(cell: str, group: str) -> None:
    group = group.strip()
    assume(group and ";" not in group and normalize_name(group) not in names(cell, ";"))
    more = joined(cell, ";", group)
    assert names(more, ";") == names(cell, ";") | {normalize_name(group)}
    assert names(without(more, ";", group), ";") == names(cell, ";")


# -- stored passwords ------------------------------------------------------------------------------------------------

STORED = near(
    "{SSHA256}c2VjcmV0",
    "$2b$12$" + "x" * 53,
    "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA",
    "pbkdf2_sha256$1$a$b=",
    "{PLAIN}x",
)


@fuzzed
@given(STORED, st.booleans())
def test_any_stored_password_is_of_a_scheme_or_of_none(stored: str, is_plain_allowed: bool) -> None:
    refused = refusal(UnknownScheme, recognise, stored, None, is_plain_allowed=is_plain_allowed)
    assert len(stored) < 30 or stored not in refused
    PasswordChecker().observe(stored)


# -- JSON and forms --------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY, inner, max_size=3),
    max_leaves=8,
)
_CHANNEL = "5f6f5ec0-0000-4000-8000-000000000000"
_MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "UAID": JSON | st.just("0" * 32),
        "UAIDS": JSON | st.just(["x"]) | st.just({"x": {_CHANNEL: 1}}),
        "APPID": JSON | st.just(_CHANNEL),
        "KICK": JSON,
        "RESOURCE": JSON,
        "TOKEN": JSON,
    },
)


@fuzzed
@given(_MEMBERS)
def test_any_message_of_the_first_api_is_read_or_malformed(message: dict[str, Any]) -> None:
    readers: tuple[Callable[[dict[str, Any]], object], ...] = (
        first_api.registration,
        first_api.removal,
        lambda found: first_api.uaids(found.get("UAIDS")),
        lambda found: first_api.ack(found.get("UAIDS")),
    )
    for read in readers:
        try:
            sent = first_api.decoded(json.dumps(message))
            done = read(sent)
        except first_api.Malformed:
            continue
        if isinstance(done, first_api.Registration):
            assert is_channel(done.channel)
            assert done.kick is None or json.loads(kick_text(done.kick), parse_constant=pytest.fail) == done.kick


@fuzzed
@given(
    st.binary(max_size=40)
    | near("version=5", "&version=", "%31", "version=1&version=2").map(lambda t: t.encode("utf-8", "replace")),
    ANY,
)
def test_any_form_of_an_app_server_has_a_version_or_none_or_is_malformed(body: bytes, query: str) -> None:
    try:
        found = first_api.put_version(body, "application/x-www-form-urlencoded", query)
    except first_api.Malformed:
        return
    assert found is None or is_version(found)


@fuzzed
@given(near("WyIiLCIiLCIiXQ", "WzFd", "====", "[]"))
def test_any_cursor_is_one_of_ours_or_refused(cursor: str) -> None:
    for defaults in ((0,), (0, 0), ("", "", "")):
        try:
            found = read_cursor(cursor, *defaults)
        except Problem:
            continue
        assert [type(value) for value in found] == [type(value) for value in defaults]


@fuzzed
@given(st.integers(0, 2**63 - 1), TEXT)
def test_cursors_come_back_as_they_were_given_out(number: int, text: str) -> None:
    assert read_cursor(cursor_of(number), 0) == (number,)
    assert read_cursor(cursor_of(text, text), "", "") == (text, text)
