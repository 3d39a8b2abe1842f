"""Finding plugins: built-ins, then installed packages by entry point, then files of the drop-in folder by name.

One plugin manager per server object. Whatever cannot load stops the start, with the file and the reason.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pluggy

from integration_server import __version__
from integration_server.sdk import hookspecs
from integration_server.sdk.commands import Desk
from integration_server.sdk.consumers import Consumer
from integration_server.sdk.contracts import Backend
from integration_server.sdk.errors import ConfigError
from integration_server.sdk.gateway import Frontend
from integration_server.sdk.hookspecs import Waker
from integration_server.sdk.model import Hidden, User
from integration_server.sdk.settings import BackendSettings, ConsumerSettings, FrontendSettings

if TYPE_CHECKING:
    import click

BUILTINS = (
    "integration_server.builtin.sql",
    "integration_server.builtin.ldap",
    "integration_server.builtin.csv_file",
    "integration_server.builtin.accounts",
    "integration_server.builtin.ips_connect",
    "integration_server.builtin.mailstore",
    "integration_server.builtin.groupserver",
    "integration_server.builtin.push",
    "integration_server.builtin.webhook",
)
#: Those of them that bring commands, so that the others need not be loaded to find out what commands there are.
WITH_COMMANDS = frozenset({"ips_connect"})
ENTRY_POINTS = "integration_server"
#: Drop-in files live under a name of their own: a plugin called csv.py must shadow nothing.
_PACKAGE = "_integration_server_plugins"
#: Attribute of a drop-in module: the text that it was made of.
_SOURCE = "_integration_server_source"

T = TypeVar("T", Backend, Frontend, Consumer)
Kind = Literal["builtin", "package", "file"]
Audit = Callable[[str, str, Mapping[str, object]], None]


@dataclass(frozen=True, slots=True)
class Plugin:
    """A loaded plugin and what it brought. ``kind``: ``builtin``, ``package`` (installed, found by its entry point) or
    ``file`` (of the drop-in folder). ``version`` is None where it says none."""

    name: str
    origin: str
    backends: tuple[str, ...] = ()
    frontends: tuple[str, ...] = ()
    consumers: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    kind: Kind = "builtin"
    version: str | None = None


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a plugin comes from."""

    name: str
    origin: str
    load: Callable[[], Any]
    kind: Kind
    version: str | None = None


@dataclass(frozen=True, slots=True)
class CommandHook:
    """A plugin that brings commands. They are made when somebody asks for them; ``where`` names it, for messages."""

    plugin: str
    where: str
    commands: Callable[[Desk], Sequence[click.Command]]


@dataclass(frozen=True, slots=True)
class Plugins:
    """Everything the plugins registered, collected once."""

    loaded: tuple[Plugin, ...]
    backends: dict[str, type[Backend]]
    frontends: dict[str, type[Frontend]]
    consumers: dict[str, type[Consumer]] = field(default_factory=dict)
    transforms: tuple[Callable[[User], User | Hidden], ...] = field(default=())
    audits: tuple[Audit, ...] = field(default=())
    commands: tuple[CommandHook, ...] = field(default=())
    wakers: tuple[Waker, ...] = field(default=())


