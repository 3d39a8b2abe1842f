"""Passwords of IPS Connect: the reference's vectors, and what must never log anybody in."""

from __future__ import annotations

import string

import pytest

from integration_server.builtin.ips_connect import passwords
from integration_server.builtin.ips_connect.passwords import hashed, is_bcrypt, is_usable, new_salt, unusable, verify

VECTORS = [
    ("password", "leEvXu77OIwPwNvtZIJval", "$2a$13$leEvXu77OIwPwNvtZIJvaeAx8EItGHuR3nIlq8416g0gXeJaQdrr2"),
    ("PassWord1", "xyTTP9zhQQtRRKIJPv5Au3", "$2a$13$xyTTP9zhQQtRRKIJPv5AuuOGJ6Ni9FLbDhcuIAcPjt3XzCxIWe3Uu"),
    ("&^%te$t?Pw@_", "rGBrqErm9DZyzbxIGHlgfN", "$2a$13$rGBrqErm9DZyzbxIGHlgf.xfA15/4d5Ay/TK.3y9lG3AljcoG9Lsi"),
    ("âË_3(íù*", "18dKXZLoGpeHHL81edM9H6", "$2a$13$18dKXZLoGpeHHL81edM9HuipiUcMjn5VDJHlxwRUMRXfJ1b.ZQrJ."),
    ("password", "abcde", "f838bbffaae3e444cdf5a27a6a12a347"),
    ("P<a>ss&1!", "abcde", "ec7b8b8a130f127f4ebeecac61fffab6"),
]


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """bcrypt that takes a millisecond instead of half a second."""
    monkeypatch.setattr(passwords, "COST", 4)


@pytest.mark.parametrize(("password", "salt", "expected"), VECTORS)
def test_hash_is_as_published(password: str, salt: str, expected: str) -> None:
    assert hashed(password, salt) == expected


def test_password_is_verified_against_a_published_hash() -> None:
    password, salt, stored = VECTORS[0]
    assert verify(password, stored, salt)
    assert not verify(password + "x", stored, salt)


@pytest.mark.parametrize(
    ("last", "canonical"),
    [(letter, "." if letter in "./ABCDEFGHIJKLMN" else "O" if letter in "OPQRSTUVWXYZabcd" else
      "e" if letter in "efghijklmnopqrst" else "u") for letter in "./" + string.ascii_letters + string.digits],
)  # fmt: skip
def test_last_character_of_a_salt_is_made_canonical(cheap: None, last: str, canonical: str) -> None:
    salt = "leEvXu77OIwPwNvtZIJva" + last
    assert hashed("x", salt)[7:29] == salt[:-1] + canonical
    assert verify("x", hashed("x", salt), salt)


def test_bcrypt_reads_72_bytes(cheap: None) -> None:
    salt = new_salt()
    assert hashed("ä" * 36 + "rest", salt) == hashed("ä" * 36, salt)
    assert hashed("x" + "ä" * 36, salt) == hashed("x" + "ä" * 36 + "more", salt), "a letter may be cut in two"
    assert hashed("ä" * 35, salt) != hashed("ä" * 36, salt)


@pytest.mark.parametrize(
    ("plain", "escaped"),
    [
        ("&<!-- -->", "&amp;&#60;&#33;-- --&#62;"),
        ("<SCRIPT><script>", "&#60;script&gt;&#60;script&gt;"),
        ("a<b>\"'", "a&lt;b&gt;&quot;&#39;"),
        ("$\\!\n", "&#036;&#092;&#33;<br />"),
        ("\r\t;#", "\r\t;#"),
    ],
)
def test_passwords_of_version_3_are_escaped_in_order(plain: str, escaped: str) -> None:
    assert passwords._escaped(plain) == escaped


def test_salt_is_told_by_its_bytes() -> None:
    assert is_bcrypt("x" * 22)
    assert is_bcrypt("é" * 11)
    assert not any(is_bcrypt(salt) for salt in ("", "abcde", "x" * 21, "x" * 23, "é" * 22))


@pytest.mark.parametrize(
    "salt", ["é" * 11, "leEvXu77OIwPwNvtZIJva ", "leEvXu77OIwPwNvtZIJv!l", "$" * 22, "a" * 21 + "\n"]
)
def test_salt_that_bcrypt_cannot_read_belongs_to_no_password(cheap: None, salt: str) -> None:
    with pytest.raises(ValueError, match="salt"):
        hashed("password", salt)
    assert not any(verify("password", stored, salt) for stored in ("*0", "*1", ""))


@pytest.mark.parametrize("password", ["", "a\0b", "\ud800", "x" * 4097])
@pytest.mark.parametrize("salt", ["leEvXu77OIwPwNvtZIJval", "abcde"])
def test_what_is_no_password_is_never_right(cheap: None, password: str, salt: str) -> None:
    with pytest.raises(ValueError, match="no password"):
        hashed(password, salt)
    assert not verify(password, hashed("x", salt), salt)


def test_hash_that_is_empty_or_a_failure_lets_nobody_in(cheap: None) -> None:
    for salt in ("leEvXu77OIwPwNvtZIJval", "abcde", ""):
        for stored in ("", "*0", "*1", "\ud800"):
            assert not any(verify(password, stored, salt) for password in ("password", "*0", stored))


def test_new_salts_are_of_digits_and_letters() -> None:
    salts = {new_salt() for _ in range(50)}
    assert len(salts) == 50
    assert all(len(salt) == 22 and salt.isascii() and salt.isalnum() for salt in salts)


def test_person_without_password_gets_what_looks_like_one() -> None:
    stored, salt = unusable()
    assert len(stored) == 60
    assert stored.startswith("$2a$13$" + salt[:-1])
    assert unusable() != (stored, salt)
    assert not verify("", stored, salt)


def test_hash_of_nothing_is_told_from_that_of_any_password(cheap: None) -> None:
    assert not any(is_usable(unusable()[0]) for _ in range(100))
    assert all(is_usable(hashed(str(number), new_salt())) for number in range(100))
    assert is_usable(hashed("password", "abcde"))
    assert is_usable("$2a$13$leEvXu77OIwPwNvtZIJvaeAx8EItGHuR3nIlq8416g0gXeJaQdrr2")
