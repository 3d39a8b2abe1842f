"""What a server says of one person: whom it finds, and what the codes of its binds mean."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from integration_server import (
    AmbiguousEntry,
    BackendError,
    BackendMisconfigured,
    BackendUnavailable,
    Deadline,
    Lookup,
    Verdict,
)
from tests.builtin.ldap.fake_server import (
    BIND,
    HANG_UP,
    SEARCH,
    FakeServer,
    done,
    entry,
    notice_of_disconnection,
    result,
)
from tests.builtin.ldap.opened import Opened

Serve = Callable[..., FakeServer]
Open = Callable[..., Opened]


def test_lies_are_no_answer_to_a_login_either(fake_server: Serve, open_ldap: Open) -> None:
    lies: list[Callable[[int], bytes]] = [
        lambda n: entry(n + 1, "a") + done(n),
        lambda n: entry(n, "a") + HANG_UP,
        lambda n: notice_of_disconnection(),
        lambda n: b"\x30\x05junk!",
        lambda n: entry(n, "a") + done(n, None, 51),
        lambda n: done(n, None, 4),
        lambda n: done(n, None, 3),
    ]
    for lie in lies:
        server = fake_server(lambda n, kind, body, lie=lie: lie(n) if kind == SEARCH else b"")
        with pytest.raises(BackendUnavailable):
            open_ldap(server.uri).find("a")


def test_a_verdict_is_read_from_the_answer_to_this_bind(fake_server: Serve, open_ldap: Open) -> None:
    def answer(n: int, kind: int, body: bytes) -> bytes:
        if kind == SEARCH:
            return entry(n, "a") + done(n)
        return result(n + 1, 0x61) if kind == BIND and b"guess" in body else b""

    opened = open_ldap(fake_server(answer).uri, map={"full_name": "uid", "emails": "uid"})
    with pytest.raises(BackendError, match="is answered"):
        opened.login("a", "guess")


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (0, "", Verdict.ACCEPTED),
        (49, "", Verdict.REJECTED),
        (
            49,
            "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 52e, v1db1\0",
            Verdict.REJECTED,
        ),
        (
            49,
            "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 525, v893",
            Verdict.REJECTED,
        ),
        (
            49,
            "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 533, v893",
            Verdict.DISABLED,
        ),
        (49, "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 532, v893", Verdict.EXPIRED),
        (49, "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 701, v893", Verdict.EXPIRED),
        (49, "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 773, v893", Verdict.EXPIRED),
        (
            49,
            "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 775, v893",
            Verdict.DISABLED,
        ),
        (
            49,
            "80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data 530, v4563",
            Verdict.DISABLED,
        ),
        (
            49,
            "80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data 531, v4563",
            Verdict.DISABLED,
        ),
        (48, "", Verdict.REJECTED),
        (32, "", Verdict.REJECTED),
        (53, "Account inactivated. Contact system administrator.", Verdict.DISABLED),
        (19, "Exceed password retry limit. Please try later.", Verdict.DISABLED),
        (53, "unwilling to perform simple authentication", BackendMisconfigured),
        (19, "", BackendUnavailable),
        (13, "confidentiality required", BackendMisconfigured),
        (8, "BindSimple: Transport encryption required.", BackendMisconfigured),
        (50, "", BackendMisconfigured),
        (10, "", BackendMisconfigured),
        (51, "", BackendUnavailable),
        (80, "internal error", BackendUnavailable),
    ],
)
def test_codes_become_verdicts_or_errors(
    fake_server: Serve, open_ldap: Open, code: int, text: str, expected: Verdict | type[BackendError]
) -> None:
    def answer(n: int, kind: int, body: bytes) -> bytes:
        if kind == SEARCH:
            return entry(n, "a") + done(n)
        return result(n, 0x61, code, text) if b"guess" in body else b""

    opened = open_ldap(fake_server(answer).uri, map={"full_name": "uid", "emails": "uid"})
    if isinstance(expected, Verdict):
        assert opened.login("a", "guess") is expected
    else:
        with pytest.raises(expected):
            opened.login("a", "guess")


def test_an_exact_spelling_wins_and_several_matches_are_ambiguous(fake_server: Serve, open_ldap: Open) -> None:
    answers: list[Callable[[int], bytes]] = []
    server = fake_server(lambda n, kind, body: answers.pop()(n) if kind == SEARCH else b"")
    opened = open_ldap(server.uri)

    def near(n: int) -> bytes:
        return entry(n, "ANN") + entry(n, "ann ") + entry(n, "Ann") + done(n)

    for name, expected in (("Ann", "Ann"), ("ann", "ann ")):
        answers.append(near)
        found = opened.backend.find(Lookup("uid", name), Deadline(5))
        assert found is not None
        assert found.attributes["uid"] == expected
    for name, ignore_case in (("ann", True), ("aNN", False)):
        answers.append(near)
        with pytest.raises(AmbiguousEntry):
            opened.backend.find(Lookup("uid", name, ignore_case), Deadline(5))
    answers.append(lambda n: entry(n, "ann") + done(n, None, 4))
    with pytest.raises(AmbiguousEntry):
        opened.backend.find(Lookup("uid", "ann"), Deadline(5))
