"""What comes with the server to be copied: plugins that work, and a configuration that runs on demo people."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import integration_server
from integration_server import ConfigError

_PACKAGE = Path(integration_server.__file__).parent


@dataclass(frozen=True, slots=True)
class ExamplePlugin:
    """``title`` is the first sentence of what the file says of itself."""

    name: str
    title: str
    path: Path


def plugins() -> Iterator[ExamplePlugin]:
    """In the order of their names. Raises ConfigError."""
    for path in sorted(_folder("plugins").glob("*.py")):
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        title = " ".join(said.partition("\n\n")[0].split())
        yield ExamplePlugin(path.stem, title.rstrip(":."), path)


def sample_files() -> Iterator[tuple[str, Path]]:
    """The files of the sample configuration, each with its name below the configuration's folder. Raises
    ConfigError."""
    folder = _folder("config.d")
    for path in sorted(folder.rglob("*")):
        if path.is_file() and ".db-" not in path.name:
            yield path.relative_to(folder).as_posix(), path


def _folder(name: str) -> Path:
    """In an installed package below it, and in the tree beside it. Raises ConfigError."""
    for folder in (_PACKAGE / "examples" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise ConfigError(f"the examples are not installed: there is no folder {_PACKAGE / 'examples' / name}")
