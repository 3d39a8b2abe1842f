"""Commands that plugins bring: found where the server has none of that name, and never in the place of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import Result

from integration_server.server.installation import opened
from integration_server.store.resources import Resource
from tests.cli.conftest import CORE, DROP_IN, FRONTEND, Place, Run, in_terminal, subscription
from tests.forwarding.receivers import write_events

COMMAND = """
    import click
    from integration_server import hookimpl

    @hookimpl
    def register_commands(desk):
        @click.command("{name}")
        @desk.config_option
        @click.option("--mount", default=None, help="Which.")
        @desk.json_option
        def command(folder, mount, is_json):
            "Say which backends a mount has."
            with desk.frontend(folder, "mailstore", mount) as opened:
                found = dict(opened.gateway.backend_types)
            desk.print_json(found) if is_json else desk.print_table(["NAME", "TYPE"], found.items())
        return [command]
"""

RunHere = Callable[..., Result]


@pytest.fixture
def folder(place: Place) -> Path:
    """The drop-in folder of an installation, with the plugins of the others."""
    folder = place.path / "plugins"
    folder.mkdir()
    (folder / "roster.py").write_bytes((DROP_IN / "roster.py").read_bytes())
    place.write("10-server.toml", CORE.format(folder=json.dumps(str(folder))))
    return folder


def write(folder: Path, name: str = "tool", text: str = COMMAND, **values: str) -> None:
    (folder / f"{name}.py").write_text(dedent(text).format(**{"name": "who", **values}), encoding="utf-8")


@pytest.fixture
def run_here(place: Place, run: Run) -> RunHere:
    """With the installation as the usual one."""
    return lambda *args, **extra: run(*args, env={"INTEGRATION_SERVER_CONFIG": str(place.config)}, **extra)


# -- what is found ---------------------------------------------------------------------------------------------------


def test_a_command_of_a_shipped_plugin_is_there_without_any_configuration(run: Run, tmp_path: Path) -> None:
    here = {"INTEGRATION_SERVER_CONFIG": str(tmp_path / "nowhere")}
    shown = run("--help", env=here)
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert "  ips " in shown.stdout
    assert run("ips", "slaves", "--help", env=here).exit_code == 0
    assert run("ips", "slaves", env=here).exit_code == 3


def test_a_command_of_the_drop_in_folder_runs_on_what_it_opens(
    place: Place, folder: Path, run_here: RunHere, run: Run
) -> None:
    write(folder)
    assert "  who  " in run_here("--help").stdout
    assert json.loads(run_here("who", "--json").stdout) == {"hq": "roster"}
    assert run_here("who").stdout.split() == ["NAME", "TYPE", "hq", "roster"]
    assert run_here("plugins").stdout.splitlines()[-1].split()[:2] == ["tool", "who"]
    elsewhere = run("who", "-c", place.config, env={"INTEGRATION_SERVER_CONFIG": str(place.path)})
    assert elsewhere.exit_code == 3, "that folder has no configuration, so nobody knows the command"


def test_a_plugin_meets_its_own_classes_in_what_it_opens(place: Place, folder: Path, run_here: RunHere) -> None:
    text = (DROP_IN / "roster.py").read_text()
    text += dedent("""
    import click

    @hookimpl
    def register_commands(desk):
        @click.command("kinds")
        @desk.config_option
        def kinds(folder):
            "Say whether the settings are of the class of this plugin."
            with desk.backend(folder, "roster", None) as opened:
                click.echo(f"{opened.name} {isinstance(opened.settings, RosterBackend.Settings)}")
        return [kinds]
    """)
    (folder / "roster.py").write_text(text)
    assert run_here("kinds").stdout == "hq True\n"


def test_a_mount_is_chosen_as_everywhere(place: Place, folder: Path, run_here: RunHere) -> None:
    write(folder)
    place.write("40-more.toml", FRONTEND.replace("archive", "second").replace('"/mailstore"', '"/second"'))
    asked = run_here("who")
    assert asked.exit_code == 2
    assert "--mount archive or second" in asked.stderr
    assert run_here("who", "--mount", "second").exit_code == 0
    assert run_here("who", "--mount", "third").exit_code == 2
    (place.config / "40-more.toml").unlink()
    (place.config / "30-archive.toml").unlink()
    missing = run_here("who")
    assert (missing.exit_code, missing.stderr) == (3, "error: the configuration has no frontend of type mailstore\n")


def test_errors_of_a_command_end_it_as_those_of_the_servers_own(folder: Path, run_here: RunHere) -> None:
    text = """
        import click
        from integration_server import StoreUnavailable, hookimpl

        @hookimpl
        def register_commands(desk):
            @click.command("{name}")
            def command():
                "Fail."
                raise StoreUnavailable("it is gone")
            return [command]
    """
    write(folder, text=text)
    result = run_here("who")
    assert (result.exit_code, result.stderr) == (4, "error: it is gone\n")


# -- what is wrong ---------------------------------------------------------------------------------------------------

BROKEN = """
    from integration_server import hookimpl

    @hookimpl
    def register_commands(desk):
        {body}
