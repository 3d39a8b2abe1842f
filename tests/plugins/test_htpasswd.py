"""Apache's password and group files: the promises of every backend, and what stands in the files."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from integration_server import (
    AmbiguousEntry,
    BackendMisconfigured,
    BackendTimeout,
    BackendUnavailable,
    BadEntry,
    ConfigError,
    Deadline,
    IncompleteListing,
    Lookup,
    User,
    Verdict,
)
from integration_server.sdk.testing import (
    AuthenticatorConformance,
    BackendConformance,
    Outage,
    list_users,
    open_backend,
    open_mapper,
)
from tests.plugins.drop_ins import load_drop_in

plugin = load_drop_in("htpasswd")

#: Written by Apache's own htpasswd 2.4, options -m, -B, -s, -d, -2 and -5. DES reads eight characters only.
HASHES = {
    "apr1": "$apr1$efySRZRV$60wXKgu4JSvYkOP.GloZx1",
    "sha": "{SHA}6/x5EAd3cMg0D2PNLcoqwfEgRE8=",
    "sha256": "$5$wk7WGERs0eYsCNEo$akXPnnvnXyQGnc1qzy3fA1C1.rW20imtVleNDk2eub/",
    "sha512": "$6$wDix1WFoScg2wKG3$"
    "IbivI5oKo..sLjfG3TPUNPjDnqFQco5OXPnh5gExntuK31Pbd5WToei9p7YQgz9gtcfQ6jGv8lNxCfjBr2iBk0",
    "bcrypt": "$2y$04$Q4Oq8KmMCDXwKyBWOs27hOn0ER/cxAX9N9m/yqEgVFOG0ZLW261PG",
}
DES = "JTB/In/aE23T6"
PASSWORD = "Passw0rd"
QUIET_SECONDS = 0.3
TABLE = {"type": "htpasswd", "path": "passwords", "quiet_seconds": QUIET_SECONDS}


def write(path: Path, content: str | bytes, age: float = 60) -> None:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    then = time.time() - age
    os.utime(path, (then, then))


@contextmanager
def moved(path: Path) -> Iterator[None]:
    aside = path.rename(path.with_name("aside"))
    try:
        yield
    finally:
        aside.rename(path)


class TestHtpasswdBackend(AuthenticatorConformance, BackendConformance):
    backend_class = plugin.HtpasswdBackend
    verifies_from_entry = True

    @pytest.fixture
    def table(self, tmp_path: Path) -> dict[str, Any]:
        write(tmp_path / "passwords", "".join(f"{name}:{stored}\n" for name, stored in HASHES.items()))
        write(tmp_path / "groups", "mail: apr1 sha jörg\nstaff: apr1\n")
        return {**TABLE, "group_file": "groups", "map": {"emails": "{name}@example.org"}}

    @pytest.fixture
    def population(self) -> Mapping[str, str | None]:
        return dict.fromkeys(HASHES, PASSWORD)

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        return [PASSWORD, *HASHES.values()]

    @pytest.fixture
    def outages(self, table: object, tmp_path: Path) -> list[Outage]:
        @contextmanager
        def torn(file: str, content: str) -> Iterator[None]:
            with moved(tmp_path / file):
                write(tmp_path / file, content)
                yield
                (tmp_path / file).unlink()

        return [
            Outage("password file gone", lambda: moved(tmp_path / "passwords")),
            Outage("group file gone", lambda: moved(tmp_path / "groups")),
            Outage("password file torn", lambda: torn("passwords", "apr1:$apr1$efySR")),
            Outage("password file empty", lambda: torn("passwords", "")),
            Outage("group file torn", lambda: torn("groups", "mail: apr1 sh")),
        ]


class Files:
    """A backend on ``passwords`` in a folder."""

    def __init__(self, folder: Path, content: str | bytes, **keys: Any) -> None:
        self.path = folder / "passwords"
        write(self.path, content)
        table = {**TABLE, **keys}
        self.backend: Any = open_backend(plugin.HtpasswdBackend, table, folder)
        self.mapper = open_mapper(plugin.HtpasswdBackend, table, folder)

    def users(self) -> list[User]:
        return list_users(self.backend, self.mapper, Deadline(20))

    def names(self) -> list[str]:
        return [user.username for user in self.users()]

    def verdict(self, name: str, password: str) -> Verdict:
        entry = self.backend.find(Lookup("name", name), Deadline(20))
        assert entry is not None
        found: Verdict = self.backend.verify(entry, password, Deadline(20))
        return found


def test_groups_are_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    write(tmp_path / "groups", "# groups\n\nmail: bob ann ann\r\nstaff:ann\nempty:\nmail: ann cleo\n")
    files = Files(tmp_path, "ann:x\nbob:x\n", group_file="groups")
    assert {user.username: user.groups for user in files.users()} == {"ann": ("mail", "staff"), "bob": ("mail",)}
    findings = list(files.backend.check(Deadline(20)))
    assert [finding.level for finding in findings] == ["ok", "warning"]
    assert "cleo" in findings[1].message


def test_file_may_hold_comments_blank_lines_more_fields_and_other_line_ends(tmp_path: Path) -> None:
    stored = HASHES["apr1"]
    files = Files(tmp_path, f"\ufeff# people\r\n\r\n ann :{stored}:realm:more\r\n  # bob:{stored}\r\njörg:{stored}\r\n")
    assert files.names() == ["ann", "jörg"]
    assert files.verdict("ann", PASSWORD) is Verdict.ACCEPTED
    assert files.verdict("jörg", PASSWORD) is Verdict.ACCEPTED


def test_other_encodings_can_be_declared(tmp_path: Path) -> None:
    assert Files(tmp_path, "jörg:x\n".encode("cp1252"), encoding="cp1252").names() == ["jörg"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("ann:x\nbob\n", "passwords: line 2 is not of the form name:hash"),
        ("ann:x\nbob:\n", "passwords: line 2 is not of the form name:hash"),
        ("ann:x\n:y\n", "passwords: line 2 is not of the form name:hash"),
        ("# x\nann:x\nbob:y\nann:z\n", "passwords: line 4 has a name that an earlier line has"),
        ("ann:x\nbob:y", "passwords: the last line, 2, has no line end"),
        ("ann:x\nb\0b:y\n", "passwords: line 2 holds a NUL"),
        ("ann:x\nj\xf6rg:y\n".encode("latin-1"), "passwords: line 2 is not in the encoding"),
        ("", "passwords: there is nobody in it"),
        ("# nobody\n", "passwords: there is nobody in it"),
    ],
)
def test_line_that_cannot_be_read_is_an_outage_that_names_it(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    files = Files(tmp_path, content)
    with pytest.raises(IncompleteListing, match=message):
        files.names()
    with pytest.raises(IncompleteListing, match=message):
        files.backend.find(Lookup("name", "ann"), Deadline(20))
    write(files.path, "ann:x\n")
    assert files.names() == ["ann"]


def test_line_of_the_group_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path / "groups", "mail: ann\nstaff ann\n")
    with pytest.raises(IncompleteListing, match="groups: line 2 is not of the form"):
        Files(tmp_path, "ann:x\n", group_file="groups").names()


def test_no_error_shows_a_hash(tmp_path: Path) -> None:
    stored = "the-hash-of-somebody"
    for content in (
        f"ann{stored}\n",
        f"ann:x\nann:{stored}\n",
        f"ann:{stored}",
        f"ann:{stored}\0\n",
        f"\xff:{stored}\n",
    ):
        files = Files(tmp_path, content.encode("latin-1"))
        with pytest.raises(IncompleteListing) as caught:
            files.names()
        error: BaseException | None = caught.value
        while error is not None:
            assert stored not in str(error)
            error = error.__cause__ or error.__context__


def test_des_hashes_are_read_unless_plain_passwords_are_allowed(tmp_path: Path) -> None:
    content = f"old:{DES}\nplain:in the clear\nnew:{HASHES['apr1']}\n"
    files = Files(tmp_path, content)
    assert files.verdict("old", PASSWORD) is Verdict.ACCEPTED
    assert files.verdict("old", "Passw0rX") is Verdict.REJECTED
    with pytest.raises(BadEntry) as caught:
        files.verdict("plain", "in the clear")
    assert "in the clear" not in str(caught.value)
    plain = Files(tmp_path, content, allow_plain_passwords=True)
    assert plain.verdict("plain", "in the clear") is Verdict.ACCEPTED
    assert plain.verdict("plain", "In the clear") is Verdict.REJECTED
    assert plain.verdict("new", PASSWORD) is Verdict.ACCEPTED
    assert plain.verdict("old", PASSWORD) is Verdict.REJECTED


def test_weak_scheme_is_logged_with_the_backends_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    files = Files(tmp_path, f"ann:{HASHES['sha']}\n")
    for _ in range(3):
        files.verdict("ann", PASSWORD)
    assert caplog.text.count("backend test: passwords are stored in the weak scheme") == 1


def test_changed_file_is_read_again_after_the_quiet_period(tmp_path: Path) -> None:
    files = Files(tmp_path, "ann:x\n")
    assert files.names() == ["ann"]
    write(files.path, "ann:x\nbob:y\n", age=0)
    assert files.names() == ["ann"]
    time.sleep(QUIET_SECONDS)
    assert files.names() == ["ann", "bob"]
    assert files.backend.find(Lookup("name", "bob"), Deadline(20)) is not None


def test_changed_groups_are_read_again(tmp_path: Path) -> None:
    write(tmp_path / "groups", "mail: ann\n")
    files = Files(tmp_path, "ann:x\n", group_file="groups")
    assert files.users()[0].groups == ("mail",)
    write(tmp_path / "groups", "staff: ann\n")
    assert files.users()[0].groups == ("staff",)


def test_file_in_the_making_is_awaited_where_there_is_nothing_else(tmp_path: Path) -> None:
    files = Files(tmp_path, "ann:x\n")
    write(files.path, "ann:x\nbo", age=0)
    threading.Timer(QUIET_SECONDS / 3, lambda: write(files.path, "ann:x\nbob:y\n", age=0)).start()
    assert files.names() == ["ann", "bob"]


def test_waiting_for_a_file_in_the_making_ends_at_the_deadline(tmp_path: Path) -> None:
    files = Files(tmp_path, "ann:x\n", quiet_seconds=30.0)
    write(files.path, "ann:x\n", age=0)
    with pytest.raises(BackendTimeout):
        list(files.backend.users(Deadline(0.2)))


def test_file_dated_in_the_future_is_read(tmp_path: Path) -> None:
    files = Files(tmp_path, "ann:x\n")
    write(files.path, "ann:x\n", age=-3600)
    assert files.names() == ["ann"]


def test_people_are_found_by_name_only(tmp_path: Path) -> None:
    with pytest.raises(BackendMisconfigured, match="by name only"):
        Files(tmp_path, "ann:x\n").backend.find(Lookup("groups", "mail"), Deadline(20))


def test_names_that_differ_in_case_are_two_people(tmp_path: Path) -> None:
    files = Files(tmp_path, "ann:x\nAnn:y\n")
    found = files.backend.find(Lookup("name", "Ann"), Deadline(20))
    assert found is not None
    assert found.attributes["name"] == "Ann"
    with pytest.raises(AmbiguousEntry):
        files.backend.find(Lookup("name", "ANN", ignore_case=True), Deadline(20))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"map": {"tz": "zone"}}, "'zone': there are only name and groups"),
        ({"encoding": "utf-9"}, "'utf-9' is unknown"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Files(tmp_path, "ann:x\n", **keys)


def test_folder_in_place_of_the_file_is_an_outage(tmp_path: Path) -> None:
    files = Files(tmp_path, "ann:x\n")
    files.path.unlink()
    files.path.mkdir()
    with pytest.raises(BackendUnavailable, match="is no file"):
        files.names()


def test_more_people_than_a_batch_are_listed(tmp_path: Path) -> None:
    files = Files(tmp_path, "".join(f"u{n}:x\n" for n in range(2500)))
    assert files.names() == [f"u{n}" for n in range(2500)]


def test_plugin_registers_its_type() -> None:
    assert [backend.type for backend in plugin.register_backends()] == ["htpasswd"]
