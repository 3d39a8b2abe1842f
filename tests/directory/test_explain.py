"""What is shown of an entry when somebody asks where a field came from."""

from __future__ import annotations

import pytest

from integration_server.directory.explain import NOT_SHOWN, shown_value
from integration_server.sdk.passwords import hash_password


@pytest.mark.parametrize(
    "name",
    [
        "userPassword",
        "unicodePwd",
        "password",
        "PASSWORD_HASH",
        "pass",
        "passwd",
        "ntPwdHash",
        "salt",
        "apiToken",
        "pwd",
    ],
)
def test_attributes_that_hold_passwords_are_not_shown(name: str) -> None:
    assert shown_value(name, "anything") == NOT_SHOWN
    assert shown_value(name, ["a", "b"]) == NOT_SHOWN
    assert shown_value(name, None) is None


@pytest.mark.parametrize(
    "name", ["pwdLastSet", "passwordExpired", "compass_heading", "cn", "pwdAccountLockedTime", "hashtag", "bypass_id"]
)
def test_attributes_about_passwords_are_shown(name: str) -> None:
    assert shown_value(name, "20300101") == "20300101"


@pytest.mark.parametrize("scheme", ["argon2", "bcrypt"])
def test_hashes_are_not_shown_whatever_the_attribute_is_called(scheme: str) -> None:
    assert shown_value("description", hash_password("secret", scheme)) == NOT_SHOWN


@pytest.mark.parametrize(
    "value", ["{SSHA}abc", "{SSHA512}abc", "{PBKDF2-SHA256}1", "$6$salt$x", "$P$Babc", "$wp$2y$10$a"]
)
def test_usual_hashes_are_known(value: str) -> None:
    assert shown_value("description", value) == NOT_SHOWN


@pytest.mark.parametrize("value", ["{x}", "{a b}", "$5 off", "costs $6$", "{0}", "$HOME"])
def test_other_values_are_shown(value: str) -> None:
    assert shown_value("description", value) == value
