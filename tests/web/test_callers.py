"""Who may ask: encryption, and HTTP Basic in every form in which MailStore may send it."""

from __future__ import annotations

import base64
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client

from integration_server import CallerRefused, ConfigError, Verdict
from integration_server.sdk.passwords import PasswordChecker, hash_password
from integration_server.web.callers import is_loopback, parse_basic
from integration_server.web.proxy import TrustedProxies
from tests.directory.house import LinesEncoder
from tests.web.sites import SERVICE, MakeSite, Site, basic

STRANGER = "10.0.0.5"

# -- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::1%lo", "0:0:0:0:0:0:0:1", ""]
)
def test_this_machine_is_known_by_every_address_of_its_own(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "::ffff:10.0.0.1",
        "fe80::1",
        "fe80::1%lo",
        "0.0.0.0",
        "::",
        "localhost",
        "127.0.0.1.evil",
        "unix:",
        " ",
    ],
)
def test_everybody_else_is_a_stranger(address: str) -> None:
    assert not is_loopback(address)


@given(st.text())
def test_no_address_is_too_odd_to_be_judged(address: str) -> None:
    assert is_loopback(address) in (True, False)


# -- the header ------------------------------------------------------------------------------------------------------


def encoded(text: bytes) -> str:
    return base64.b64encode(text).decode("ascii")


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (f"Basic {encoded(b'user:pass')}", (b"user", b"pass")),
        (f"basic   {encoded(b'user:pass')}  ", (b"user", b"pass")),
        (f"BASIC {encoded(b'user:a:b:c')}", (b"user", b"a:b:c")),
        (f"Basic {encoded(b':')}", (b"", b"")),
        (f"Basic {encoded(bytes(range(128, 256)) + b':' + b'x')}", (bytes(range(128, 256)), b"x")),
        (f"Basic {encoded(b'user')}", None),
        ("Basic", None),
        ("Basic ", None),
        ("Basic !!!!", None),
        ("Basic ä", None),
        (f"Bearer {encoded(b'user:pass')}", None),
        ("Negotiate abc", None),
        ("", None),
        (f"Basic {encoded(b'user:pass')}, Basic {encoded(b'other:pass')}", None),
    ],
)
def test_basic_credentials_are_read_as_bytes(header: str, found: tuple[bytes, bytes] | None) -> None:
    assert parse_basic(header) == found


@given(st.text(st.characters(max_codepoint=255)))
def test_no_header_is_too_odd_to_be_read(header: str) -> None:
    found = parse_basic(header)
    assert found is None or len(found) == 2


# -- HTTP Basic ------------------------------------------------------------------------------------------------------


def test_a_caller_without_credentials_is_challenged_and_that_is_no_failed_login(site: Site) -> None:
    """A .NET client sends nothing until it is challenged, with each request anew."""
    for _ in range(50):
        site.authorization = None
        response = site.list()
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == 'Basic realm="integration-server", charset="UTF-8"'
        assert response.is_json

    assert list(site.installation.store.failed_logins.everybody(0)) == []
    site.authorization = basic(*SERVICE)
    assert site.list().status_code == 200


@pytest.mark.parametrize(
    "credentials",
    [
        basic(SERVICE[0], "wrong"),
        basic("someone", SERVICE[1]),
        basic(SERVICE[0], SERVICE[1] + " "),
        basic(SERVICE[0], SERVICE[1].lower()),
        basic(SERVICE[0], ""),
        basic("", ""),
        basic(SERVICE[0].upper(), SERVICE[1]),
        "Basic nonsense",
        "Bearer abc",
        "Basic " + encoded(b"\xff\xfe:\xff"),
    ],
)
def test_wrong_credentials_are_challenged_again(credentials: str, site: Site) -> None:
    site.authorization = credentials
    response = site.auth("ann", "Ann's password")

    assert response.status_code == 401
    assert "WWW-Authenticate" in response.headers
    assert site.world["hq"].calls == []


