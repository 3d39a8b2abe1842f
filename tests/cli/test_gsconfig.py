"""``gsconfig.ini``: the token gets where GroupServer's tools look for it, and nothing else changes."""

from __future__ import annotations

import configparser
import os
import stat
from pathlib import Path

import pytest

from integration_server import ConfigError
from integration_server.cli.files import check_replaceable, replace_file
from integration_server.cli.gsconfig import with_token

NEW = "[config-default]\nwebservice = default\n\n[webservice-default]\ntoken = T0ken\n"
FULL = """\
# GroupServer's own
[config-default]
database = default
webservice = default ; both of them
smtp: on

[config-test]
webservice = default

[webservice-default]
# the hooks read no copy of this one
URL = http://groups.example.com
Token: old ; by hand, 2015-06-01
   and more of it
timeout = 5

; the database
[database-default]
dsn = postgres://gs:50%@localhost/gs
token = not this one
"""


def edited(text: str, folder: Path, config_set: str = "default") -> str:
    file = folder / "gsconfig.ini"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    return with_token(file, config_set, "T0ken").decode("utf-8", "surrogateescape")


def read(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=(";",))
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def test_file_that_is_not_there_or_empty_gets_both_levels(tmp_path: Path) -> None:
    assert with_token(tmp_path / "new.ini", "default", "T0ken").decode() == NEW
    assert edited("", tmp_path) == NEW
    assert edited("", tmp_path, "live-2") == NEW.replace("default", "live-2")


def test_only_the_token_changes_and_its_comment_is_kept(tmp_path: Path) -> None:
    expected = FULL.replace(
        "Token: old ; by hand, 2015-06-01\n   and more of it\n", "; by hand, 2015-06-01\ntoken = T0ken\n"
    )
    found = edited(FULL, tmp_path)
    assert found == expected
    assert edited(found, tmp_path) == expected
    assert read(found)["webservice-default"]["token"] == "T0ken"
    assert read(found)["database-default"]["token"] == "not this one"


def test_sets_may_share_a_section(tmp_path: Path) -> None:
    assert edited(FULL, tmp_path, "test") == edited(FULL, tmp_path)


def test_set_that_is_not_there_is_added(tmp_path: Path) -> None:
    found = edited(FULL, tmp_path, "live")
    assert found == f"{FULL}\n[config-live]\nwebservice = live\n\n[webservice-live]\ntoken = T0ken\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[config-default]", "[config-default]\nwebservice = default\n\n[webservice-default]\ntoken = T0ken\n"),
        (
            "[config-default]\nwebservice =\n[x]\n",
            "[config-default]\nwebservice = default\n[x]\n\n[webservice-default]\ntoken = T0ken\n",
        ),
        (
            "[config-default]\nx = 1\n\n\n[y]\nz=2",
            "[config-default]\nx = 1\nwebservice = default\n\n\n[y]\nz=2\n\n[webservice-default]\ntoken = T0ken\n",
        ),
        (
            "[config-default]\nwebservice = W w\n[webservice-W w]\n\n# end",
            "[config-default]\nwebservice = W w\n[webservice-W w]\n\n# end\ntoken = T0ken\n",
        ),
        (
            "[webservice-default]\ntoken = a\n[webservice-default]\ntoken = b\n[config-default]\nwebservice=default\n",
            "[webservice-default]\ntoken = a\n[webservice-default]\ntoken = T0ken\n"
            "[config-default]\nwebservice=default\n",
        ),
    ],
)
def test_what_is_missing_goes_where_it_belongs(old: str, new: str, tmp_path: Path) -> None:
    assert edited(old, tmp_path) == new


def test_ends_of_lines_and_bytes_of_any_encoding_stay(tmp_path: Path) -> None:
    old = "# J\udcf6rg \x0b \x85 ü\r\n[config-default]\r\nwebservice = default\r\n[webservice-default]\r\ntoken = x\r\n"
    assert edited(old, tmp_path) == old.replace("token = x", "token = T0ken")


@pytest.mark.parametrize("text", ["token = hush\n", "[config-default\nhush\n", "[x]\n = hush\n", "\ufeff[x]\na = b\n"])
def test_file_of_another_kind_is_refused_without_repeating_it(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gsconfig\.ini is no gsconfig\.ini: line \d") as raised:
        edited(text, tmp_path)
    assert "hush" not in str(raised.value)


def test_indented_lines_are_what_configparser_takes_them_for(tmp_path: Path) -> None:
    added = "\n[webservice-default]\ntoken = T0ken\n"
    for text in (
        "[config-default]\nwebservice = default\nx = 1\n  [webservice-default]\n",
        "[a]\n  [config-default]\n  webservice = default\n",
    ):
        assert edited(text, tmp_path) == text + added


def test_token_that_cannot_be_told_from_what_follows_it_is_left_alone(tmp_path: Path) -> None:
    text = "[webservice-default]\ntoken = a\n\n  more of it\n[config-default]\nwebservice = default\n"
    with pytest.raises(ConfigError, match="change it by hand"):
        edited(text, tmp_path)


def test_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        with_token(tmp_path, "default", "x")


# -- replacing a file ----------------------------------------------------------------------------------------------


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_new_file_is_its_owners_alone_and_an_old_one_keeps_mode_and_owner(tmp_path: Path) -> None:
    file = tmp_path / "gsconfig.ini"
    replace_file(file, b"one")
    assert (file.read_bytes(), mode(file)) == (b"one", 0o600)
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 65534, 65534)
    before = file.stat()
    replace_file(file, b"two")
    after = file.stat()
    assert (file.read_bytes(), mode(file)) == (b"two", 0o640)
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino
    assert [each.name for each in tmp_path.iterdir()] == ["gsconfig.ini"]


def test_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    file, link = tmp_path / "etc" / "gsconfig.ini", tmp_path / "link.ini"
    file.write_text("old")
    link.symlink_to(file)
    replace_file(link, b"new")
    assert link.is_symlink()
    assert file.read_text() == "new"


def test_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "gsconfig.ini"
    file.write_text("old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConfigError, match=r"gsconfig\.ini cannot be written: No space left"):
        replace_file(file, b"new")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("gsconfig.ini", "old")]


def test_folder_that_is_not_there_is_known_beforehand(tmp_path: Path) -> None:
    check_replaceable(tmp_path / "gsconfig.ini")
    with pytest.raises(ConfigError, match="there is no folder"):
        check_replaceable(tmp_path / "etc" / "gsconfig.ini")
