"""What ``check`` says about the passwords of a CSV file, before their owners find out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from integration_server import Deadline
from tests.builtin.csv_files import Reader, ssha, write_old


def findings(folder: Path, content: str, **keys: Any) -> list[tuple[str, str]]:
    made = Reader(folder, **{"password_column": "password", **keys})
    write_old(made.path, content)
    return [(finding.level, finding.message) for finding in made.backend.check(Deadline(20))]


def test_check_tells_of_what_kind_the_passwords_are(tmp_path: Path) -> None:
    content = f"username,password\nann,{ssha('x')}\nbob,{ssha('y')}\ncid,\n"
    assert ("ok", "password schemes of the first 3: ssha256 2, none 1") in findings(tmp_path, content)


def test_check_tells_of_passwords_that_cannot_be_read_and_which_setting_would_help(tmp_path: Path) -> None:
    content = f"username,password\nann,{ssha('x')}\nbob,secret\ncid,secret\ndan,{{PLAIN}}overt\neva,{{WHAT}}hidden\n"
    found = findings(tmp_path, content)
    errors = [message for level, message in found if level == "error"]
    assert len(errors) == 3
    assert errors[0].startswith("2 of the first 5 passwords cannot be checked")
    assert "password_scheme" in errors[0]
    assert any("allow_plain_passwords" in message for message in errors)
    assert any("{WHAT}" in message for message in errors)
    assert not any(word in message for _, message in found for word in ("secret", "overt", "hidden"))
    declared = findings(tmp_path, content.replace("{WHAT}", ""), password_scheme="plain")
    assert ("ok", "password schemes of the first 5: plain 4, ssha256 1") in declared


def test_a_file_without_passwords_is_asked_for_none(tmp_path: Path) -> None:
    found = findings(tmp_path, "username\nann\n", password_column=None)
    assert not any("scheme" in message for _, message in found)
