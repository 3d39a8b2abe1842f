"""Who may import what. ``make check`` holds the floors of the package; here are the drop-in plugins, and the proof that
a forbidden import would be noticed."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_PLUGINS = sorted(file.name for file in (ROOT / "plugins").glob("*.py"))
#: What every plugin may have, for its Settings, and after that the library that one is about.
_FOR_ALL = {"pydantic"}
_OWN_LIBRARY: dict[str, set[str]] = {}


def _imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def _foreign(file: Path) -> set[str]:
    """What a drop-in plugin imports beyond the root, the standard library and the libraries named for it."""
    allowed = sys.stdlib_module_names | _FOR_ALL | _OWN_LIBRARY.get(file.name, set())
    return {
        name
        for name in _imported(file.read_text(encoding="utf-8"))
        if name != "integration_server" and name.split(".")[0] not in allowed
    }


def test_the_drop_in_plugins_are_there() -> None:
    assert {"http_directory.py", "htpasswd.py"} <= set(_PLUGINS)


@pytest.mark.parametrize("name", _PLUGINS)
def test_a_drop_in_plugin_imports_only_the_root_and_its_own_library(name: str) -> None:
    assert _foreign(ROOT / "plugins" / name) == set()


def test_an_import_that_a_drop_in_plugin_may_not_have_is_found(tmp_path: Path) -> None:
    file = tmp_path / "htpasswd.py"
    lines = [
        "from integration_server import Backend",
        "import json, pydantic",
        "def late():",
        "    from integration_server.sdk.model import User",
        "    import flask, ldap3.core",
        "    from . import sibling",
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    assert _foreign(file) == {"integration_server.sdk.model", "flask", "ldap3.core", "."}


def _contracts() -> list[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [contract["id"] for contract in settings["tool"]["importlinter"]["contracts"]]


#: For each contract, a file of the package and a line in it that breaks the contract.
_BREAKS = {
    "floors": ("store/schema/base.py", "import integration_server.directory"),
    "journal-between": ("forwarding/delivery/flow.py", "import integration_server.forwarding.detection.runner"),
    "root": ("__init__.py", "import integration_server.config"),
    "plugins-see-the-sdk": ("builtin/mailstore.py", "import integration_server.web"),
    "plugins-import-the-root": ("builtin/sql/__init__.py", "from integration_server.sdk.model import User"),
    "plugins-stand-alone": ("builtin/sql/__init__.py", "import integration_server.builtin.ldap"),
    "nobody-imports-builtin": ("server/__init__.py", "import integration_server.builtin.mailstore"),
    "ldap3": ("builtin/mailstore.py", "import ldap3"),
    "dns": ("builtin/sql/__init__.py", "import dns.resolver"),
    "flask": ("directory/__init__.py", "import flask"),
    "waitress": ("web/__init__.py", "import waitress"),
    "sqlalchemy": ("directory/__init__.py", "import sqlalchemy"),
    "alembic": ("builtin/sql/__init__.py", "import alembic"),
    "urllib3": ("builtin/webhook/__init__.py", "import urllib3"),
    "prometheus": ("web/app.py", "import prometheus_client"),
    "standardwebhooks": ("sdk/envelopes.py", "import standardwebhooks"),
    "websockets": ("server/__init__.py", "import websockets"),
}


def test_every_contract_notices_what_breaks_it(tmp_path: Path) -> None:
    assert list(_BREAKS) == _contracts()
    for name, lines in _BREAKS.items():
        tree = tmp_path / name
        shutil.copytree(
            ROOT / "integration_server", tree / "integration_server", ignore=shutil.ignore_patterns("__py*")
        )
        shutil.copy(ROOT / "pyproject.toml", tree)
        with (tree / "integration_server" / lines[0]).open("a", encoding="utf-8") as file:
            file.write(f"\n{lines[1]}\n")
        script = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(None, (sys.argv[1],)))"
        command = [sys.executable, "-c", script, name]
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "0 kept, 1 broken" in done.stdout
