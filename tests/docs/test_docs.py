"""What the documentation says exists, and what exists is documented."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import click
import flask
import pytest
from werkzeug.test import Client

from bench.__main__ import parser as bench_parser
from integration_server import (
    BackendContext,
    BackendUnavailable,
    ConsumerContext,
    ConsumerUnavailable,
    Deadline,
    Delivery,
    HttpClient,
    Watchdog,
)
from integration_server.builtin import ips_connect
from integration_server.cli import main
from integration_server.config import load
from integration_server.plugins import load_plugins
from integration_server.sdk import hookspecs
from integration_server.sdk.testing import sample_events
from integration_server.server.installation import opened
from integration_server.store import Store
from tests.docs.pages import DOCS, PAGES, ROOT, blocks
from tests.receiver import Behaviour, LocalReceiver

pytest_plugins = ["pytester"]


def _settings_module():  # type: ignore[no-untyped-def]
    spec = importlib.util.spec_from_file_location("write_settings", DOCS / "write_settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_settings_page_is_what_the_classes_say() -> None:
    module = _settings_module()
    assert module.TARGET.read_text(encoding="utf-8") == module.reference(), (
        "run: .venv/bin/python docs/write_settings.py"
    )


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    found = [(path, command)] if path else []
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            found += _commands(inner, (*path, name))
    return found


def test_every_command_and_option_is_documented() -> None:
    page = (DOCS / "commands.rst").read_text(encoding="utf-8")
    for path, command in _commands(main):
        assert f"integration-server {' '.join(path)}" in page, f"docs/commands.rst lacks {' '.join(path)}"
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                for option in parameter.opts:
                    assert f"``{option}" in page, f"docs/commands.rst lacks {option} of {' '.join(path)}"


def test_commands_that_pages_name_exist() -> None:
    known = {path for path, _ in _commands(main)}
    firsts = {path[0] for path in known}
    groups = {path[0] for path in known if len(path) > 1}
    for page in PAGES:
        for line in page.read_text(encoding="utf-8").splitlines():
            for first, second in re.findall(r"integration-server ([a-z][a-z-]+)(?: ([a-z][a-z-]+))?", line):
                assert first in firsts, f"{page.name}: there is no command {first}: {line}"
                if first in groups and second and first != "plugins":
                    assert (first, second) in known, f"{page.name}: there is no command {first} {second}"


#: Options on the pages that are other programs': of wget, the mysql client and useradd.
OPTIONS_OF_OTHERS = {"--post-data", "--batch", "--home-dir", "--system", "--shell"}


def test_options_that_pages_name_exist() -> None:
    known = {"--help", "--version", "--debug", *bench_parser()._option_string_actions}
    for _, command in _commands(main):
        for parameter in command.params:
            known.update(parameter.opts + parameter.secondary_opts)
    for page in PAGES:
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page.read_text(encoding="utf-8")))
        assert named <= known | OPTIONS_OF_OTHERS, f"{page.name}: {named - known - OPTIONS_OF_OTHERS}"


def _metrics(folder: Path) -> set[str]:
    (folder / "all.toml").write_text("[server]\ndata_dir = 'data'\n", encoding="utf-8")
    with opened(folder) as installation:
        response = Client(installation.app()).get("/metrics", environ_base={"REMOTE_ADDR": "127.0.0.1"})
    return set(re.findall(r"^# TYPE integration_server_(\w+) ", response.text, re.MULTILINE))


def test_every_metric_is_documented_and_every_documented_one_is_there(tmp_path: Path) -> None:
    there = _metrics(tmp_path)
    page = (DOCS / "operation.rst").read_text(encoding="utf-8")
    table = page.partition("What ``/metrics`` holds")[2].partition("Counts begin anew")[0]
    assert there == set(re.findall(r"^``(\w+)``", table, re.MULTILINE))
    alarms = page.partition("What is worth an alarm")[2].partition("Every answer has")[0]
    assert set(re.findall(r"integration_server_(\w+)", alarms)) <= there


def test_metrics_that_other_pages_name_exist(tmp_path: Path) -> None:
    there = _metrics(tmp_path)
    for page in PAGES:
        named = set(re.findall(r"\bintegration_server_(\w+)", page.read_text(encoding="utf-8")))
        assert named <= there, f"{page.name}: {named - there}"


def test_names_with_an_underscore_that_pages_use_are_in_the_code(tmp_path: Path) -> None:
    """Settings, hooks, methods, attributes, columns: what was renamed or never was there shows here."""
    files = [*(ROOT / "integration_server").rglob("*.py"), *(ROOT / "plugins").glob("*.py")]
    known = {word.lower() for file in files for word in re.findall(r"\w+", file.read_text(encoding="utf-8"))}
    known |= {file.stem for file in files} | _metrics(tmp_path)
    for page in PAGES:
        for name in re.findall(r"``([a-z]+(?:_[a-z]+)+)(?: = [^`]*)?``", page.read_text(encoding="utf-8")):
            assert name.removeprefix("integration_server_") in known, f"{page.name}: {name}"


def test_every_hook_is_documented_and_every_documented_one_is_there() -> None:
    page = (DOCS / "plugins.rst").read_text(encoding="utf-8")
    section = page.partition("\nHooks\n=====\n")[2].partition("Plugins are loaded")[0]
    hooks = {name for name, member in vars(hookspecs).items() if hasattr(member, f"{hookspecs.PROJECT}_spec")}
    assert hooks
    assert set(re.findall(r"^``(\w+)``$", section, re.MULTILINE)) == hooks


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"<([^>:]+\.rst)>`_", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_one_text_lead_to_one_place(page: Path) -> None:
    """Which of two places a text stands for is nowhere laid down; older versions of docutils warn."""
    found: dict[str, str] = {}
    for text, target in re.findall(r"`([^`<]+) <([^`>]+)>`_(?!_)", page.read_text(encoding="utf-8")):
        assert found.setdefault(text.lower(), target) == target, f"{page.name}: {text} leads to two places"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_line_below_a_title_is_as_long_as_the_title(page: Path) -> None:
    """What is left of a merge, or of two pages that were put together, makes a title of a paragraph's last line."""
    lines = ["", *page.read_text(encoding="utf-8").splitlines(), "", ""]
    for number, line in enumerate(lines):
        if not re.fullmatch(r"=+|-+", line):
            continue
        before, title = lines[number - 2], lines[number - 1]
        is_overline = not title and lines[number + 2] == line
        is_underline = 0 < len(title) <= len(line) and before in ("", line)
        assert is_overline or is_underline, f"{page.name}:{number}: {line} belongs to no title"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_in_toml_samples_are_valid(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(page, "toml")):
        if "[backends." not in block and "[frontends." not in block:
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        for secret in re.findall(r'file = "([^"]+)"', block):
            (folder / secret).write_text("secret", encoding="utf-8")
        block = block.replace('{ env = "LDAP_PASSWORD" }', '"secret"')
        (folder / "sample.toml").write_text(_with_backends(block), encoding="utf-8")
        with opened(folder):
            pass


