"""Users in Apache's password file, with their groups in Apache's group file.

Copy this file into the folder of ``[plugins] folder = ...`` and write::

    [backends.intranet]
    type = "htpasswd"
    path = "/etc/apache2/passwords"
    group_file = "/etc/apache2/groups"        # may be left out

    [backends.intranet.map]
    emails = "{name}@example.org"             # the files know no addresses

The password file has a line ``name:hash`` for each person, as ``htpasswd`` writes it: bcrypt, ``$apr1$``, ``{SHA}``,
DES and SHA crypt; what follows a second colon is passed over, as Apache does it. The group file has lines
``group: name name ...``. Blank lines and lines that begin with ``#`` count in neither. The attributes are ``name`` and
``groups``.

``htpasswd -p`` writes passwords in the clear. They are read only with ``allow_plain_passwords = true``, and then a
value without the mark of a scheme is a password and no DES hash: nobody can tell them apart.

Both files are read again when they have changed. ``htpasswd`` writes over the old file, so a change counts once it is
``quiet_seconds`` old; meanwhile what was read before is in force. A line that cannot be read, a name that comes twice
or a last line without end is an outage: half a file must not pass for the whole.
"""

from __future__ import annotations

import codecs
import logging
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from integration_server import (
    AmbiguousEntry,
    Authenticator,
    Backend,
    BackendContext,
    BackendMisconfigured,
    BackendSettings,
    BackendTimeout,
    BackendUnavailable,
    Batch,
    ConfigError,
    Deadline,
    Entry,
    Finding,
    IncompleteListing,
    Lookup,
    MapSettings,
    PasswordChecker,
    Verdict,
    hookimpl,
    normalize_name,
)

logger = logging.getLogger(__name__)

ATTRIBUTES = ("name", "groups")
_BATCH = 1000
_PAUSE = 0.05
#: Size, time of change and identity: what is different after a file was changed or replaced.
_State = tuple[int, int, int, int]


class HtpasswdSettings(BackendSettings):
    """``[backends.NAME]`` with ``type = "htpasswd"``."""

    type: Literal["htpasswd"]
    path: str = Field(description="the password file; relative paths start at the configuration's folder")
    group_file: str | None = Field(default=None, description="the group file")
    encoding: str = Field(default="utf-8", description="of both files")
    allow_plain_passwords: bool = Field(default=False, description="read what has no mark as a password in the clear")
    quiet_seconds: float = Field(default=1.0, ge=0, description="a file changed more recently is still being written")


def parse_passwords(text: str) -> dict[str, str]:
    """Names and hashes of a password file. Raises ValueError that names the line, never what stands in it."""
    found: dict[str, str] = {}
    for number, line in _lines(text):
        name, _, rest = line.partition(":")
        name, stored = name.strip(), rest.partition(":")[0].strip()
        if not (name and stored):
            raise ValueError(f"line {number} is not of the form name:hash")
        if name in found:
            raise ValueError(f"line {number} has a name that an earlier line has already")
        found[name] = stored
    if not found:
        raise ValueError("there is nobody in it")
    return found


def parse_groups(text: str) -> dict[str, list[str]]:
    """The groups of each name in a group file. Raises ValueError that names the line."""
    found: dict[str, list[str]] = {}
    for number, line in _lines(text):
        group, colon, members = line.partition(":")
        if not (colon and group.strip()):
            raise ValueError(f"line {number} is not of the form group: name name ...")
        for member in members.split():
            groups = found.setdefault(member, [])
            if group.strip() not in groups:
                groups.append(group.strip())
    return found


def _lines(text: str) -> Iterator[tuple[int, str]]:
    if "\0" in text:
        raise ValueError(f"line {text[: text.index(chr(0))].count(chr(10)) + 1} holds a NUL character")
    if text and not text.endswith("\n"):
        raise ValueError(f"the last line, {text.count(chr(10)) + 1}, has no line end, so the rest may be missing")
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.rstrip("\r")


@dataclass(frozen=True, slots=True)
class People:
    """What both files held in one state, and who is found under which folded name."""

    states: tuple[_State, ...]
    hashes: dict[str, str] = field(repr=False)
    groups: dict[str, list[str]]
    folded: dict[str, list[str]]

    def rows(self) -> list[tuple[str, list[str]]]:
        return [(name, self.groups.get(name, [])) for name in self.hashes]


