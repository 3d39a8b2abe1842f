"""``hash-password``: prints a hash and nothing else, of a password that is never shown."""

from __future__ import annotations

import pytest

from integration_server import PasswordChecker
from tests.cli.conftest import Run, in_terminal


@pytest.mark.parametrize("scheme", ["argon2", "ssha512"])
def test_hash_is_one_of_the_password(run: Run, scheme: str) -> None:
    result = run("hash-password", "--scheme", scheme, "--stdin", input="grüße \n")
    (hashed,) = result.stdout.splitlines()
    assert PasswordChecker().verify(hashed, "grüße ")
    assert not PasswordChecker().verify(hashed, "grüße")


def test_password_is_typed_twice_and_not_shown(run: Run) -> None:
    typed = [("Password: ", "hidden one\n"), ("Repeat for confirmation: ", "hidden one\n")]
    code, shown = in_terminal(typed, "hash-password")
    assert code == 0
    assert "hidden" not in shown
    assert PasswordChecker().verify(shown.split()[-1], "hidden one")


def test_ctrl_c_ends_it_without_a_word(run: Run) -> None:
    code, shown = in_terminal([("Password: ", "\x03")], "hash-password")
    assert code == 130
    assert shown.replace("^C", "").strip() == "Password:"


def test_scheme_that_is_not_made_is_refused_with_those_that_are(run: Run) -> None:
    result = run("hash-password", "--scheme", "rot13", "--stdin", input="x\n")
    assert result.exit_code == 2
    assert "argon2, bcrypt" in result.stderr


@pytest.mark.parametrize("password", ["", "nul\0", "x" * 5000])
def test_password_that_nobody_could_log_in_with_is_refused(run: Run, password: str) -> None:
    result = run("hash-password", "--stdin", input=password + "\n")
    assert (result.exit_code, result.stdout) == (2, "")
