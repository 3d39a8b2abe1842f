"""What an admin can say about a file with columns, and which columns follow from it."""

from __future__ import annotations

import codecs
import hashlib
import json
from dataclasses import astuple, dataclass
from typing import Literal

from pydantic import Field

from integration_server import BackendContext, BackendSettings, ConfigError, FieldRule, MapSettings, Texts

#: What ``delimiter = "auto"`` chooses among.
DELIMITERS = (",", ";", "\t", "|")

DEFAULT_MAP = MapSettings.model_validate({"username": "username", "full_name": "full_name", "emails": "email"})
#: Fields of the default map that a file may lack.
_OPTIONAL_FIELDS = ("full_name", "emails")


class CsvSettings(BackendSettings):
    """``[backends.NAME]`` with ``type = "csv"``."""

    type: Literal["csv"]
    path: str = Field(description="the file; relative paths start at the configuration's folder")
    delimiter: str = Field(default=",", description='one character ("\\t" is the tab), or auto: one of , ; tab |')
    encoding: str = Field(default="utf-8", description="such as cp1252 or utf-16; UTF-8 with or without mark is utf-8")
    quote: str = Field(default='"', description="the character around texts, empty where nothing is quoted")
    has_header: bool = Field(default=True, description="the first row names the columns")
    columns: Texts = Field(default=(), description="the names of the columns where no row names them")
    password_column: str | None = Field(default=None, description="the column with the passwords or their hashes")
    password_scheme: str | None = Field(default=None, description="scheme of hashes that do not name it themselves")
    allow_plain_passwords: bool = Field(default=False, description="also read values marked {PLAIN} or {CLEARTEXT}")
    quiet_seconds: float = Field(default=2.0, ge=0, description="a file changed more recently is still being written")
    require_final_newline: bool = Field(default=True, description="without a last line end the file counts as torn")
    allow_empty: bool = Field(default=False, description="believe a file without a single person")


@dataclass(frozen=True, slots=True)
class Layout:
    """How the file is to be read: settings and mapping, checked and boiled down to what the reader needs.

    ``required`` and ``optional`` are the columns that the mapping reads; a file may lack optional ones.
    """

    delimiter: str
    encoding: str
    quote: str
    columns: tuple[str, ...] | None
    required: tuple[str, ...]
    optional: tuple[str, ...]
    password_column: str | None
    require_final_newline: bool
    allow_empty: bool

    @classmethod
    def of(cls, settings: CsvSettings, context: BackendContext) -> Layout:
        """Raises ConfigError for settings that cannot work together."""
        where = f"[backends.{context.name}]"
        _check_settings(where, settings)
        optional = tuple(name for name in context.attributes if name in _optional_columns(settings.map))
        return cls(
            delimiter=settings.delimiter,
            encoding=_codec(where, settings.encoding),
            quote=settings.quote,
            columns=None if settings.has_header else settings.columns,
            required=tuple(name for name in context.attributes if name not in optional),
            optional=optional,
            password_column=settings.password_column,
            require_final_newline=settings.require_final_newline,
            allow_empty=settings.allow_empty,
        )

    def digest(self, path: str) -> str:
        """Stands for everything beside the file itself that decides what is read out of it."""
        return hashlib.sha256(json.dumps([path, astuple(self)]).encode()).hexdigest()[:16]


def _check_settings(where: str, settings: CsvSettings) -> None:
    if settings.delimiter != "auto" and (len(settings.delimiter) != 1 or settings.delimiter in "\r\n\0"):
        raise ConfigError(f'{where} delimiter: give one character ("\\t" for the tab) or "auto"')
    if len(settings.quote) > 1 or settings.quote in ("\r", "\n", "\0", settings.delimiter):
        raise ConfigError(f'{where} quote: give one character, or "" where nothing is quoted')
    if settings.has_header and settings.columns:
        raise ConfigError(f"{where} columns: only with has_header = false; the first row names them otherwise")
    if not settings.has_header and not settings.columns:
        raise ConfigError(f"{where} has_header = false needs columns = [...], a name for each column")
    if not settings.has_header and settings.delimiter == "auto":
        raise ConfigError(f'{where} delimiter = "auto" needs a row of column names; say which it is')
    if settings.password_column is None and (settings.password_scheme or settings.allow_plain_passwords):
        raise ConfigError(f"{where} says how passwords are stored, but names no password_column")


def _codec(where: str, name: str) -> str:
    try:
        found = codecs.lookup(name).name
        "a".encode(found).decode(found)
    except (LookupError, UnicodeError):
        raise ConfigError(f"{where} encoding: {name!r} is no text encoding, such as utf-8 or cp1252") from None
    # A byte order mark is no part of the first column's name.
    return "utf-8-sig" if found == "utf-8" else found


def _optional_columns(chosen: MapSettings) -> set[str]:
    """Columns that only the default map asks for."""
    found: set[str] = set()
    for field in _OPTIONAL_FIELDS:
        default: FieldRule = getattr(DEFAULT_MAP, field)
        if getattr(chosen, field) is None:
            found.update(default.sources)
    rules = [rule for name in MapSettings.model_fields if (rule := getattr(chosen, name)) is not None]
    asked = [source for rule in rules for source in rule.sources]
    return {name for name in found if not any(name == source or f"{{{name}}}" in source for source in asked)}
