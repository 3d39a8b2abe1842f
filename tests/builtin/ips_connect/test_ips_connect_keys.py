"""Keys of IPS Connect: the reference's vectors, and what must never be taken for a key."""

from __future__ import annotations

import pytest

from integration_server.builtin.ips_connect.keys import KeyRule, expected_key, is_same, key_of_id, new_key

K = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("key", "id", "expected"),
    [
        (K, "alice@example.com", "0da4713f6108abdac7a7ff4480143cdd"),
        (K, "alice", "ae7e4d2aee6d2870f496a8cfba2959ff"),
        (K, "42", "ef7d05c70b4fddc71bb6d4449bfdd60e"),
        (K, "43", "cb5da35a2b8d4580af776ebbfe222281"),
        (K, "Ålice", "c8f43189e6ccd1242f781d50c48cd1e7"),
        (K, "", "8516ac99dc60603295de7bdb6a153530"),
        ("a" * 32, "42", "2ffd7e52ea2644195dea6850eb729385"),
        ("b" * 32, "42", "b1c48a84286793c8bc8338da95a37110"),
    ],
)
def test_key_of_an_id_is_as_published(key: str, id: str, expected: str) -> None:
    assert key_of_id(key, id) == expected
    assert expected_key(key, KeyRule.OF_ID, id) == expected
    assert expected_key(key, KeyRule.RAW, id) == key


def test_id_that_is_absent_is_not_an_empty_one() -> None:
    assert expected_key(K, KeyRule.OF_ID, None) == K
    assert expected_key(K, KeyRule.OF_ID, "") != K


def test_id_is_hashed_as_it_was_sent() -> None:
    assert len({key_of_id(K, id) for id in ("alice", "Alice", " alice", "alice ", "042", "42")}) == 6


@pytest.mark.parametrize("given", ["", K[:-1], K + "0", K.upper(), "*0", "*1", "\ud800", "x" * 1_000_000])
def test_other_key_is_refused(given: str) -> None:
    assert not is_same(K, given)
    assert is_same(K, K)


@pytest.mark.parametrize("nothing", ["", "*0", "*1"])
def test_failures_of_crypt_equal_nothing_not_even_themselves(nothing: str) -> None:
    assert not is_same(nothing, nothing)


def test_new_keys_fit_into_the_column_of_real_masters() -> None:
    keys = {new_key() for _ in range(20)}
    assert len(keys) == 20
    assert all(len(key) == 32 and set(key) <= set("0123456789abcdef") for key in keys)
