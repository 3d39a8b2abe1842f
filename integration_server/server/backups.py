"""Everything that an installation is, as one file: its configuration, its store and its keys.

A backup is a ZIP file with a manifest that lists each file with its size and digest. What is not in it the server makes
anew: spooled lists, counts, locks.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from integration_server import __version__
from integration_server.config import Config
from integration_server.sdk.errors import ConfigError
from integration_server.store.upkeep import copy_store, wanted_schema

_FORMAT = 1
_MANIFEST = "manifest.json"
_STORE = "store.db"
#: What of ``data_dir`` no start can make again; ``csv-*`` are the last good contents of CSV files.
_KEPT = ("secret.key", "csv-*/**/*")
_BLOCK = 1 << 20
#: A manifest is no larger.
_MANIFEST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup says of itself. ``files`` maps names within it to sizes in bytes."""

    version: str
    schema: str
    made_at: float
    files: Mapping[str, int]


def write_backup(config: Config, url: str, target: BinaryIO) -> Backup:
    """Write a backup of an installation, which may be running. ``url`` is the store's, empty for the one in data_dir.

    Raises ConfigError: for a store that is no SQLite file, and for files that cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=_existing(config.data_dir)) as folder:
        copy = Path(folder) / _STORE
        schema = copy_store(url, config.data_dir, copy)
        sources = {f"data/{_STORE}": copy}
        sources |= {f"data/{path.relative_to(config.data_dir).as_posix()}": path for path in _kept(config.data_dir)}
        sources |= {f"config/{file.name}": file for file in config.files}
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
            listed = {name: _put(archive, name, path) for name, path in sources.items()}
            now = time.time()
            manifest = {"format": _FORMAT, "version": __version__, "schema": schema, "made_at": now}
            archive.writestr(_MANIFEST, json.dumps({**manifest, "files": listed}, indent=1))
    sizes = {name: int(str(about["size"])) for name, about in listed.items()}
    return Backup(__version__, schema, now, sizes)


def _existing(data_dir: Path) -> Path:
    if not data_dir.is_dir():
        raise ConfigError(f"{data_dir}: there is nothing to back up; the server has never run with this configuration")
    return data_dir


def _kept(data_dir: Path) -> list[Path]:
    return [path for pattern in _KEPT for path in sorted(data_dir.glob(pattern)) if path.is_file()]


def _put(archive: zipfile.ZipFile, name: str, path: Path) -> dict[str, object]:
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as source, archive.open(name, "w", force_zip64=True) as file:
            while block := source.read(_BLOCK):
                digest.update(block)
                size += len(block)
                file.write(block)
    except OSError as exc:
        raise ConfigError(f"{path} cannot be backed up: {exc.strerror or exc}") from exc
    return {"size": size, "sha256": digest.hexdigest()}


class OpenBackup:
    """A backup that is being restored. Use ``opened_backup``."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive = archive
        self._path = path
        self._listed, self.about = self._read_manifest()

    def _read_manifest(self) -> tuple[dict[str, dict[str, Any]], Backup]:
        try:
            if self._archive.getinfo(_MANIFEST).file_size > _MANIFEST_BYTES:
                raise ValueError
            found = json.loads(self._archive.read(_MANIFEST))
            listed = {str(name): dict(about) for name, about in found["files"].items()}
            sizes = {name: int(about["size"]) for name, about in listed.items()}
            about = Backup(str(found["version"]), str(found["schema"]), float(found["made_at"]), sizes)
            is_known = found["format"] == _FORMAT
        except (KeyError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as exc:
            raise ConfigError(f"{self._path} is no backup of integration-server") from exc
        if not is_known:
            told = f"was written by version {about.version}, in a form that this one cannot read"
            raise ConfigError(f"{self._path} {told}")

        if about.schema > wanted_schema():
            raise ConfigError(
                f"{self._path} holds a store of version {about.version} (schema {about.schema}); this version has"
                f" schema {wanted_schema()}; update it first"
            )
        for name in listed:
            parts = PurePosixPath(name).parts
            if parts[:1] not in (("data",), ("config",)) or len(parts) < 2 or not all(map(_is_plain, parts)):
                raise ConfigError(f"{self._path} is damaged: {name!r} is no file of a backup")
        return listed, about

    def names(self, part: str) -> list[str]:
        """Its files of one part, ``data`` or ``config``."""
        return [name for name in self._listed if name.startswith(f"{part}/")]

    def restore(self, part: str, folder: Path, prepare: Callable[[Path], None] | None = None) -> None:
        """Put the files of one part into a folder, which may exist; nothing in it is replaced.

        All of them are read, found whole, and made ready by ``prepare`` before the first one is put there. Raises
        ConfigError.
        """
        names = self.names(part)
        for name in names:
            target = folder.joinpath(*PurePosixPath(name).parts[1:])
            if target.exists() or target.is_symlink():
                raise ConfigError(f"{target} exists already; move it away, or restore into another folder")
        made = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.new")
        try:
            made.mkdir(mode=0o700, parents=True)
            for name in names:
                self._extract(name, made.joinpath(*PurePosixPath(name).parts[1:]))
            if prepare is not None:
                prepare(made)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for source in sorted(made.iterdir()):
                os.rename(source, folder / source.name)
        except OSError as exc:
            raise ConfigError(f"{folder} cannot be restored to: {exc.strerror or exc}") from exc
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def _extract(self, name: str, target: Path) -> None:
        digest, about = hashlib.sha256(), self._listed[name]
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file, self._archive.open(name) as source:
                while block := source.read(_BLOCK):
                    digest.update(block)
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
        except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, ValueError, NotImplementedError) as exc:
            raise ConfigError(f"{self._path} is damaged: {name} cannot be read") from exc
        if digest.hexdigest() != about.get("sha256"):
            raise ConfigError(f"{self._path} is damaged: {name} is not what was backed up")


def _is_plain(part: str) -> bool:
    return part not in ("", ".", "..") and not any(c in part for c in "/\\:\0")


@contextmanager
def opened_backup(path: Path) -> Iterator[OpenBackup]:
    """A backup to restore from. Raises ConfigError for what is none, or of a newer version."""
    try:
        archive = zipfile.ZipFile(path)
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    except zipfile.BadZipFile as exc:
        raise ConfigError(f"{path} is no backup of integration-server, or is cut off") from exc
    with archive:
        yield OpenBackup(archive, path)
