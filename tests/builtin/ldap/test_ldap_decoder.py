"""The lean decoder reads what ldap3's own encoder writes, and survives everything else."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ldap3.protocol import rfc4511
from ldap3.utils.asn1 import encode

from integration_server import BackendMisconfigured, Deadline, IncompleteListing
from integration_server.builtin.ldap import messages
from integration_server.builtin.ldap.ber import SEQUENCE, Malformed, element, integer, octets
from integration_server.builtin.ldap.entries import EntryDecoder, Row
from integration_server.builtin.ldap.search import Referrals, listing
from integration_server.builtin.ldap.settings import parse_address
from integration_server.builtin.ldap.values import assertion, guid_bytes, guid_text, sid_bytes, sid_text
from integration_server.builtin.ldap.wire import Wire
from tests.builtin.ldap.fake_server import attribute, done, entry, result

HEAD = integer(1) + b"\x64"
NAMES = ("uid", "mail", "dn", "objectGUID", "cn;lang-de", "cn")


def encoded_by_ldap3(message_id: int, dn: str, attributes: Sequence[tuple[str, Sequence[bytes]]]) -> bytes:
    """The message of an entry, as a BER library that is not ours writes it."""
    found = rfc4511.PartialAttributeList()
    for position, (name, values) in enumerate(attributes):
        vals = rfc4511.Vals()
        for place, value in enumerate(values):
            vals[place] = rfc4511.AttributeValue(value)
        one = rfc4511.PartialAttribute()
        one["type"] = rfc4511.AttributeDescription(name)
        one["vals"] = vals
        found[position] = one
    body = rfc4511.SearchResultEntry()
    body["object"] = rfc4511.LDAPDN(dn)
    body["attributes"] = found
    message = rfc4511.LDAPMessage()
    message["messageID"] = rfc4511.MessageID(message_id)
    message["protocolOp"] = rfc4511.ProtocolOp().setComponentByName("searchResEntry", body)
    return bytes(encode(message))


def decoded(data: bytes, names: Sequence[str] = NAMES) -> list[Row]:
    rows: list[Row] = []
    assert EntryDecoder(names).take(data, 0, HEAD, rows) == len(data)
    return rows


def one(values: Sequence[str]) -> object:
    return None if not values else values[0] if len(values) == 1 else list(values)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(texts, st.lists(texts, max_size=3), st.lists(texts, max_size=3), st.lists(texts, max_size=4)),
        min_size=1,
        max_size=3,
    )
)
def test_rows_are_what_another_encoder_wrote(people: list[tuple[str, list[str], list[str], list[str]]]) -> None:
    data = b"".join(
        encoded_by_ldap3(
            1,
            dn,
            [
                (name, [value.encode() for value in values])
                for name, values in (("UID", uids), ("mail", mails), ("description", ["x" * 200]), ("cn", cns))
            ],
        )
        for dn, uids, mails, cns in people
    )
    assert decoded(data, ("uid", "mail", "dn", "cn")) == [
        [one(uids), one(mails), dn, one(cns)] for dn, uids, mails, cns in people
    ]


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_arbitrary_bytes_are_rows_or_malformed_and_nothing_else(data: bytes, is_framed: bool) -> None:
    if is_framed:
        data = element(SEQUENCE, HEAD, data)
    rows: list[Row] = []
    try:
        position = EntryDecoder(NAMES).take(data, 0, HEAD, rows)
    except Malformed:
        return
    assert 0 <= position <= len(data)
    assert all(len(row) == len(NAMES) for row in rows)


REAL = (
    entry(1, "alice", mail=["a@example.org", "b@example.org"], objectGUID=[bytes(range(16))], cn=["x" * 200])
    + entry(1, "bob", cn__lang_de=["y"], jpegPhoto=[b"\xff" * 300])
    + entry(1, "cecil", mail=[], **{"mail__range=0-1": ["x", "y"], "cn__range=0-*": ["z"]})
    + done(1, b"cookie")
)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_mutilated_messages_are_rows_or_malformed_and_nothing_else(data: st.DataObject) -> None:
    octets_of = bytearray(REAL)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(octets_of) - 1))
        how = data.draw(st.sampled_from(["change", "remove", "insert", "cut"]))
        if how == "change":
            octets_of[place] = data.draw(st.integers(0, 255))
        elif how == "remove":
            del octets_of[place]
        elif how == "insert":
            octets_of.insert(place, data.draw(st.integers(0, 255)))
        else:
            del octets_of[max(place, 1) :]
        if not octets_of:
            return
    mutilated = bytes(octets_of)
    rows: list[Row] = []
    try:
        position = EntryDecoder(NAMES).take(mutilated, 0, HEAD, rows)
        rest = messages.parse_message(mutilated, position, len(mutilated))
        messages.parse_result(rest.body)
        messages.parse_cookie(rest.controls)
    except Malformed:
        return
    assert all(len(row) == len(NAMES) for row in rows)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_results_or_malformed_and_nothing_else(data: bytes) -> None:
    controls = {messages.PAGING.encode(): data, messages.PASSWORD_POLICY.encode(): data}
    for parse in (
        lambda: messages.parse_message(data, 0, len(data)),
        lambda: messages.parse_message(element(SEQUENCE, integer(1), data), 0, len(data) + 5),
        lambda: messages.parse_result(data),
        lambda: messages.parse_references(data),
        lambda: messages.response_name(data),
        lambda: messages.parse_cookie(controls),
        lambda: messages.parse_policy_error(controls),
    ):
        try:
            parse()
        except Malformed:
            continue


def test_every_way_of_cutting_a_stream_gives_the_same_rows() -> None:
    expected = decoded(REAL[: -len(done(1, b"cookie"))])
    for cut in range(len(REAL)):
        decoder, rows = EntryDecoder(NAMES), list[Row]()
        position = decoder.take(REAL[:cut], 0, HEAD, rows)
        decoder.take(REAL, position, HEAD, rows)
        assert rows == expected


def test_lengths_in_the_long_form_are_read() -> None:
    """Active Directory writes every length in four octets."""

    def long(tag: int, *contents: bytes) -> bytes:
        content = b"".join(contents)
        return bytes((tag, 0x84)) + len(content).to_bytes(4, "big") + content

    def attribute_of(name: bytes, *values: bytes) -> bytes:
        return long(0x30, long(0x04, name), long(0x31, *(long(0x04, value) for value in values)))

    body = long(0x64, long(0x04, b"cn=a"), long(0x30, attribute_of(b"uid", b"a"), attribute_of(b"mail", b"x", b"y")))
    data = long(0x30, integer(1), body)
    assert decoded(data * 2, ("uid", "mail", "dn")) == [["a", ["x", "y"], "cn=a"]] * 2


def test_a_value_that_looks_like_another_attribute_stays_a_value() -> None:
    trap = attribute("uid", ["admin"]).decode("latin-1").encode()
    assert decoded(entry(1, "a", mail=[trap]), ("uid", "mail")) == [["a", trap.decode()]]


def test_names_ignore_case_and_columns_keep_the_given_order() -> None:
    data = entry(1, "a", MAIL=["m"], Cn=["c"])
    assert decoded(data, ("CN", "mail", "Uid", "absent")) == [["c", "m", "a", None]]


def test_a_name_that_is_asked_for_twice_fills_both_columns() -> None:
    assert decoded(entry(1, "a", mail=["m"]), ("mail", "uid", "MAIL", "dn", "DN")) == [
        ["m", "a", "m", "uid=a,ou=people,dc=example,dc=org", "uid=a,ou=people,dc=example,dc=org"]
    ]


def test_values_under_options_follow_the_plain_ones() -> None:
    data = entry(1, "a", mail__lang_de=["tagged"], mail=["plain", "second"])
    assert decoded(data.replace(b"lang_de", b"lang-de"), ("mail",)) == [[["plain", "second", "tagged"]]]
    assert decoded(entry(1, "a", cert__binary=[b"\xff"]), ("cert",)) == [[b"\xff"]]


def test_an_option_that_is_asked_for_has_its_own_column() -> None:
    data = entry(1, "a", cn__x_y=["tagged"], cn=["plain"])
    assert decoded(data, ("cn;x_y", "cn")) == [["tagged", "plain"]]


def test_the_same_attribute_in_two_portions_is_one() -> None:
    data = entry(1, "a", mail=["x"], MAIL=["y"])
    assert decoded(data, ("mail",)) == [[["x", "y"]]]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**8), st.lists(texts.map(str.encode), min_size=1, max_size=5), st.booleans(), st.booleans())
def test_portions_are_what_another_encoder_wrote(
    first: int, values: list[bytes], is_last: bool, is_first: bool
) -> None:
    name = f"MAIL;Range={first}-{'*' if is_last else first + len(values) - 1}"
    attributes = [("uid", [b"a"]), ("mail", list[bytes]()), (name, values)]
    decoder, rows = EntryDecoder(("mail", "uid", "Mail")), list[Row]()
    data = encoded_by_ldap3(1, "cn=a", attributes[:: 1 if is_first else -1])
    assert decoder.take(data, 0, HEAD, rows) == len(data)
    assert rows == [[None, "a", None]]
    (portion,) = decoder.portions
    assert (portion.row, portion.columns) == (rows[0], (0, 2))
    assert (portion.name, portion.dn, portion.first, portion.is_last) == ("mail", b"cn=a", first, is_last)
    assert portion.values == [value.decode() for value in values]


@settings(max_examples=300, deadline=None)
@given(st.text("0123456789-*;=range ", max_size=20), st.lists(st.just("x"), max_size=3))
def test_any_range_is_a_portion_or_malformed_and_never_part_of_a_row(told: str, values: list[str]) -> None:
    decoder, rows = EntryDecoder(("mail",)), list[Row]()
    try:
        decoder.take(entry(1, "a", **{f"mail;range={told}": values}), 0, HEAD, rows)
    except Malformed:
        return
    assert rows == [[None]]
    assert [portion.values for portion in decoder.portions] == [values]


def test_two_portions_of_one_attribute_are_malformed() -> None:
    data = entry(1, "a", **{"mail;range=0-0": ["x"], "mail;range=1-*": ["y"]})
    with pytest.raises(Malformed, match="two portions of 'mail'"):
        decoded(data, ("mail",))


def test_a_portion_of_values_under_an_option_keeps_the_option() -> None:
    decoder, rows = EntryDecoder(("cert", "cn;lang-de")), list[Row]()
    decoder.take(entry(1, "a", **{"cert;range=0-0;binary": ["x"], "cn;lang-de;range=0-0": ["y"]}), 0, HEAD, rows)
    assert [(portion.name, portion.columns) for portion in decoder.portions] == [
        ("cert;binary", (0,)),
        ("cn;lang-de", (1,)),
    ]


def test_bytes_that_are_no_text_stay_bytes() -> None:
    assert decoded(entry(1, "a", mail=[b"\xff", "x"]), ("mail",)) == [[[b"\xff", "x"]]]


def test_the_ids_of_active_directory_have_their_usual_form() -> None:
    guid = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
    sid = bytes.fromhex("010500000000000515000000dcf4dc3b833d2b46828ba62800020000")
    data = entry(1, "a", objectGUID=[guid.bytes_le], OBJECTSID=[sid])
    assert decoded(data, ("objectguid", "objectSid")) == [
        ["00112233-4455-6677-8899-aabbccddeeff", "S-1-5-21-1004336348-1177238915-682003330-512"]
    ]
    assert guid_text(b"short") == b"short"
    assert sid_text(b"\x01\x05short") == b"\x01\x05short"


@given(st.uuids())
def test_guids_go_back_and_forth(guid: uuid.UUID) -> None:
    assert guid_bytes(str(guid)) == guid.bytes_le
    assert guid_text(guid.bytes_le) == str(guid)


@given(st.integers(0, 2**48 - 1), st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=15))
def test_sids_go_back_and_forth(authority: int, parts: list[int]) -> None:
    text = "-".join(map(str, ["S", 1, authority, *parts]))
    stored = sid_bytes(text)
    assert stored is not None
    assert sid_text(stored) == text


@pytest.mark.parametrize("text", ["", "x", "S-1-5", "S-1-5-4294967296", "S-1-281474976710656-1", "s-1-5-1", "S-1-5-٣"])
def test_texts_that_are_no_sid_match_nothing(text: str) -> None:
    assert assertion("objectSid", text) is None


@pytest.mark.parametrize(
    "text", ["", "x", "{00112233-4455-6677-8899-aabbccddeeff}", "00112233445566778899aabbccddeeff"]
)
def test_texts_that_are_no_guid_match_nothing(text: str) -> None:
    assert assertion("OBJECTGUID", text) is None


def test_a_request_for_nothing_but_the_name_asks_for_no_attributes() -> None:
    assert EntryDecoder(("dn",)).wanted == ("1.1",)
    assert EntryDecoder(("Mail", "DN", "mail")).wanted == ("Mail",)
    assert octets("x") == b"\x04\x01x"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_stream_is_a_listing_or_an_error(data: st.DataObject) -> None:
    portion = {"cn;range=0-*": ["z"], "objectGUID;range=0-0": ["0"]} if data.draw(st.booleans()) else {}
    stream = bytearray(entry(1, "a", mail=["x", "y"], **portion) + entry(1, "b") + done(1, b"") + b"\x30\x03junk")
    for _ in range(data.draw(st.integers(0, 3))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(stream)
        theirs.shutdown(socket.SHUT_WR)
        wire = Wire(ours, parse_address("ldap://test"))
        search = messages.Search("dc=x", messages.Scope.SUBTREE, messages.present("objectClass"))
        try:
            pages = list(listing(wire, search, NAMES, 5, Deadline(60), Referrals()))
        except (IncompleteListing, BackendMisconfigured):
            return
        assert all(len(row) == len(NAMES) for rows in pages for row in rows)


NO_OPINION = element(SEQUENCE, octets(messages.PASSWORD_POLICY), octets(element(SEQUENCE)))
LOCKED = element(SEQUENCE, octets(messages.PASSWORD_POLICY), octets(element(SEQUENCE, element(0x81, b"\x01"))))


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 2**31 - 1),
    st.sampled_from([0x61, 0x65, 0x6F, 0x78]),
    st.sampled_from([(), (NO_OPINION,), (LOCKED,), (NO_OPINION, LOCKED)]),
    st.binary(max_size=3),
    st.none() | st.tuples(st.integers(0, 63), st.integers(0, 255)),
)
def test_a_plain_success_is_what_parsing_it_gives(
    number: int, kind: int, controls: tuple[bytes, ...], before: bytes, lie: tuple[int, int] | None
) -> None:
    message = bytearray(result(number, kind, 0, "", *controls))
    if lie is not None:
        message[lie[0] % len(message)] = lie[1]
    data = before + bytes(message) + b"\x30"
    found = messages.plain_success(data, len(before), number, kind)
    if lie is None:
        assert (found is not None) is (controls in ((), (NO_OPINION,)))
    if found is not None:
        plain, end = found
        assert plain == messages.parse_message(data, len(before), end)
        assert messages.parse_result(plain.body) == messages.Result(0, "", "")
        assert messages.parse_policy_error(plain.controls) is None
        longer = messages.parse_result(plain.body + element(0xA3, octets("ldap://other")))
        assert longer == messages.Result(0, "", "", ("ldap://other",))


def test_a_success_with_the_opinion_of_a_policy_keeps_it() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire = Wire(ours, parse_address("ldap://test"))
        for opinion, expected in ((NO_OPINION, None), (LOCKED, 1)):
            theirs.sendall(result(1 if expected is None else 2, 0x61, 0, "", opinion))
            assert wire.bind("cn=x", b"x", Deadline(5)) == (messages.Result(0, "", ""), expected)


@given(st.integers(0, 2**31 - 1), texts, st.sampled_from(messages.Scope), st.integers(0, 100), texts, st.lists(texts))
def test_a_search_that_is_made_again_is_the_same_request(
    number: int, base: str, scope: messages.Scope, limit: int, value: str, attributes: list[str]
) -> None:
    asked = messages.equality("uid", value.encode())
    inquiry = messages.Inquiry(base, scope, limit, attributes)
    for each in (number, 7):
        search = messages.Search(base, scope, asked, limit)
        assert inquiry.request(each, asked) == messages.search_request(each, search, attributes)


def test_decoders_that_learn_together_keep_their_answers_apart() -> None:
    first = EntryDecoder(("uid", "mail", "dn"))
    data = entry(1, "a", mail=["x", "y"]) + entry(1, "b", **{"mail__range=0-0": ["z"]})
    for _ in range(3):
        other, rows = first.again(), list[Row]()
        assert other.wanted == first.wanted
        assert other.take(data, 0, HEAD, rows) == len(data)
        assert rows == [
            ["a", ["x", "y"], "uid=a,ou=people,dc=example,dc=org"],
            ["b", None, "uid=b,ou=people,dc=example,dc=org"],
        ]
        assert [portion.values for portion in other.portions] == [["z"]]
        assert first.portions == []
        assert first.last_dn == b""


def _entry_with(attributes: bytes, claimed: int | None = None) -> bytes:
    """An entry of which one level may claim another length than it has."""
    size = len(attributes) if claimed is None else claimed
    body = octets("cn=x") + bytes((SEQUENCE, size)) + attributes
    return element(SEQUENCE, HEAD, bytes((len(body),)), body)


@pytest.mark.parametrize("is_known", [False, True], ids=["unknown name", "known name"])
@pytest.mark.parametrize(
    "broken",
    [
        _entry_with(b"\x30\x0c\x04\x03uid\x31\x03\x04\x01a\x04\x00"),  # the values end before the attribute
        _entry_with(b"\x30\x0a\x04\x03uid\x31\x09\x04\x01a"),  # ... or after it
        _entry_with(b"\x30\x0a\x04\x03uid\x31\x03\x04\x02a"),  # a value is longer than the set
        _entry_with(b"\x30\x0a\x04\x03uid\x31\x03\x04\x00a"),  # ... or shorter, with a stray octet
        _entry_with(b"\x30\x0a\x04\x03uid\x31\x03\x02\x01a"),  # a value is no octet string
        _entry_with(b"\x30\x20\x04\x03uid\x31\x19\x04\x17a"),  # an attribute reaches into the next message
        _entry_with(b"\x31\x0a\x04\x03uid\x31\x03\x04\x01a"),  # an attribute is no sequence
        _entry_with(b"\x30\x0a\x04\x03uid\x31\x03\x04\x01a", claimed=0x0B),  # the attributes end after the entry
        _entry_with(b"\x30\x0a\x04\x03uid\x31\x03\x04\x01a", claimed=0x09),  # ... or before it
    ],
)
def test_lengths_that_do_not_fit_are_malformed_however_well_the_name_is_known(broken: bytes, is_known: bool) -> None:
    data = (entry(1, "good") if is_known else b"") + broken + entry(1, "next") * 2
    rows: list[Row] = []
    with pytest.raises(Malformed):
        EntryDecoder(("uid",)).take(data, 0, HEAD, rows)
    assert len(rows) == is_known


def test_what_follows_an_entry_in_its_message_must_be_controls() -> None:
    body = element(0x64, octets("cn=x"), element(SEQUENCE, attribute("uid", ["a"])))
    assert decoded(element(SEQUENCE, HEAD[:-1], body, element(0xA0)), ("uid",)) == [["a"]]
    with pytest.raises(Malformed):
        decoded(element(SEQUENCE, HEAD[:-1], body, octets("junk")), ("uid",))


def test_words_that_nobody_waited_for_make_a_connection_unfit() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire = Wire(ours, parse_address("ldap://test"))
        theirs.sendall(result(1, 0x61) + done(1))
        assert wire.bind("cn=x", b"x", Deadline(5))[0].code == 0
        assert not wire.is_quiet()


def test_a_connection_is_quiet_until_the_server_speaks_or_leaves() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire = Wire(ours, parse_address("ldap://test"))
        assert wire.is_quiet()
        theirs.sendall(b"x")
        assert not wire.is_quiet()
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        assert not Wire(ours, parse_address("ldap://test")).is_quiet()
    assert not Wire(ours, parse_address("ldap://test")).is_quiet()
