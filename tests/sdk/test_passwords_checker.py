"""What a checker does beside comparing: equal cost for nobody, few heavy checks at once, weak schemes told once."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import textwrap
import threading
import traceback
from collections.abc import Callable

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_server.sdk.errors import BadEntry
from integration_server.sdk.passwords import (
    MalformedHash,
    PasswordChecker,
    UnknownScheme,
    declarable_schemes,
    hash_password,
    is_weak,
)
from integration_server.sdk.schemes.registry import SCHEMES

BCRYPT_4 = "$2y$04$RPUO7aOE2FQZa/i.mZd/deMckInQzn7wS7afDxF2nku9w8kVmrZEW"
BCRYPT_5 = "$2a$05$nlmb69aJ77SmhnsZY0x/1u2BRaPJbNtCWmxW1QR9dXQxru/1YM7EW"
SSHA = "{SSHA}RtIYAdpGTJUZ0xswvrhCm/4YQBAcorFu"
DJANGO = "pbkdf2_sha256$1000$seasalt$lzo+lEPDCMw6TkXiiJvpcSIoeYgCp5Rop/DJckGPAzI="
P = "pässword!$"


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What bcrypt and PBKDF2 are asked to compute: ``bcrypt 04``, ``pbkdf2 1000``."""
    work: list[str] = []

    def hashpw(secret: bytes, salt: bytes, real: Callable[[bytes, bytes], bytes] = bcrypt.hashpw) -> bytes:
        work.append(f"bcrypt {salt[4:6].decode()}")
        return real(secret, salt)

    def pbkdf2_hmac(*args: object, real: Callable[..., bytes] = hashlib.pbkdf2_hmac) -> bytes:
        work.append(f"pbkdf2 {args[3]}")
        return real(*args)

    monkeypatch.setattr(bcrypt, "hashpw", hashpw)
    monkeypatch.setattr(hashlib, "pbkdf2_hmac", pbkdf2_hmac)
    return work


def test_nobody_costs_what_the_commonest_value_costs(computed: list[str]) -> None:
    checker = PasswordChecker()
    checker.verify(BCRYPT_4, P)
    checker.verify(BCRYPT_5, P)
    checker.verify(BCRYPT_5, "wrong")
    checker.verify(DJANGO, P)
    computed.clear()
    checker.verify_nobody("anything")
    assert computed == ["bcrypt 05"]
    for _ in range(2):
        checker.verify(DJANGO, P)
    computed.clear()
    checker.verify_nobody("anything")
    assert computed == ["pbkdf2 1000"]


def test_locked_account_costs_what_others_cost(computed: list[str]) -> None:
    checker = PasswordChecker()
    checker.verify(DJANGO, P)
    computed.clear()
    assert checker.verify("!", P) is False
    assert computed == ["pbkdf2 1000"]


def test_nobody_costs_next_to_nothing_where_everybody_does(computed: list[str]) -> None:
    checker = PasswordChecker()
    checker.verify(SSHA, P)
    checker.verify_nobody("anything")
    assert computed == []


def test_nobody_costs_a_slow_check_before_anything_was_seen(computed: list[str]) -> None:
    PasswordChecker().verify_nobody("anything")
    assert computed == ["bcrypt 10"]


def test_nobody_costs_the_declared_scheme_before_anything_was_seen(computed: list[str]) -> None:
    PasswordChecker("scram_sha_256" if "scram_sha_256" in declarable_schemes() else "scram_sha256").verify_nobody("x")
    assert computed == ["pbkdf2 4096"]


def test_observed_values_teach_what_nobody_costs(computed: list[str]) -> None:
    checker = PasswordChecker()
    for stored in (BCRYPT_4, "{FOO}unreadable", None, "!", "$2b$12$short"):
        checker.observe(stored)
    assert computed == []
    checker.verify_nobody("anything")
    assert computed == ["bcrypt 04"]


def test_unreadable_value_teaches_nothing(computed: list[str]) -> None:
    checker = PasswordChecker()
    with pytest.raises(MalformedHash):
        checker.verify("$2b$31$" + BCRYPT_4[7:], P)
    checker.verify_nobody("anything")
    assert computed == ["bcrypt 10"]


def test_observed_value_that_cannot_be_computed_harms_nobody(computed: list[str]) -> None:
    checker = PasswordChecker()
    checker.observe("$2b$31$" + BCRYPT_4[7:])
    checker.verify_nobody("anything")
    assert checker.verify("!", "anything") is False
    assert computed == ["bcrypt 10", "bcrypt 10"]


def test_rare_kinds_are_forgotten_and_the_commonest_stays(computed: list[str]) -> None:
    checker = PasswordChecker()
    for _ in range(3):
        checker.observe(DJANGO)
    for rounds in range(2000, 2300):
        checker.observe(DJANGO.replace("1000", str(rounds)))
    assert len(checker._kinds) <= 64
    checker.verify_nobody("anything")
    assert computed == ["pbkdf2 1000"]


