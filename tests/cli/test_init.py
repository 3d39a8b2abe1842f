"""``init``: what it writes works as it is, and is written once."""

from __future__ import annotations

import re
import shutil
import stat
import tomllib
from pathlib import Path

import pytest

from integration_server import PasswordChecker
from integration_server.cli.findings import secret_keys
from integration_server.config import StoreSettings
from integration_server.server.installation import opened
from tests.cli.conftest import ROOT, Run


def test_fresh_configuration_passes_check(tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "etc dir"
    made = run("init", folder)
    assert made.exit_code == 0
    # To be pasted into a shell.
    assert f"  integration-server serve '{folder}'\n" in made.stdout
    assert f"integration-server config show '{folder}'\n" in (folder / "10-server.toml").read_text()
    assert f"integration-server check '{folder}' --list\n" in (folder / "20-backends.toml").read_text()
    result = run("check", folder, "--list")
    assert result.exit_code == 0, result.output
    assert "0 people" in result.stdout


def test_password_is_printed_once_and_stored_as_a_hash(tmp_path: Path, run: Run) -> None:
    shown = run("init", tmp_path).stdout
    (password,) = re.findall(r"password +(\S{20,})\n", shown)
    assert shown.count(password) == 1
    texts = [path.read_text() for path in tmp_path.iterdir()]
    assert not any(password in text for text in texts)
    frontend = tomllib.loads((tmp_path / "30-frontends.toml").read_text())["frontends"]["archive"]
    assert PasswordChecker().verify(frontend["password_hash"], password)


def test_every_password_is_a_new_one(tmp_path: Path, run: Run) -> None:
    first, second = (run("init", tmp_path / name).stdout for name in "ab")
    assert re.findall(r"password +(\S+)", first) != re.findall(r"password +(\S+)", second)


def test_files_are_their_owners_alone(tmp_path: Path, run: Run) -> None:
    run("init", tmp_path)
    files = list(tmp_path.iterdir())
    assert len(files) == 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_existing_file_is_not_overwritten_and_nothing_else_is_written(tmp_path: Path, run: Run) -> None:
    mine = tmp_path / "20-backends.toml"
    mine.write_text("# mine\n")
    result = run("init", tmp_path)
    assert result.exit_code == 3
    assert result.stderr == f"error: {mine} exists already; nothing was written\n"
    assert [path.name for path in tmp_path.iterdir()] == [mine.name]
    assert mine.read_text() == "# mine\n"


def test_folder_that_cannot_be_made_is_told(tmp_path: Path, run: Run) -> None:
    (tmp_path / "file").write_text("")
    result = run("init", tmp_path / "file" / "conf")
    assert result.exit_code == 3
    assert result.stderr.startswith(f"error: {tmp_path}/file/conf/10-server.toml cannot be written: ")


def test_demonstration_logs_its_people_in_at_once(tmp_path: Path, run: Run) -> None:
    assert run("init", tmp_path, "--demo").exit_code == 0
    listed = run("users", tmp_path, "--format", "csv").stdout.splitlines()
    assert [line.split(",")[2] for line in listed[1:]] == ["ada", "grace", "jürgen"]
    for name in ("ada", "jürgen"):
        assert run("auth", name, tmp_path, "--password-stdin", input="demo\n").exit_code == 0
    assert run("auth", "ada", tmp_path, "--password-stdin", input="Demo\n").exit_code == 1


def test_demonstration_answers_this_machine_only(tmp_path: Path, run: Run) -> None:
    run("init", tmp_path, "--demo")
    with opened(tmp_path) as installation:
        assert installation.mounts["archive"].settings.demo_password
    assert "only this machine is answered" in run("check", tmp_path).stdout


def test_commented_sections_are_valid_once_they_are_uncommented(tmp_path: Path, run: Run) -> None:
    run("init", tmp_path)
    for name in ("ldap.password", "crm.password"):
        (tmp_path / name).write_text("secret\n")
    (tmp_path / "ca.pem").write_text("")
    file = tmp_path / "20-backends.toml"
    # "# [table]" and "# key = value" are settings; any other comment is prose.
    text = re.sub(r"(?m)^# (?=\[|[a-z_]+ = )", "", file.read_text())
    file.write_text(text.partition("# -- what every backend")[0])
    server = tmp_path / "10-server.toml"
    server.write_text(
        re.sub(r"(?m)^# (?=(free|first|longest|threads|processes|trusted|format|\[throttle)\b)", "", server.read_text())
    )
    receivers = tmp_path / "40-subscriptions.toml"
    receivers.write_text(re.sub(r"(?m)^# (?=\[|[a-z_]+ = )", "", receivers.read_text()))
    (tmp_path / "wiki.secret").write_text("whsec_" + "A" * 40)
    result = run("config", "show", tmp_path, env={"AD_PASSWORD": "x"})
    assert result.exit_code == 0, result.output
    for name in ("people", "ldap", "ad", "crm"):
        assert f"[backends.{name}]" in result.stdout
    assert "[subscriptions.wiki]" in result.stdout


def test_samples_of_receivers_and_watched_backends_are_valid(tmp_path: Path, run: Run) -> None:
    sample = ROOT / "config.d"
    for path in sample.glob("*.toml"):
        shutil.copy(path, tmp_path)
    shutil.copytree(sample / "demo", tmp_path / "demo")
    server = tmp_path / "10-server.toml"
    server.write_text(
        server.read_text().replace('"../data"', '"data"').replace('"../plugins"', f'"{ROOT / "plugins"}"')
    )
    for text in (_read(sample), re.sub(r"(?m)^# (?=\[|[a-z_]+ = )", "", _read(sample))):
        (tmp_path / "40-webhooks.toml").write_text(text)
        (tmp_path / "wiki.secret").write_text("whsec_" + "A" * 40)
        result = run("check", tmp_path, env={"WIKI_TOKEN": "x"})
        assert result.exit_code == 0, result.output
        assert "[subscriptions.wiki]: webhook, " in result.stdout
        assert "its changes are noticed" in result.stdout
        assert "is never told of" not in result.stdout


def _read(sample: Path) -> str:
    return (sample / "40-webhooks.toml.sample").read_text()


def test_secret_that_stands_in_a_table_is_known_as_one(tmp_path: Path, run: Run) -> None:
    run("init", tmp_path)
    raw = tomllib.loads((tmp_path / "30-frontends.toml").read_text())["frontends"]["archive"]
    with opened(tmp_path) as installation:
        assert secret_keys(installation.mounts["archive"].settings, raw) == ["password_hash"]


@pytest.mark.parametrize(
    ("url", "keys"), [("sqlite:///people.db", []), ("postgresql://db/crm", []), ("postgresql://me:pw@db/crm", ["url"])]
)
def test_url_is_a_secret_where_it_holds_a_password(url: str, keys: list[str]) -> None:
    assert secret_keys(StoreSettings.model_validate({"url": url}), {"url": url}) == keys


def test_sample_configuration_serves_its_people(tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "a sample"
    made = run("init", folder, "--sample")
    assert made.exit_code == 0, made.output
    for line in re.findall(r"^  integration-server (check|users) (.*)$", made.stdout, re.MULTILINE):
        assert line[1] == f"'{folder}'"
        result = run(line[0], folder)
        assert result.exit_code == 0, result.output
    assert run("auth", "ada", folder, "--password-stdin", input="demo\n").exit_code == 0
    # Everything stays below the folder.
    assert {path.name for path in tmp_path.iterdir()} == {"a sample"}
    assert not [path for path in folder.glob("*.toml*") if stat.S_IMODE(path.stat().st_mode) & 0o077]


def test_sample_configuration_overwrites_nothing(tmp_path: Path, run: Run) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "htpasswd.py").write_text("# mine\n")
    result = run("init", tmp_path, "--sample")
    assert result.exit_code == 3
    assert result.stderr == f"error: {tmp_path / 'plugins' / 'htpasswd.py'} exists already; nothing was written\n"
    assert {path.name for path in tmp_path.iterdir()} == {"plugins"}


def test_demo_and_sample_are_not_written_together(tmp_path: Path, run: Run) -> None:
    result = run("init", tmp_path, "--sample", "--demo")
    assert (result.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert "take one" in result.stderr