@pytest.mark.parametrize("is_hashed", [False, True])
@pytest.mark.parametrize(
    ("username", "password", "encoding"),
    [
        ("mailstore@example.test", "Passw0rd", "utf-8"),
        ("größe", "pässwörd", "utf-8"),
        ("größe", "pässwörd", "latin-1"),
        ("user", "with:colon: and blanks ", "utf-8"),
        ("user", "€uro \N{GRINNING FACE}", "utf-8"),
        ("user", "Ã¤ as it is", "latin-1"),
    ],
)
def test_service_passwords_come_in_utf_8_or_latin_1(
    username: str, password: str, encoding: str, is_hashed: bool, make_site: MakeSite
) -> None:
    secret = {"password_hash": hash_password(password, "ssha512")} if is_hashed else {"password": password}
    site = make_site(username=username, **secret)
    site.world["hq"].add("ann", "x")
    site.authorization = basic(username, password, encoding)

    assert site.list().status_code == 200
    site.authorization = basic(username, password + "x", encoding)
    assert site.list().status_code == 401


def test_a_letter_that_latin_1_lacks_matches_no_question_mark(make_site: MakeSite) -> None:
    site = make_site(username="user", password="€uro")
    site.authorization = basic("user", "?uro")

    assert site.list().status_code == 401