@pytest.mark.parametrize("password", ["", "a\0b", "\ud800", "a" * 4097])
def test_unacceptable_password_costs_nothing_for_nobody_either(password: str, computed: list[str]) -> None:
    checker = PasswordChecker()
    checker.verify_nobody(password)
    assert checker.verify(BCRYPT_4, password) is False
    assert checker.verify("!", password) is False
    assert computed == []


def test_nothing_of_a_stored_value_is_kept() -> None:
    checker = PasswordChecker("plain")
    for stored in (BCRYPT_4, SSHA, DJANGO, "my secret"):
        checker.observe(stored)
    kept = repr(checker._kinds.keys()) + repr([kind.nobody.string for kind in checker._kinds.values()])
    assert len(checker._kinds) == 4
    for secret in ("RPUO7aOE2FQZ", "RtIYAdpGTJUZ", "lzo+lEPDCMw6", "seasalt", "secret"):
        assert secret not in kept


@pytest.mark.parametrize("most", [1, 2])
def test_only_so_many_heavy_checks_run_at_once(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    running, peak, lock, real = 0, 0, threading.Lock(), bcrypt.hashpw

    def hashpw(secret: bytes, salt: bytes) -> bytes:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        try:
            return real(secret, b"$2b$06" + salt[6:])  # long enough for all threads to meet here
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(bcrypt, "hashpw", hashpw)
    checker = PasswordChecker(max_concurrent=most)
    start = threading.Barrier(6)

    def check() -> None:
        start.wait()
        for _ in range(3):
            checker.verify(BCRYPT_4, "wrong")
            checker.verify_nobody("wrong")

    threads = [threading.Thread(target=check) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert peak == most


def test_failing_heavy_check_gives_its_place_back() -> None:
    checker = PasswordChecker(max_concurrent=1)
    for _ in range(3):
        with pytest.raises(MalformedHash):
            checker.verify("$2b$31$" + BCRYPT_4[7:], P)
    assert checker.verify(BCRYPT_4, P)


def test_weak_scheme_is_told_once_for_each_checker() -> None:
    told: list[str] = []
    for _ in range(2):
        checker = PasswordChecker("md5_hex", on_weak=told.append)
        for _ in range(3):
            checker.verify(SSHA, P)
            checker.verify("3dd096e13e7dc5dcea9cd30ef1e223da", "wrong")
            checker.verify(BCRYPT_4, P)
    assert told == ["ssha", "md5_hex"] * 2


def test_weak_schemes_are_these() -> None:
    weak = {name for name in declarable_schemes() if is_weak(name)}
    assert weak == {
        *("md5", "sha", "sha256", "sha384", "sha512", "smd5", "ssha", "plain"),
        *("md5_hex", "sha1_hex", "sha256_hex", "sha384_hex", "sha512_hex"),
        *("md5_crypt", "apr1", "des_crypt", "bigcrypt", "bsdi_crypt", "nt"),
        *("mysql323", "mysql41", "postgres_md5", "ipb_md5", "vb_md5", "django_md5", "django_sha1"),
    }
    assert PasswordChecker.is_weak("{SSHA}")
    with pytest.raises(UnknownScheme):
        is_weak("md6")


def test_unknown_scheme_is_a_fault_of_one_entry_not_an_outage_of_all() -> None:
    assert issubclass(UnknownScheme, BadEntry)
    assert issubclass(MalformedHash, UnknownScheme)


def _run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout.strip() + done.stderr.strip()[-500:]


def test_yescrypt_without_a_library_names_what_to_install() -> None:
    told = _run(
        """
        import argon2, bcrypt, ctypes, sys  # before the system changes under them
        from integration_server.sdk.passwords import PasswordChecker, UnknownScheme
        sys.platform = "win32"
        sys.modules["pyescrypt"] = None
        checker = PasswordChecker()
        try:
            checker.verify("$y$j75$rSz1HCoCQfqdaKvcrHa58/$8ra.KkCat8AIA9q3Frp329Dp7VsfuM4XX1wvabbnUdA", "x")
        except UnknownScheme as exc:
            print(exc)
        """
    )
    assert "pip install pyescrypt" in told
    assert "rSz1HCoC" not in told


def test_pyescrypt_serves_where_there_is_no_libxcrypt() -> None:
    pytest.importorskip("pyescrypt", reason="an optional package; on Linux libxcrypt does its work")
    told = _run(
        """
        import argon2, bcrypt, ctypes, sys
        from integration_server.sdk.passwords import PasswordChecker, UnknownScheme
        sys.platform = "win32"
        checker = PasswordChecker()
        stored = "$y$j75$rSz1HCoCQfqdaKvcrHa58/$8ra.KkCat8AIA9q3Frp329Dp7VsfuM4XX1wvabbnUdA"
        print(checker.verify(stored, "p\\u00e4ssword!$"), checker.verify(stored, "wrong"))
        print(checker.verify("$y$j75$....$" + "." * 43, "wrong"))
        try:
            checker.verify("$y$j75$.$" + "." * 43, "wrong")
        except UnknownScheme as exc:
            print(type(exc).__name__)
        """
    )
    assert told.split() == ["True", "False", "False", "MalformedHash"]


_MARKS = [
    "{SSHA}",
    "{CRYPT}",
    "{MD5}",
    "{PBKDF2}",
    "{PLAIN}",
    "{FOO}",
    "$2b$12$",
    "$6$",
    "$y$",
    "$argon2id$",
    "md5",
    "*",
]
_CHEAP = [
    BCRYPT_4,
    SSHA,
    DJANGO,
    "$6$rounds=1000$ldOB5.gZ3i.Qq24k$"
    "b8S/HCw/463cBZJLUAp5vJZLzQVfTYyMbNMkr5YU1eyiIkJxexbAtYdSUAakzUOzNARCpOcCkl8lwAlFHE2Q51",
    "$1$saltsalt$G5gerMKRi9s7nFAAe1/Vs1",
    "$argon2id$v=19$m=64,t=2,p=1$bUpESnlpWE1RWlpsMTM1Tw$VydUoAij0xvKhRqrhVCT5K8IQStX5nvHuShWLXb+qTw",
    "$scrypt$ln=4,r=8,p=1$FeLcG2OsVUrp3TvHOIfQug$kR7+clJrU6H9kT6QXmS9L20+VIY8ZE3yZAn87UcJiFQ",
    "$y$j75$rSz1HCoCQfqdaKvcrHa58/$8ra.KkCat8AIA9q3Frp329Dp7VsfuM4XX1wvabbnUdA",
    "$wp$2y$05$mxEKRlhuUNwB6rq.PIBEnOdCWSpi7cuunjeuoxqS65CEdhcP.8k5u",
    "{PBKDF2-SHA256}1000$tvYew3hPaa3V.r/3PkdIaQ$f5DtOf41ahUQh8b6NMR1AsY5FrZsCVSphZAQXAKLVZ8",
    "SCRAM-SHA-256$4096:mn1D6LvbZ7cz1k6VA7CWHQ==$DZm7Kf/cCXjrTPM6SWK1M4ZBwGrrizRbk5oaw39SA+s=:"
    "gK2snnSU3I4P5gb3hIVbxToOW9lBvqiSfg91v5wEnvQ=",
    "{CRYPT}WwNF.nhf4EEt.jQcwUKoFwNA",
    "31e565c185e682f5d4b6baa8af98f573:x:y",
]
_ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80)  # half surrogate pairs, too


@st.composite
def _damaged(draw: st.DrawFn) -> str:
    """A real value with a piece cut out and a piece put in. No digits are put in: they would only cost time."""
    text = draw(st.sampled_from(_CHEAP))
    start, end, at = (draw(st.integers(0, len(text))) for _ in range(3))
    cut = text[:start] + text[end:] if start < end else text
    return (
        cut[:at] + draw(st.sampled_from(["", "$", ":", ",", "=", "{", "}", "!", " ", "é", "\ud800", "\n"])) + cut[at:]
    )


_STORED = st.one_of(
    _ANY_TEXT, st.builds(str.__add__, st.sampled_from(_MARKS), _ANY_TEXT), _damaged(), st.binary(max_size=60), st.none()
)


@settings(max_examples=600, deadline=None)
@given(
    stored=_STORED,
    password=_ANY_TEXT,
    username=_ANY_TEXT,
    salt=_ANY_TEXT,
    declared=st.sampled_from([None, *SCHEMES]),
    is_plain_allowed=st.booleans(),
)
def test_no_value_and_no_password_raise_anything_but_unknown_scheme(
    stored: str | bytes | None,
    password: str,
    username: str,
    salt: str,
    declared: str | None,
    is_plain_allowed: bool,
) -> None:
    checker = PasswordChecker(declared, allow_plain=is_plain_allowed)
    checker.observe(SSHA)  # a quick nobody
    checker.observe(stored)
    checker.observe(stored)  # now it is the commonest
    try:
        assert checker.verify(stored, password, username=username, salt=salt) in (True, False)
    except UnknownScheme as exc:
        told = "".join(traceback.format_exception(exc))
        if isinstance(stored, str):
            for secret in ("RPUO7aOE2F", "RtIYAdpGTJ", "lzo+lEPDCM", "ldOB5.gZ3i", "VydUoAij0x", "8ra.KkCat8"):
                assert secret not in told
    checker.verify_nobody(password)


@settings(max_examples=100, deadline=None)
@given(password=_ANY_TEXT, other=_ANY_TEXT)
def test_made_value_opens_to_its_password_alone(password: str, other: str) -> None:
    checker = PasswordChecker()
    try:
        stored = hash_password(password, "ssha256")
    except ValueError:
        assert not checker.verify(SSHA, password)
        return
    assert checker.verify(stored, password)
    assert checker.verify(stored, other) is (password == other)