"""


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise OSError('no')", "register_commands failed: OSError: no"),
        ("pass", "register_commands failed: TypeError"),
        ("return ['who']", "must return commands of click, not 'who'"),
        ("import click; return [click.Command('serve')]", "the command 'serve' is the server's own"),
        ("import click; return [click.Command('ips')]", "the command 'ips' exists already in plugin ips_connect"),
        ("import click; return [click.Command('Who Is')]", "'Who Is' is no name of a command"),
        ("import click; return [click.Command(None)]", "'' is no name of a command"),
    ],
)
def test_a_plugin_whose_commands_cannot_be_is_named_with_the_reason(
    place: Place, folder: Path, run_here: RunHere, body: str, reason: str
) -> None:
    write(folder, text=BROKEN, body=body)
    for words in (("who",), ("plugins",), ("check", place.config)):
        result = run_here(*words)
        assert result.exit_code == 3, words
        told = result.stdout + result.stderr
        assert reason in told
        assert f"plugin tool ({folder / 'tool.py'})" in told
    shown = run_here("--help")
    assert shown.exit_code == 0
    assert reason in shown.stderr
    assert "  ips " in shown.stdout
    assert run_here("ips", "--help").exit_code == 0
    assert run_here("users", place.config).exit_code == 0


def test_a_wrong_configuration_hides_no_shipped_command(place: Place, run_here: RunHere) -> None:
    place.write("50-wrong.toml", "[nonsense]\n")
    assert run_here("ips", "key", "--help").exit_code == 0
    shown = run_here("--help")
    assert shown.exit_code == 0
    assert "warning: " in shown.stderr
    assert "nonsense" in shown.stderr
    unknown = run_here("who")
    assert unknown.exit_code == 3
    assert "nonsense" in unknown.stderr


def test_an_unknown_command_is_still_one(run_here: RunHere) -> None:
    result = run_here("nonsense")
    assert result.exit_code == 2
    assert "nonsense" in result.stderr


# -- what a desk lends -----------------------------------------------------------------------------------------------

TOOLS = """
    import click
    from pathlib import Path
    from integration_server import hookimpl

    @hookimpl
    def register_commands(desk):
        @click.group()
        def tools():
            "Try what there is."

        @tools.command()
        @click.argument("file", type=click.Path(path_type=Path))
        @click.option("--fault", is_flag=True, help="Fail.")
        def write(file, fault):
            "Write a file."
            with desk.new_file(file) as out:
                out.write(b"half")
                if fault:
                    raise RuntimeError("in the middle")

        @tools.command()
        def ask():
            "Ask for a secret and a yes."
            secret = desk.read_secret("Word", False, "--piped")
            click.echo(f"{{len(secret)}} {{desk.confirmed('Sure?')}}")

        @tools.command()
        @desk.config_option
        @click.argument("id")
        def backlog(folder, id):
            "What waits."
            with desk.frontend(folder, "mailstore", None) as opened:
                click.echo(f"{{opened.backlog(id)}} {{opened.url}} {{opened.where}}")

        return [tools]
"""


def test_a_new_file_is_whole_and_private_or_not_there(folder: Path, run_here: RunHere, tmp_path: Path) -> None:
    write(folder, text=TOOLS)
    file = tmp_path / "out" / "file"
    assert run_here("tools", "write", file).exit_code == 3
    file.parent.mkdir()
    assert run_here("tools", "write", file, "--fault").exit_code == 70
    assert list(file.parent.iterdir()) == []
    assert run_here("tools", "write", file).exit_code == 0
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"half", 0o600)
    again = run_here("tools", "write", file)
    assert again.exit_code == 3
    assert "exists already" in again.stderr
    assert list(file.parent.iterdir()) == [file]


def test_secrets_are_typed_unseen(place: Place, folder: Path, run_here: RunHere) -> None:
    write(folder, text=TOOLS)
    typed = [("Word", "hidden\n"), ("Sure?", "y\n")]
    code, shown = in_terminal(typed, "tools", "ask", INTEGRATION_SERVER_CONFIG=str(place.config))
    assert code == 0
    assert "hidden" not in shown
    assert "6 True" in shown
    assert run_here("tools", "ask").exit_code == 2


def test_a_backlog_counts_what_a_receiver_is_to_be_told_and_no_more(
    place: Place, folder: Path, run_here: RunHere
) -> None:
    write(folder, text=TOOLS)
    (folder / "notebook.py").write_bytes((DROP_IN / "notebook.py").read_bytes())
    place.write("10-server.toml", CORE.format(folder=json.dumps(str(folder))).replace("port = 0", "port = 8123"))
    with opened(place.config) as installation:
        store = installation.store
        store.subscriptions.add(subscription("all", failing_since=5.0))
        store.subscriptions.add(subscription("gone", events=("user.deleted",)))
        store.subscriptions.add(subscription("elsewhere", resource=Resource("backend", "other")))
        write_events(store, [("ann", "user.updated"), ("bob", "user.updated")])
    unread = {name: run_here("tools", "backlog", f"sub_{name}").stdout for name in ("all", "gone", "elsewhere", "none")}
    assert "failing_since=5.0, parked=0, held=0, dead=0, unread=2" in unread["all"]
    assert all("unread=0" in unread[name] for name in ("gone", "elsewhere", "none"))
    where = f"http://127.0.0.1:8123/mailstore {place.config / '30-archive.toml'}: frontends.archive\n"
    assert unread["all"].endswith(where)