def test_a_slow_hash_is_paid_once(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    checks: list[str] = []
    verify = PasswordChecker.verify

    def counted(self: PasswordChecker, stored: Any, password: str, **more: Any) -> bool:
        checks.append(password)
        return verify(self, stored, password, **more)

    site = make_site(username="user", password_hash=hash_password("secret", "ssha512"))
    site.world["hq"].add("ann", "x")
    monkeypatch.setattr(PasswordChecker, "verify", counted)
    site.authorization = basic("user", "secret")
    for _ in range(5):
        assert site.list().status_code == 200

    assert checks == ["secret"]


def test_guesses_at_the_service_password_are_throttled(site: Site) -> None:
    statuses = []
    for number in range(10):
        site.authorization = basic(SERVICE[0], f"guess {number}")
        statuses.append(site.list().status_code)

    assert statuses[:5] == 5 * [401]
    assert statuses[6:] == 4 * [429]


def test_a_caller_who_is_known_is_not_locked_out_by_a_strangers_guesses(site: Site) -> None:
    assert site.list().status_code == 200
    for number in range(10):
        site.request(data={"cmd": "list"}, headers={"Authorization": basic(SERVICE[0], f"guess {number}")})

    assert site.list().status_code == 200
    assert site.accepts("ann", "Ann's password")


def test_one_old_service_password_all_night_is_no_guessing(site: Site) -> None:
    old = basic(SERVICE[0], "of last year")
    statuses = {site.request(data={"cmd": "list"}, headers={"Authorization": old}).status_code for _ in range(30)}

    assert statuses == {401}
    assert site.list().status_code == 200


def test_guesses_from_one_address_do_not_lock_out_another(make_site: MakeSite) -> None:
    site = make_site(allow_plain_http=True)
    site.world["hq"].add("ann", "x")
    for number in range(10):
        site.request(
            data={"cmd": "list"}, headers={"Authorization": basic(SERVICE[0], f"guess {number}")}, caller=STRANGER
        )

    assert site.list(caller=STRANGER).status_code == 429
    assert site.list(caller="10.0.0.6").status_code == 200


def test_no_users_name_can_lock_out_the_service_account(site: Site) -> None:
    """A person may type any name into MailStore, also one under which failures of callers are counted."""
    for number in range(10):
        site.request(data={"cmd": "list"}, headers={"Authorization": basic("service", f"guess {number}")})
    (counted,) = site.installation.store.failed_logins.everybody(0)
    site.installation.store.failed_logins.forget(None)
    for number in range(10):
        site.auth(counted.who.username, f"guess {number}")
    site.authorization = basic("service", "one more")

    assert site.list().status_code == 401


def test_wrong_service_credentials_are_logged_with_the_address_and_nothing_secret(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.authorization = basic(SERVICE[0], "hush-hush")
    with caplog.at_level(logging.DEBUG):
        site.list()

    assert "wrong service credentials from 127.0.0.1" in caplog.text
    assert "hush-hush" not in caplog.text
    assert encoded(b"hush-hush") not in caplog.text


# -- encryption ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caller", "base_url", "settings", "status"),
    [
        ("127.0.0.1", "http://x", {}, 200),
        ("::1", "http://x", {}, 200),
        ("::ffff:127.0.0.1", "http://x", {}, 200),
        (STRANGER, "http://x", {}, 403),
        ("::ffff:10.0.0.5", "http://x", {}, 403),
        ("fe80::1%eth0", "http://x", {}, 403),
        (STRANGER, "https://x", {}, 200),
        (STRANGER, "http://x", {"allow_plain_http": True}, 200),
    ],
)
def test_credentials_travel_encrypted_or_not_at_all(
    caller: str, base_url: str, settings: dict[str, Any], status: int, make_site: MakeSite
) -> None:
    site = make_site(**settings)
    site.world["hq"].add("ann", "x")
    response = site.list(caller=caller, base_url=base_url)

    assert response.status_code == status
    if status == 403:
        # No challenge: it would only make the client send its password in the clear.
        assert "WWW-Authenticate" not in response.headers
        assert "HTTPS" in response.get_json()["error"]


def test_a_forged_header_makes_nobody_encrypted_or_local(site: Site) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1;proto=https"}

    assert site.list(caller=STRANGER, headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("trusted", "headers", "status"),
    [
        ([], {}, 200),
        ([], {"X-Forwarded-For": STRANGER}, 403),
        ([], {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"}, 403),
        ([], {"Forwarded": f"for={STRANGER}"}, 403),
        (["127.0.0.1"], {"X-Forwarded-For": STRANGER, "X-Forwarded-Proto": "https"}, 200),
        (["127.0.0.1"], {"X-Forwarded-For": STRANGER, "X-Forwarded-Proto": "http"}, 403),
        (["127.0.0.1"], {"X-Forwarded-For": STRANGER}, 403),
    ],
)
def test_a_proxy_on_this_machine_makes_nobody_local(
    trusted: list[str], headers: dict[str, str], status: int, site: Site
) -> None:
    client = Client(TrustedProxies(site.app, trusted))
    response = client.post(
        site.path,
        data={"cmd": "list"},
        headers={"Authorization": site.authorization, **headers},
        environ_base={"REMOTE_ADDR": "127.0.0.1"},
    )

    assert response.status_code == status


def test_a_frontend_that_forgets_to_admit_its_caller_asks_nobody(site: Site) -> None:
    installation = site.installation
    gateway = installation.gateway("archive")
    headers = {"Authorization": site.authorization or ""}
    asked = site.world["hq"].calls

    with site.app.test_request_context("/", environ_base={"REMOTE_ADDR": "127.0.0.1"}):
        with pytest.raises(CallerRefused):
            gateway.authenticate("ann", "Ann's password")
        with pytest.raises(CallerRefused):
            gateway.list_response(LinesEncoder())
    assert asked == []
    with site.app.test_request_context("/", headers=headers, environ_base={"REMOTE_ADDR": "127.0.0.1"}):
        assert gateway.authenticate("ann", "Ann's password") is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("caller", "base_url", "status"),
    [("127.0.0.1", "http://x", 200), (STRANGER, "https://x", 403), (STRANGER, "http://x", 403)],
)
def test_a_published_sample_password_serves_this_machine_only(
    caller: str, base_url: str, status: int, make_site: MakeSite
) -> None:
    site = make_site(demo_password=True)
    site.world["hq"].add("ann", "x")

    assert site.list(caller=caller, base_url=base_url).status_code == status


@pytest.mark.parametrize(
    ("caller", "anonymous", "status"), [("127.0.0.1", False, 200), (STRANGER, False, 403), (STRANGER, True, 200)]
)
def test_a_mount_without_credentials_serves_this_machine_only_unless_told(
    caller: str, anonymous: bool, status: int, make_site: MakeSite
) -> None:
    site = make_site(allow_anonymous=anonymous)
    site.world["hq"].add("ann", "x")
    site.authorization = None

    assert site.list(caller=caller, base_url="https://x").status_code == status


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"username": "user"}, "username and password go together"),
        ({"password": "secret"}, "username and password go together"),
        ({"password_hash": "{SSHA}x"}, "username and password go together"),
        ({"username": "u", "password": "p", "password_hash": "{SSHA}x"}, "both password and password_hash"),
        ({"username": "u", "password_hash": "{NONSENSE}hush-hush"}, "password_hash"),
        ({"username": "u", "password_hash": "hush-hush"}, "password_hash"),
    ],
)
def test_credentials_that_cannot_work_stop_the_start(settings: dict[str, Any], told: str, make_site: MakeSite) -> None:
    with pytest.raises(ConfigError, match=told) as raised:
        make_site(**settings)

    assert "frontends.archive" in str(raised.value)
    assert "hush-hush" not in str(raised.value)
