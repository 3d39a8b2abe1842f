"""Loading plugins: whatever cannot load stops the start with the file and the reason."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from integration_server import HIDDEN, ConfigError, User
from integration_server.plugins import BUILTINS, WITH_COMMANDS, Plugins, load_commands, load_plugins

#: The shipped plugins have tests of their own; here they only get in the way.
SHIPPED = tuple(name.rpartition(".")[2] for name in BUILTINS)

BACKEND = """
    from integration_server import Backend, BackendSettings, hookimpl

    class {name}(Backend):
        type = "{type}"
        Settings = BackendSettings
        def __init__(self, settings, context): pass
        def users(self, deadline): return iter(())
        def find(self, lookup, deadline): return None
        def check(self, deadline): return iter(())
        def close(self): pass

    @hookimpl
    def register_backends():
        return [{name}]
"""


def backend(type: str = "paper", name: str = "PaperBackend") -> str:
    return dedent(BACKEND.format(type=type, name=name))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "plug ins"
    path.mkdir()
    before = set(sys.modules)
    yield path
    for name in set(sys.modules) - before:
        if name.startswith("_integration_server_plugins"):
            del sys.modules[name]


def load(folder: Path | None, **files: str) -> Plugins:
    for name, text in files.items():
        assert folder is not None
        (folder / f"{name}.py").write_text(dedent(text), encoding="utf-8")
    return load_plugins(folder, SHIPPED)


def fault(folder: Path, **files: str) -> str:
    with pytest.raises(ConfigError) as raised:
        load(folder, **files)
    return str(raised.value)


# -- what loads ------------------------------------------------------------------------------------------------------


def test_the_shipped_plugins_load() -> None:
    plugins = load_plugins()

    assert {"sql", "ldap", "csv"} <= set(plugins.backends)
    assert set(plugins.frontends) == {"groupserver", "ips_connect", "ips_connect_slave", "mailstore", "push"}
    assert [plugin.name for plugin in plugins.loaded] == list(SHIPPED)


def test_files_of_the_folder_load_in_the_order_of_their_names(folder: Path) -> None:
    hook = "from integration_server import hookimpl\n@hookimpl\ndef transform_user(user):\n    return user\n"
    plugins = load(folder, b_second=hook, a_first=hook, c_backend=backend(), _private="1/0", **{".hidden": "1/0"})

    assert [plugin.name for plugin in plugins.loaded] == ["a_first", "b_second", "c_backend"]
    assert [transform.__module__.rpartition(".")[2] for transform in plugins.transforms] == ["a_first", "b_second"]
    assert plugins.loaded[2].backends == ("paper",)
    assert plugins.loaded[0].hooks == ("transform_user",)


def test_a_plugin_called_like_a_module_shadows_nothing(folder: Path) -> None:
    plugins = load(folder, csv=backend("mine"), json="import json\n" + backend("own", "Own"))

    assert set(plugins.backends) == {"mine", "own"}
    assert sys.modules["csv"] is csv
    assert plugins.backends["mine"].__module__ != "csv"
    assert plugins.backends["own"].__module__ != "json"


def test_hooks_are_plain_functions_that_the_core_calls(folder: Path) -> None:
    plugins = load(
        folder,
        hide="""
            from integration_server import HIDDEN, hookimpl
            @hookimpl
            def transform_user(user):
                return HIDDEN if user.username == "ghost" else user
        """,
    )
    (transform,) = plugins.transforms

    assert transform(User("hq", "1", "ghost")) is HIDDEN
    assert transform(User("hq", "2", "ann")) == User("hq", "2", "ann")


def test_commands_are_made_only_when_somebody_asks_for_them(folder: Path) -> None:
    text = "from integration_server import hookimpl\n@hookimpl\ndef register_commands(desk):\n    return [desk]\n"
    plugins = load(folder, tool=text)
    (hook,) = plugins.commands

    assert (hook.plugin, plugins.loaded[0].hooks) == ("tool", ("register_commands",))
    assert str(folder / "tool.py") in hook.where
    assert hook.commands("a desk") == ["a desk"]  # type: ignore[arg-type, comparison-overlap]


def test_shipped_plugins_with_commands_are_known_without_loading_the_others() -> None:
    with_commands = {plugin.name for plugin in load_plugins().loaded if "register_commands" in plugin.hooks}

    assert with_commands == WITH_COMMANDS
    assert {hook.plugin for hook in load_commands()} == WITH_COMMANDS


def test_a_file_that_is_as_it_was_is_the_same_module(folder: Path) -> None:
    first = load(folder, paper=backend()).backends["paper"]

    assert load(folder).backends["paper"] is first
    second = load(folder, paper=backend() + "# changed\n").backends["paper"]
    assert second is not first
    assert load(folder).backends["paper"] is second


def test_two_servers_in_one_process_have_their_own_plugins(folder: Path) -> None:
    assert set(load(folder, paper=backend()).backends) == {"paper"}
    assert load(None).backends == {}


def test_disabled_plugins_are_not_even_imported(folder: Path) -> None:
    (folder / "broken.py").write_text("1/0")

    assert load_plugins(folder, (*SHIPPED, "broken")).loaded == ()


# -- what does not ---------------------------------------------------------------------------------------------------


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="missing does not exist"):
        load_plugins(tmp_path / "missing", SHIPPED)


def test_a_disabled_plugin_that_does_not_exist_is_a_slip() -> None:
    with pytest.raises(ConfigError, match=r"disabled.*nonesuch"):
        load_plugins(None, (*SHIPPED, "nonesuch"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def broken(:\n", "SyntaxError"),
        ("import surely_not_installed\n", "surely_not_installed"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("x = 1\n", "no hook"),
        ("def register_backends():\n    return []\n", "no hook"),
        (
            "from integration_server import hookimpl\n@hookimpl\ndef registr_backends():\n    return []\n",
            "registr_backends",
        ),
        (
            "from integration_server import hookimpl\n@hookimpl\ndef transform_user(user, backend):\n    return user\n",
            "backend",
        ),
        (
            "from integration_server import hookimpl\n@hookimpl\ndef register_backends():\n    raise OSError('no')\n",
            "OSError: no",
        ),
        ("from integration_server import hookimpl\n@hookimpl\ndef register_backends():\n    pass\n", "TypeError"),
        (
            "from integration_server import hookimpl\n@hookimpl\ndef register_backends():\n    return [dict]\n",
            "subclasses of Backend",
        ),
        (
            "from integration_server import hookimpl\n@hookimpl\ndef register_frontends():\n    return ['x']\n",
            "subclasses of Frontend",
        ),
        (backend().replace("def find", "def fnd"), "PaperBackend lacks find"),
        (backend().replace("type =", "typ ="), "needs a type"),
        (backend().replace("Settings = BackendSettings", "Settings = dict"), "Settings class"),
        (backend().replace("Settings = BackendSettings", ""), "Settings class"),
    ],
)
def test_a_plugin_that_cannot_load_is_named_with_the_reason(text: str, reason: str, folder: Path) -> None:
    told = fault(folder, a_good=backend("good", "Good"), wrong=text)

    assert "plugin wrong" in told
    assert str(folder / "wrong.py") in told
    assert reason in told


def test_a_type_that_exists_twice_names_both_plugins(folder: Path) -> None:
    told = fault(folder, one=backend(), two=backend())

    assert "'paper'" in told
    assert "plugin one" in told
    assert "plugin two" in told


def test_one_plugin_may_not_register_a_type_twice(folder: Path) -> None:
    assert "'paper'" in fault(folder, one=backend().replace("return [PaperBackend]", "return 2 * [PaperBackend]"))


# -- installed packages ----------------------------------------------------------------------------------------------


def install(site: Path, name: str, module: str, target: str, text: str = "") -> None:
    """What pip leaves of a package with one entry point."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[integration_server]\n{name} = {target}\n")
    if text:
        (site / f"{module}.py").write_text(text)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "site-packages"
    path.mkdir()
    monkeypatch.syspath_prepend(str(path))
    yield path
    for name in [name for name, module in sys.modules.items() if str(path) in str(getattr(module, "__file__", ""))]:
        del sys.modules[name]