def load_plugins(folder: Path | None = None, disabled: Iterable[str] = ()) -> Plugins:
    """Load every plugin. Raises ConfigError."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    skipped = frozenset(disabled)
    taken: dict[str, _Source] = {}
    sources = _sources(folder)
    for source in sources:
        name, origin = source.name, source.origin
        if name in skipped:
            continue
        try:
            module = source.load()
        except Exception as exc:
            raise ConfigError(f"plugin {name} ({origin}) cannot be loaded: {type(exc).__name__}: {exc}") from exc
        if name in taken:
            raise ConfigError(f"plugin {name} exists twice: {taken[name].origin} and {origin}")
        _register(manager, name, origin, module)
        taken[name] = source
    unknown = skipped - {source.name for source in sources}
    if unknown:
        raise ConfigError(f"[plugins] disabled names a plugin that does not exist: {', '.join(sorted(unknown))}")
    return _collect(manager, taken.values())


def load_commands(folder: Path | None = None, disabled: Iterable[str] = ()) -> tuple[CommandHook, ...]:
    """The plugins that bring commands, without loading shipped ones that do not. Raises ConfigError."""
    others = {name.rpartition(".")[2] for name in BUILTINS} - WITH_COMMANDS
    return load_plugins(folder, others.union(disabled)).commands


def _sources(folder: Path | None) -> list[_Source]:
    """Every plugin there is, in loading order."""
    found = [
        _Source(name.rpartition(".")[2], name, partial(importlib.import_module, name), "builtin", __version__)
        for name in BUILTINS
    ]
    for point in sorted(importlib.metadata.entry_points(group=ENTRY_POINTS), key=lambda p: p.name):
        version = point.dist.version if point.dist is not None else None
        found.append(_Source(point.name, point.value, point.load, "package", version))
    if folder is not None:
        if not folder.is_dir():
            raise ConfigError(f"[plugins] folder: {folder} does not exist")
        for path in sorted(folder.glob("*.py")):
            if not path.name.startswith(("_", ".")):
                found.append(_Source(path.stem, str(path), partial(_load_file, path), "file"))
    return found


def _load_file(path: Path) -> ModuleType:
    """The file as a module; the one that there is where the file is as it was. What brings a command is then made of
    the same classes as what the command opens."""
    name = f"{_PACKAGE}.{path.stem}"
    source = path.read_bytes()
    known = sys.modules.get(name)
    if known is not None and known.__file__ == str(path) and getattr(known, _SOURCE, None) == source:
        return known
    if _PACKAGE not in sys.modules:
        sys.modules[_PACKAGE] = ModuleType(_PACKAGE)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    setattr(module, _SOURCE, source)
    return module


def _register(manager: pluggy.PluginManager, name: str, origin: str, module: object) -> None:
    if (other := manager.get_name(module)) is not None:
        raise ConfigError(f"plugin {name} ({origin}) is the same module as plugin {other}; disable one of them")
    try:
        manager.register(module, name=name)
        manager.check_pending()
    except pluggy.PluginValidationError as exc:
        raise ConfigError(f"plugin {name} ({origin}): {' '.join(str(exc).split())}") from exc
    if not manager.get_hookcallers(module):
        raise ConfigError(f"plugin {name} ({origin}) implements no hook; mark one with @hookimpl")


def _collect(manager: pluggy.PluginManager, sources: Iterable[_Source]) -> Plugins:
    backends: dict[str, type[Backend]] = {}
    frontends: dict[str, type[Frontend]] = {}
    consumers: dict[str, type[Consumer]] = {}
    owners: dict[str, str] = {}
    loaded, transforms, audits, commands, wakers = [], [], [], [], []
    for source in sources:
        name, origin = source.name, source.origin
        module = manager.get_plugin(name)
        hooks = {caller.name for caller in manager.get_hookcallers(module) or ()}
        where = f"plugin {name} ({origin})"
        own_backends, own_frontends, own_consumers = [], [], []
        if "register_backends" in hooks:
            own_backends = _registered(module, "register_backends", Backend, BackendSettings, where)  # type: ignore[type-abstract]
            _merge("backend", backends, own_backends, owners, where)
        if "register_frontends" in hooks:
            own_frontends = _registered(module, "register_frontends", Frontend, FrontendSettings, where)  # type: ignore[type-abstract]
            _merge("frontend", frontends, own_frontends, owners, where)
        if "register_consumers" in hooks:
            own_consumers = _registered(module, "register_consumers", Consumer, ConsumerSettings, where)  # type: ignore[type-abstract]
            _merge("consumer", consumers, own_consumers, owners, where)
        if "transform_user" in hooks:
            transforms.append(module.transform_user)  # type: ignore[union-attr]
        if "audit" in hooks:
            audits.append(module.audit)  # type: ignore[union-attr]
        if "wake_consumer" in hooks:
            wakers.append(module.wake_consumer)  # type: ignore[union-attr]
        if "register_commands" in hooks:
            commands.append(CommandHook(name, where, module.register_commands))  # type: ignore[union-attr]
        brought = [tuple(cls.type for cls in own) for own in (own_backends, own_frontends, own_consumers)]
        of_hooks, version = tuple(sorted(hooks)), source.version or _version_of(module)
        loaded.append(Plugin(name, origin, brought[0], brought[1], brought[2], of_hooks, source.kind, version))
    found = (transforms, audits, commands, wakers)
    return Plugins(tuple(loaded), backends, frontends, consumers, *map(tuple, found))


def _version_of(module: object) -> str | None:
    """What a file says of itself."""
    found = getattr(module, "__version__", None)
    return found if isinstance(found, str) else None


def _merge(kind: str, known: dict[str, type[T]], new: list[type[T]], owners: dict[str, str], where: str) -> None:
    for cls in new:
        if cls.type in known:
            raise ConfigError(f"{where}: {kind} type {cls.type!r} exists already in {owners[kind + cls.type]}")
        owners[kind + cls.type] = where
        known[cls.type] = cls


def _registered(module: Any, hook: str, base: type[T], settings: type, where: str) -> list[type[T]]:
    try:
        classes = list(getattr(module, hook)())
    except Exception as exc:
        raise ConfigError(f"{where}: {hook} failed: {type(exc).__name__}: {exc}") from exc
    for cls in classes:
        if not (isinstance(cls, type) and issubclass(cls, base)):
            raise ConfigError(f"{where}: {hook} must return subclasses of {base.__name__}, not {cls!r}")
        if inspect.isabstract(cls):
            missing = ", ".join(sorted(cls.__abstractmethods__))
            raise ConfigError(f"{where}: {cls.__name__} lacks {missing}")
        schema = getattr(cls, "Settings", None)
        if not isinstance(getattr(cls, "type", None), str) or not (
            isinstance(schema, type) and issubclass(schema, settings)
        ):
            raise ConfigError(f"{where}: {cls.__name__} needs a type and a Settings class from {settings.__name__}")
    return classes