class HtpasswdBackend(Backend, Authenticator):
    """Users in Apache's password file."""

    type: ClassVar[str] = "htpasswd"
    Settings = HtpasswdSettings
    default_map = MapSettings.model_validate({"username": "name", "groups": "groups"})

    def __init__(self, settings: BackendSettings, context: BackendContext) -> None:
        assert isinstance(settings, HtpasswdSettings)
        unknown = set(context.attributes) - set(ATTRIBUTES)
        if unknown:
            raise ConfigError(f"[backends.{context.name}.map] {min(unknown)!r}: there are only name and groups")
        try:
            codecs.lookup(settings.encoding)
        except LookupError:
            raise ConfigError(f"[backends.{context.name}] encoding: {settings.encoding!r} is unknown") from None
        files = [settings.path, *([] if settings.group_file is None else [settings.group_file])]
        self._files = [context.path(file) for file in files]
        self._encoding = settings.encoding
        self._name = context.name
        self._quiet_seconds = settings.quiet_seconds
        declared = "plain" if settings.allow_plain_passwords else "des_crypt"
        self._passwords = PasswordChecker(declared, on_weak=self._warn)
        self._people: People | None = None
        self._reading = threading.Lock()

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        rows = self._read(deadline).rows()
        for start in range(0, len(rows), _BATCH):
            deadline.remaining()
            yield Batch(ATTRIBUTES, rows[start : start + _BATCH])

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        if lookup.attribute != "name":
            raise BackendMisconfigured(f"people in {self._files[0]} are found by name only, not by {lookup.attribute}")
        people = self._read(deadline)
        found = people.folded.get(normalize_name(lookup.value), [])
        if not lookup.ignore_case:
            found = [name for name in found if name == lookup.value]
        if len(found) > 1:
            raise AmbiguousEntry(f"{self._files[0]} has {len(found)} names that differ in case only")
        if not found:
            return None
        (name,) = found
        return Entry({"name": name, "groups": people.groups.get(name, [])}, handle=people.hashes[name])

    def verify(self, entry: Entry, password: str, deadline: Deadline) -> Verdict:
        deadline.remaining()
        assert isinstance(entry.handle, str)
        return Verdict.ACCEPTED if self._passwords.verify(entry.handle, password) else Verdict.REJECTED

    def verify_nobody(self, password: str, deadline: Deadline) -> None:
        deadline.remaining()
        self._passwords.verify_nobody(password)

    def check(self, deadline: Deadline) -> Iterator[Finding]:
        people = self._read(deadline)
        yield Finding("ok", f"{self._files[0]} has {len(people.hashes)} people")
        strangers = sorted(people.groups.keys() - people.hashes.keys())
        if strangers:
            shown = ", ".join(strangers[:5])
            yield Finding("warning", f"{self._files[1]} has members that {self._files[0]} does not have: {shown}")

    def close(self) -> None:
        self._people = None

    def _warn(self, scheme: str) -> None:
        logger.warning("backend %s: passwords are stored in the weak scheme %s", self._name, scheme)

    def _read(self, deadline: Deadline) -> People:
        """What the files hold. Raises BackendUnavailable, IncompleteListing."""
        if not self._reading.acquire(timeout=deadline.remaining()):
            raise BackendTimeout(f"{self._files[0]} is not read in time")
        try:
            states = self._states()
            while self._people is None or self._people.states != states:
                if self._are_quiet(states):
                    self._people = self._load(states)
                elif self._people is not None:
                    return self._people
                else:
                    time.sleep(min(_PAUSE, deadline.remaining()))
                states = self._states()
            return self._people
        finally:
            self._reading.release()

    def _load(self, states: Sequence[_State]) -> People:
        texts = [self._text(file) for file in self._files]
        if self._states() != states:
            raise IncompleteListing(f"{self._files[0]} changed while it was read")
        with _located(self._files[0]):
            hashes = parse_passwords(texts[0])
        groups: dict[str, list[str]] = {}
        if len(texts) > 1:
            with _located(self._files[1]):
                groups = parse_groups(texts[1])
        folded: dict[str, list[str]] = {}
        for name in hashes:
            folded.setdefault(normalize_name(name), []).append(name)
        for stored in list(hashes.values())[:20]:
            # So that an unknown name costs what a known one does from the first login on.
            self._passwords.observe(stored)
        return People(tuple(states), hashes, groups, folded)

    def _text(self, file: Path) -> str:
        with _translated(file):
            return file.read_bytes().decode(self._encoding).removeprefix("\ufeff")

    def _states(self) -> tuple[_State, ...]:
        return tuple(_state(file) for file in self._files)

    def _are_quiet(self, states: Sequence[_State]) -> bool:
        newest = max(state[1] for state in states) / 1e9
        # A file dated in the future is taken as it is.
        return not 0 <= time.time() - newest < self._quiet_seconds


def _state(file: Path) -> _State:
    with _translated(file):
        found = file.stat()
    if not stat.S_ISREG(found.st_mode):
        raise BackendUnavailable(f"{file} is no file")
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


@contextmanager
def _translated(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise BackendUnavailable(f"{file} cannot be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        # Not chained: the cause holds the whole file.
        line = exc.object[: exc.start].count(b"\n") + 1
        raise IncompleteListing(f"{file}: line {line} is not in the encoding that is set") from None


@contextmanager
def _located(file: Path) -> Iterator[None]:
    try:
        yield
    except ValueError as exc:
        raise IncompleteListing(f"{file}: {exc}") from exc


@hookimpl
def register_backends() -> Sequence[type[Backend]]:
    """The one type of this plugin."""
    return [HtpasswdBackend]