def test_an_installed_package_loads_by_its_entry_point_before_the_folder(site: Path, folder: Path) -> None:
    install(site, "zeta", "zeta_plugin", "zeta_plugin", backend("zeta", "Zeta"))
    plugins = load(folder, alpha=backend("alpha", "Alpha"))

    assert [plugin.name for plugin in plugins.loaded] == ["zeta", "alpha"]
    assert set(plugins.backends) == {"zeta", "alpha"}


def test_an_installed_package_that_cannot_load_is_named(site: Path) -> None:
    install(site, "zeta", "zeta_plugin", "zeta_plugin", "import surely_not_installed\n")

    with pytest.raises(ConfigError, match=r"plugin zeta \(zeta_plugin\).*surely_not_installed"):
        load(None)


def test_an_installed_package_can_be_disabled(site: Path) -> None:
    install(site, "zeta", "zeta_plugin", "zeta_plugin", "1/0\n")

    assert load_plugins(None, (*SHIPPED, "zeta")).loaded == ()


def test_a_name_that_exists_twice_names_both_places(site: Path, folder: Path) -> None:
    install(site, "zeta", "zeta_plugin", "zeta_plugin", backend("zeta", "Zeta"))
    told = fault(folder, zeta=backend("other", "Other"))

    assert "exists twice" in told
    assert "zeta_plugin" in told
    assert str(folder / "zeta.py") in told


def test_one_module_under_two_names_is_told(site: Path) -> None:
    install(site, "zeta", "zeta_plugin", "zeta_plugin", backend("zeta", "Zeta"))
    install(site, "eta", "zeta_plugin", "zeta_plugin")

    with pytest.raises(ConfigError, match=r"plugin zeta .* same module as plugin eta"):
        load(None)
