"""Single values: whatever a driver hands over becomes the text, flag or moment that an admin would write down."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_server.sdk import values

UTC = dt.UTC
# Without a zone, as most databases give them.
NAIVE = dt.datetime.fromisoformat("2026-12-31T08:30:00")
END_OF_2026 = dt.datetime(2026, 12, 31, 23, 59, 59, 999999, UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (42, "42"),
        (True, "1"),
        (False, "0"),
        (42.0, "42"),
        (-0.0, "0"),
        (42.5, "42.5"),
        (Decimal("42"), "42"),
        (Decimal("42.00"), "42"),
        (Decimal("42.10"), "42.1"),
        (Decimal("0.0000001"), "0.0000001"),
        (Decimal("1E+30"), "1" + 30 * "0"),
        (b"J\xc3\xb6rg", "Jörg"),
        (bytearray(b"ann"), "ann"),
        (memoryview(b"ann"), "ann"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (dt.date(2026, 12, 31), "2026-12-31"),
        (NAIVE, "2026-12-31T08:30:00"),
        ("  ann\t", "ann"),
        ("a  b", "a  b"),
        ("", None),
        (" \n", None),
        (b" ", None),
        (None, None),
        ([], None),
        ([None, " ", "first", "second"], "first"),
        ((b"one",), "one"),
    ],
)
def test_values_of_every_kind_become_text(value: object, text: str | None) -> None:
    assert values.text(value) == text


def test_long_decimals_keep_every_digit() -> None:
    one, other = Decimal("1234567890123456789012345678901.5"), Decimal("1234567890123456789012345678902.5")

    assert values.text(one) == "1234567890123456789012345678901.5"
    assert values.text(one) != values.text(other)


@pytest.mark.parametrize(
    "value",
    [
        "a\0b",
        "\0",
        b"a\0b",
        b"\xff\xfe",
        "\ud800",
        "half \udfff",
        ["\ud800"],
        object(),
        {"a": 1},
        {1},
        dt.timedelta(1),
        Decimal("Infinity"),
        Decimal("NaN"),
        Decimal("sNaN"),
        float("nan"),
        float("inf"),
    ],
)
def test_values_without_a_text_are_refused(value: object) -> None:
    with pytest.raises((ValueError, OverflowError)):
        values.text(value)


def test_texts_open_nested_lists_and_drop_blanks() -> None:
    assert values.texts(["a", [" b ", None, ["c"]], "", (1, 2.0)]) == ["a", "b", "c", "1", "2"]


@pytest.mark.parametrize("value", [1, True, "1", "true", "TRUE", "t", "Yes", "y", "on", b"1", Decimal(1), 1.0])
def test_yes_is_read_in_every_spelling(value: object) -> None:
    assert values.flag(value) is True


@pytest.mark.parametrize("value", [0, False, "0", "false", "F", "no", "N", "off", "", None, b"0", Decimal("0.0")])
def test_no_is_read_in_every_spelling(value: object) -> None:
    assert values.flag(value) is False


@pytest.mark.parametrize("value", [2, -1, "maybe", "ja", "10", dt.date(2026, 1, 1)])
def test_a_flag_that_is_neither_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="neither yes nor no"):
        values.flag(value)


def test_bits_are_found_in_numbers_of_any_kind() -> None:
    assert values.has_bit(514, 2)
    assert values.has_bit("514", 2)
    assert values.has_bit(Decimal("514"), 2)
    assert not values.has_bit(512, 2)
    assert not values.has_bit(None, 2)
    with pytest.raises(ValueError, match="no number"):
        values.has_bit("enabled", 2)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (NAIVE, dt.datetime(2026, 12, 31, 8, 30, tzinfo=UTC)),
        (
            dt.datetime(2026, 12, 31, 8, 30, tzinfo=dt.timezone(dt.timedelta(hours=2))),
            dt.datetime(2026, 12, 31, 6, 30, tzinfo=UTC),
        ),
        (dt.date(2026, 12, 31), END_OF_2026),
        ("2026-12-31", END_OF_2026),
        ("20261231", END_OF_2026),
        ("2026-12-31 08:30", dt.datetime(2026, 12, 31, 8, 30, tzinfo=UTC)),
        ("2026-12-31T08:30:00Z", dt.datetime(2026, 12, 31, 8, 30, tzinfo=UTC)),
        ("2026-12-31T08:30:00+02:00", dt.datetime(2026, 12, 31, 6, 30, tzinfo=UTC)),
        (b"2026-12-31", END_OF_2026),
        (1798675200, dt.datetime(2026, 12, 31, tzinfo=UTC)),
        ("1798675200", dt.datetime(2026, 12, 31, tzinfo=UTC)),
        (1798675200.5, dt.datetime(2026, 12, 31, microsecond=500000, tzinfo=UTC)),
        (Decimal("1798675200"), dt.datetime(2026, 12, 31, tzinfo=UTC)),
        # LDAP's generalized time (RFC 4517 §3.3.13).
        ("20261231083000Z", dt.datetime(2026, 12, 31, 8, 30, tzinfo=UTC)),
        ("20261231083000.0Z", dt.datetime(2026, 12, 31, 8, 30, tzinfo=UTC)),
        ("20261231083000+0200", dt.datetime(2026, 12, 31, 6, 30, tzinfo=UTC)),
        ("20261231083000", dt.datetime(2026, 12, 31, 8, 30, tzinfo=UTC)),
        # Active Directory's accountExpires: steps of 100 ns since 1601.
        (134431488000000000, dt.datetime(2026, 12, 31, tzinfo=UTC)),
        ("134431488000000000", dt.datetime(2026, 12, 31, tzinfo=UTC)),
    ],
)
def test_moments_are_read_from_every_form(value: object, moment: dt.datetime) -> None:
    assert values.moment(value) == moment


@pytest.mark.parametrize("value", [None, "", " ", 0, "0", -1, "-1", 9223372036854775807, "9223372036854775807"])
def test_no_date_and_the_numbers_for_never_mean_never(value: object) -> None:
    assert values.moment(value) is None


@pytest.mark.parametrize(
    "value",
    ["soon", "31.12.2026", "12/31/2026", "2026-13-01", "2026-02-30", "²", "--5", "1798675200000", "20261399000000Z"],
)
def test_a_date_that_cannot_be_read_is_refused_rather_than_taken_for_never(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        values.moment(value)


@given(st.integers(1, 250_000_000_000), st.integers(0, 999_999))
def test_a_moment_comes_back_from_its_written_form(second: int, microsecond: int) -> None:
    moment = dt.datetime(1970, 1, 1, tzinfo=UTC) + dt.timedelta(seconds=second, microseconds=microsecond)
    assert values.moment(moment.isoformat()) == moment
    if not 19_000_000 <= second < 21_000_000:  # these eight digits are read as a day: 20261231
        assert values.moment(second) == moment.replace(microsecond=0)


@given(st.text())
def test_text_is_stripped_or_refused_and_never_blank(value: str) -> None:
    try:
        found = values.text(value)
    except ValueError:
        assert "\0" in value or any("\ud800" <= c <= "\udfff" for c in value)
        return
    assert found == (value.strip() or None)