def _with_backends(block: str) -> str:
    """A sample of frontends alone gets the backends that it names."""
    named = {
        name
        for names in re.findall(r"^backends = \[(.*)\]", block, re.MULTILINE)
        for name in re.findall('"(.*?)"', names)
    }
    given = set(tomllib.loads(block).get("backends", {}))
    missing = [f'[backends.{n}]\ntype = "csv"\npath = "x.csv"\n' for n in sorted(named - given)]
    return "\n".join(['[server]\ndata_dir = "data"\n', block, *missing])


@pytest.fixture
def plugins_page(tmp_path: Path) -> Path:
    """A configuration with the plugins of the plugins page, the backend behind the frontend."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    plugins = [source for source in blocks(DOCS / "plugins.rst", "python") if "@hookimpl" in source]
    for name, source in zip(("toy", "names", "pager", "lists"), plugins, strict=True):
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    config = tmp_path / "config.d"
    config.mkdir()
    (config / "a.toml").write_text(
        '[plugins]\nfolder = "../plugins"\n[backends.toy]\ntype = "toy"\ngreeting = "hi"\n'
        '[frontends.m]\ntype = "names"\npath = "/m"\nbackends = ["toy"]\nusername = "me"\npassword = "mine"\n',
        encoding="utf-8",
    )
    return config


def test_backend_of_the_plugins_page_works(plugins_page: Path) -> None:
    with opened(plugins_page) as installation:
        verdict = installation.directory.ask(installation.mounts["m"], "ada", "secret")
    assert verdict.value == "accepted"


def test_frontend_of_the_plugins_page_works(plugins_page: Path) -> None:
    with opened(plugins_page) as installation:
        caller = Client(installation.app())
        listed = caller.get("/m", auth=("me", "mine"))
        assert listed.get_json() == ["ada"]
        assert listed.headers["Listing-Count"] == "1"
        for password, told in (("secret", "accepted"), ("wrong", "rejected")):
            answer = caller.post("/m/login", data={"user": "ada", "password": password}, auth=("me", "mine"))
            assert answer.get_json() == {"verdict": told}
        assert caller.get("/m", auth=("me", "theirs")).status_code == 401
        other_machine = {"REMOTE_ADDR": "192.0.2.1"}
        assert caller.get("/m", auth=("me", "mine"), environ_base=other_machine).status_code == 403


@pytest.fixture
def quick_names(plugins_page: Path) -> Path:
    """The file with the frontend of the plugins page, and with its shortcut."""
    file = plugins_page.parent / "plugins" / "names.py"
    (shortcut,) = (source for source in blocks(DOCS / "plugins.rst", "python") if "(NamesFrontend, Shortcut)" in source)
    names = file.read_text(encoding="utf-8").replace("return [NamesFrontend]", "return [QuickNamesFrontend]")
    file.write_text(names + shortcut, encoding="utf-8")
    settings = plugins_page / "a.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace('"names"', '"quick_names"'), encoding="utf-8")
    return file


def test_shortcut_of_the_plugins_page_answers_as_its_view(
    quick_names: Path, plugins_page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = "application/x-www-form-urlencoded"
    with opened(plugins_page) as installation:
        caller = Client(installation.app())
        for body in (
            b"user=ada&password=secret",
            b"user=ada&password=wrong",
            b"user=ada&user=bob&password=secret",
            b"\xff",
        ):
            short, long = (
                caller.post("/m/login", data=body, content_type=content_type, auth=("me", "mine"))
                for content_type in (form, f"{form}; charset=utf-8")
            )
            assert (short.status_code, short.get_json()) == (long.status_code, long.get_json())
        monkeypatch.setattr(flask.Flask, "full_dispatch_request", lambda _: pytest.fail("Flask was asked"))
        answer = caller.post("/m/login", data={"user": "ada", "password": "secret"}, auth=("me", "mine"))
        assert answer.get_json() == {"verdict": "accepted"}


def test_shortcut_of_the_plugins_page_is_typed(quick_names: Path) -> None:
    line = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "--strict", str(quick_names)]
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT, timeout=100, check=False)
    assert done.returncode == 0, done.stdout


CLUB = """
import pytest
from tests.sdk.toy_writer import OFFICES, Office, ToyWriter as ClubBackend

