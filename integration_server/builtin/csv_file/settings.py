"""What an admin can say about a file with columns, and which columns follow from it."""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import Literal

from pydantic import Field

from integration_server import BackendContext, BackendSettings, ConfigError, FieldRule, MapSettings, Settings, Texts

#: What ``delimiter = "auto"`` chooses among.
DELIMITERS = (",", ";", "\t", "|")

DEFAULT_MAP = MapSettings.model_validate({"username": "username", "full_name": "full_name", "emails": "email"})
#: Fields of the default map that a file may lack.
_OPTIONAL_FIELDS = ("full_name", "emails")


class SecondFile(Settings):
    """A second file with columns. What its table leaves out is as it is said of the people's file."""

    path: str = Field(description="the file; relative paths start at the configuration's folder")
    delimiter: str | None = Field(default=None, description="the people's file's where left out")
    encoding: str | None = Field(default=None, description="the people's file's where left out")
    quote: str | None = Field(default=None, description="the people's file's where left out")
    has_header: bool | None = Field(default=None, description="the people's file's where left out")
    columns: Texts = Field(default=(), description="the names of the columns where no row names them")
    require_final_newline: bool | None = Field(default=None, description="the people's file's where left out")
    allow_empty: bool = Field(default=True, description="believe a file without a single row")


class GroupsSettings(SecondFile):
    """``[backends.NAME.groups]``: one row for each group."""

    id_column: str = Field(description="the column with the id, which is what [map] groups reads of people")
    title_column: str | None = Field(default=None, description="the column with the name for people to read")
    url_column: str | None = Field(default=None, description="the column with the group's web page")
    email_column: str | None = Field(default=None, description="the column with the group's address")
    type_column: str | None = Field(default=None, description="the column that says what kind of group it is")
    privacy_column: str | None = Field(default=None, description="the column that says who may see it")


class MembershipsSettings(SecondFile):
    """``[backends.NAME.memberships]``: one row for each membership."""

    user_column: str = Field(description="its column that says whose row it is")
    group_column: str = Field(description="its column with the id of the group")
    key_column: str = Field(description="the column of the people's file that user_column refers to")
    attribute: str = Field(default="groups", description="the attribute name under which [map] finds the groups")


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
    is_writable: bool = Field(default=False, description="memberships and people may be written into the files")
    groups: GroupsSettings | None = Field(default=None, description="a second file, with the groups there are")
    memberships: MembershipsSettings | None = Field(default=None, description="a second file, with who is in which")


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
        """The people's file. Raises ConfigError for settings that cannot work together."""
        where = f"[backends.{context.name}]"
        if settings.password_column is None and (settings.password_scheme or settings.allow_plain_passwords):
            raise ConfigError(f"{where} says how passwords are stored, but names no password_column")
        attributes = _attributes_of_people(where, settings, context)
        optional = tuple(name for name in attributes if name in _optional_columns(settings.map))
        return cls(
            delimiter=settings.delimiter,
            encoding=_codec(where, settings.encoding),
            quote=settings.quote,
            columns=_columns(where, settings.has_header, settings.columns, settings.delimiter, settings.quote),
            required=tuple(name for name in attributes if name not in optional),
            optional=optional,
            password_column=settings.password_column,
            require_final_newline=settings.require_final_newline,
            allow_empty=settings.allow_empty,
        )

    @classmethod
    def of_second(cls, where: str, second: SecondFile, people: CsvSettings, columns: Iterable[str]) -> Layout:
        """A second file, of which ``columns`` are read. Raises ConfigError for settings that cannot work together."""
        delimiter = people.delimiter if second.delimiter is None else second.delimiter
        quote = people.quote if second.quote is None else second.quote
        has_header = people.has_header if second.has_header is None else second.has_header
        required = tuple(dict.fromkeys(columns))
        given = _columns(where, has_header, second.columns, delimiter, quote)
        for name in required:
            if given is not None and name not in given:
                raise ConfigError(f"{where} columns: there is no {name!r} among them")
        ending = second.require_final_newline
        return cls(
            delimiter=delimiter,
            encoding=_codec(where, people.encoding if second.encoding is None else second.encoding),
            quote=quote,
            columns=given,
            required=required,
            optional=(),
            password_column=None,
            require_final_newline=people.require_final_newline if ending is None else ending,
            allow_empty=second.allow_empty,
        )

    def digest(self, path: str) -> str:
        """Stands for everything beside the file itself that decides what is read out of it."""
        return hashlib.sha256(json.dumps([path, astuple(self)]).encode()).hexdigest()[:16]


def _attributes_of_people(where: str, settings: CsvSettings, context: BackendContext) -> tuple[str, ...]:
    """The columns of the people's file that are read, passwords aside."""
    memberships = settings.memberships
    if memberships is None:
        return context.attributes
    if memberships.attribute not in context.attributes:
        raise ConfigError(
            f"{where} has memberships that nothing reads: set groups = {memberships.attribute!r} in [map]"
        )
    own = [name for name in context.attributes if name != memberships.attribute]
    if memberships.key_column == memberships.attribute:
        raise ConfigError(f"{where} memberships: attribute needs another name than key_column")
    return tuple(dict.fromkeys([*own, memberships.key_column]))


def _columns(
    where: str, has_header: bool, columns: tuple[str, ...], delimiter: str, quote: str
) -> tuple[str, ...] | None:
    """The names of the columns where no row names them."""
    if delimiter != "auto" and (len(delimiter) != 1 or delimiter in "\r\n\0"):
        raise ConfigError(f'{where} delimiter: give one character ("\\t" for the tab) or "auto"')
    if len(quote) > 1 or quote in ("\r", "\n", "\0", delimiter):
        raise ConfigError(f'{where} quote: give one character, or "" where nothing is quoted')
    if has_header and columns:
        raise ConfigError(f"{where} columns: only with has_header = false; the first row names them otherwise")
    if not has_header and not columns:
        raise ConfigError(f"{where} has_header = false needs columns = [...], a name for each column")
    if not has_header and delimiter == "auto":
        raise ConfigError(f'{where} delimiter = "auto" needs a row of column names; say which it is')
    return None if has_header else columns


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
