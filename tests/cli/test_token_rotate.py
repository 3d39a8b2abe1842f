"""``token rotate``: a new token for a GroupServer frontend, in force at once, shown once and written where asked."""

from __future__ import annotations

import configparser
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_server.store import Store
from tests.cli.conftest import Place, Run, command, environment

HOOKS = '[frontends.hooks]\ntype = "groupserver"\npath = "/"\nbackends = ["hq"]\n'
BRANCH = HOOKS.replace("hooks", "branch").replace('"/"', '"/branch"')


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    place.write("31-hooks.toml", HOOKS)
    found = Store("", place.data)
    yield found
    found.close()


@pytest.mark.parametrize("name", ["hooks", "groupserver"])
def test_new_token_is_alone_on_standard_output_and_in_force_at_once(
    place: Place, run: Run, store: Store, name: str
) -> None:
    old = store.frontend_tokens.ensure("hooks")
    assert old is not None
    assert store.frontend_tokens.matches("hooks", old)
    result = run("token", "rotate", name, "-c", place.config)
    assert result.exit_code == 0, result.stderr
    assert re.fullmatch(r"[0-9A-Za-z]{28,32}\n", result.stdout)
    assert result.stderr == "the token of hooks, shown this once; the old one is refused from now on\n"
    assert store.frontend_tokens.matches("hooks", result.stdout.strip())
    assert not store.frontend_tokens.matches("hooks", old)


def test_first_token_may_be_made_so_too(place: Place, run: Run, store: Store) -> None:
    token = run("token", "rotate", "hooks", "-c", place.config).stdout.strip()
    assert store.frontend_tokens.matches("hooks", token)
    assert store.frontend_tokens.ensure("hooks") is None


def test_gsconfig_is_written_for_groupservers_tools(place: Place, run: Run, store: Store) -> None:
    file = place.path / "gsconfig.ini"
    for config_set in ("default", "live"):
        wanted = ["--gsconfig", file, "--config-set", config_set]
        result = run("token", "rotate", "hooks", *wanted, "-c", place.config)
        assert result.exit_code == 0, result.stderr
        assert result.stderr.endswith(f"\nwrote {file}\n")
        parser = configparser.ConfigParser()
        parser.read(file)
        webservice = parser[f"config-{config_set}"]["webservice"]
        assert parser[f"webservice-{webservice}"]["token"] == result.stdout.strip()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing"], "there is no frontend 'nothing'; frontends of the type groupserver: branch, hooks"),
        (
            ["archive"],
            "the frontend 'archive' has the type 'mailstore' and no token; frontends of the type",
        ),
        (["groupserver"], "several frontends have the type groupserver; say which: branch or hooks"),
        ([], "Missing argument 'FRONTEND'"),
        (["hooks", "--config-set", "live"], "--config-set says what --gsconfig FILE writes; give both"),
        (["hooks", "--gsconfig", "x", "--config-set", "a]b"], "take letters, digits"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error_and_changes_nothing(
    place: Place, run: Run, store: Store, arguments: list[str], told: str
) -> None:
    place.write("32-branch.toml", BRANCH)
    result = run("token", "rotate", *arguments, "-c", place.config)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in " ".join(result.stderr.split())
    assert store.frontend_tokens.mounts() == []


def test_installation_without_such_a_frontend_says_so(place: Place, run: Run) -> None:
    result = run("token", "rotate", "groupserver", "-c", place.config)
    assert result.exit_code == 2
    assert "there is no frontend 'groupserver'; frontends of the type groupserver: none" in result.stderr


def test_frontend_that_reads_groupservers_own_token_is_sent_to_the_other_program(
    place: Place, run: Run, store: Store
) -> None:
    place.write("31-hooks.toml", HOOKS + 'token_source = "groupserver"\n')
    result = run("token", "rotate", "hooks", "-c", place.config)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "'gs_auth_token_create DSN' changes it there" in result.stderr
    assert store.frontend_tokens.mounts() == []


@pytest.mark.parametrize(
    ("file", "content"), [("gsconfig.ini", "hush\n"), ("no folder/gsconfig.ini", None), ("", None)]
)
def test_gsconfig_that_cannot_be_written_is_known_before_the_old_token_ends(
    place: Place, run: Run, store: Store, file: str, content: str | None
) -> None:
    old = store.frontend_tokens.rotate("hooks")
    path = place.path / file
    if content is not None:
        path.write_text(content)
    result = run("token", "rotate", "hooks", "--gsconfig", path, "-c", place.config)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "hush" not in result.stderr
    assert store.frontend_tokens.matches("hooks", old)


def test_token_is_shown_also_where_the_file_then_cannot_be_written(
    place: Place, run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("integration_server.cli.files.os.fsync", full)
    result = run("token", "rotate", "hooks", "--gsconfig", place.path / "gsconfig.ini", "-c", place.config)
    assert result.exit_code == 3
    assert "gsconfig.ini cannot be written: No space left on device" in result.stderr
    assert store.frontend_tokens.matches("hooks", result.stdout.strip())


@pytest.mark.parametrize("with_file", [False, True])
def test_token_that_nobody_could_read_is_told(place: Place, store: Store, with_file: bool) -> None:
    more = ["--gsconfig", str(place.path / "gsconfig.ini")] if with_file else []
    line = command("token", "rotate", "hooks", *more, "-c", place.config)
    shell = ["sh", "-c", '"$@" >/dev/full', "sh", *line]
    done = subprocess.run(shell, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: standard output cannot be written to (")
    assert ("holds it" if with_file else "nobody has seen it; change it again") in done.stderr
    assert store.frontend_tokens.mounts() == ["hooks"]


def test_neither_the_log_nor_an_audit_hook_hears_the_token(place: Place, run: Run, store: Store) -> None:
    heard = place.path / "heard"
    (place.path / "hooks").mkdir()
    (place.path / "hooks" / "listener.py").write_text(
        "from integration_server import hookimpl\n\n@hookimpl\ndef audit(action, subject, details):\n"
        f"    open({str(heard)!r}, 'a').write(repr((action, subject, dict(details))))\n"
    )
    place.write("10-server.toml", '[server]\ndata_dir = "../data"\n[plugins]\nfolder = "../hooks"\n')
    result = run("--debug", "token", "rotate", "hooks", "-c", place.config)
    assert heard.read_text() == "('token.rotated', 'hooks', {})"
    assert result.stdout.strip() not in result.stderr
    assert not any(result.stdout.strip().encode() in file.read_bytes() for file in files_below(place.data))


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