@pytest.fixture
def server():
    office = OFFICES["one"] = Office()
    del office.groups["rowing"]
    office.url, office.stopped, office.frozen = "one", office.closed, office.closed
    yield office
    OFFICES.clear()

"""


def test_suites_of_the_plugins_page_run_as_they_are_shown(pytester: pytest.Pytester) -> None:
    (shown,) = (source for source in blocks(DOCS / "plugins.rst", "python") if "Conformance" in source)
    pytester.makepyfile(CLUB + shown)
    passed, _, failed = pytester.inline_run("-p", "no:cacheprovider", "-q", "--tb=short").listoutcomes()
    assert not failed
    assert len(passed) >= 35


def test_tables_of_the_plugins_page_are_made_and_used(tmp_path: Path) -> None:
    (shown,) = (source for source in blocks(DOCS / "plugins.rst", "python") if "TABLES = " in source)
    names: dict[str, Any] = {"__name__": "shown"}
    exec(compile(shown, "plugins.rst", "exec"), names)
    store = Store("", tmp_path)
    context = BackendContext("guests", (), tmp_path, tmp_path, Watchdog(), store.storage)
    book = names["Guestbook"](context)
    assert book.read() == []
    book.write("1", "ann@example.org")
    assert names["Guestbook"](context).read() == [("1", "ann@example.org")]
    with pytest.raises(BackendUnavailable):
        book.write("1", "again@example.org")
    store.close()


def test_consumer_of_the_plugins_page_works(plugins_page: Path, tmp_path: Path) -> None:
    pager = load_plugins(plugins_page.parent / "plugins").consumers["pager"]
    watchdog = Watchdog()
    context = ConsumerContext("sub_1", HttpClient(["127.0.0.1"], watchdog), watchdog, tmp_path, time.time)
    events = tuple(sample_events(2))
    with LocalReceiver(tmp_path / "receiver") as receiver:
        table = {"type": "pager", "url": receiver.url("/page"), "token": "t0ken"}
        consumer = pager(pager.Settings.model_validate(table), context)
        assert consumer.deliver(Delivery("bat_1", "sub_1", events, 1, True), Deadline(10)).response == "taken"
        receiver.behave("/page", Behaviour(status=503))
        with pytest.raises(ConsumerUnavailable, match="503"):
            consumer.deliver(Delivery("bat_1", "sub_1", events, 1, True), Deadline(10))
        time.sleep(0.1)
        first = receiver.requests("/page")[0]
    assert first.headers["authorization"] == "Bearer t0ken"
    assert first.body.decode() == "\n".join(f"{event.type} {event.person_id}" for event in events)


def test_command_of_the_plugins_page_works(plugins_page: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "integration_server", "lists", "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "INTEGRATION_SERVER_CONFIG": str(plugins_page)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"url": "http://127.0.0.1:8080/m", "backends": {"toy": "toy"}}


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_plugins_of_the_plugins_page_are_typed(number: int, tmp_path: Path) -> None:
    file = tmp_path / "sample.py"
    plugins = [source for source in blocks(DOCS / "plugins.rst", "python") if "@hookimpl" in source]
    file.write_text(plugins[number], encoding="utf-8")
    line = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "--strict", str(file)]
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT, timeout=100, check=False)
    assert done.returncode == 0, done.stdout


def test_sample_configuration_loads_and_its_ldap_sample_is_valid(tmp_path: Path) -> None:
    load(ROOT / "config.d")
    sample = (ROOT / "config.d" / "22-directory.toml.sample").read_text(encoding="utf-8")
    uncommented = re.sub(r"^ca_file.*\n", "", sample, flags=re.MULTILINE)
    (tmp_path / "ldap.password").write_text("secret", encoding="utf-8")
    (tmp_path / "a.toml").write_text(_with_backends(uncommented), encoding="utf-8")
    with opened(tmp_path):
        pass


def test_demo_database_is_what_its_script_says() -> None:
    folder = ROOT / "config.d" / "demo"
    made = sqlite3.connect(":memory:")
    made.executescript((folder / "customers.sql").read_text(encoding="utf-8"))
    shipped = sqlite3.connect((folder / "customers.db").as_uri() + "?mode=ro", uri=True)
    assert list(made.iterdump()) == list(shipped.iterdump())


def test_modules_of_ips_connect_are_all_in_its_map() -> None:
    folder = Path(ips_connect.__file__).parent
    modules = {file.stem for file in folder.glob("*.py")} - {"__init__"}
    assert set(re.findall(r"``(\w+)``", ips_connect.__doc__ or "")) == modules


def test_what_the_architecture_page_names_of_the_dashboard_is_there() -> None:
    page = (DOCS / "architecture.rst").read_text(encoding="utf-8")
    section = page.partition("A page of the dashboard\n")[2].partition("A change in a network of forums")[0]
    folder = ROOT / "integration_server" / "web" / "dashboard"
    text = "".join(file.read_text(encoding="utf-8") for file in (*folder.rglob("*.py"), *folder.rglob("*.html")))
    text += "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").glob("*/*/*.py"))
    text += "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests" / "browser").glob("*.py"))
    for name in re.findall(r"``(?:\w+\.)?(\w+)(?:\(\))?``", section):
        assert re.search(rf"\b{name}\b", text) or (folder / f"{name}.py").exists(), name
    for path in re.findall(r"``((?:web|static|templates|tests)/[\w/.]+)``", section):
        if "weather" not in path:
            roots = (ROOT, ROOT / "integration_server", folder)
            assert any((root / path).exists() or (root / f"{path}.py").exists() for root in roots), path


def test_what_the_architecture_page_names_of_ips_connect_is_there() -> None:
    page = (DOCS / "architecture.rst").read_text(encoding="utf-8")
    section = page.partition("A change in a network of forums")[2].partition("Changing this server")[0]
    folder = Path(ips_connect.__file__).parent
    named = re.findall(r"``(\w+)\.(\w+)``", section)
    assert named
    for module, name in named:
        if module == "storage":
            continue
        text = (folder / f"{module}.py").read_text(encoding="utf-8")
        assert re.search(rf"^( *def {name}\b|{name}\b)", text, re.MULTILINE), f"{module} has no {name}"
    for path in re.findall(r"``((?:forwarding|directory|tests)/[\w/.]+)``", section):
        root = ROOT if path.startswith("tests") else ROOT / "integration_server"
        assert (root / path).exists() or (root / f"{path}.py").exists(), path
