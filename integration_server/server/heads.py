"""The head of a request, to the letter of RFC 9112.

To have waitress read it again would take as long once more, and heads are what most of a login's bytes are; so what
requests are told of it is made here, too.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from waitress.parser import ParsingError

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Z]{1,32}")
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._~!$&'()*+,;=%-]*)(?::[0-9]*)?")
_PATH = re.compile(rb"/[!-\"$-~]*")
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?#]+)([/?][!-\"$-~]*)?")
FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?![\n])(?!\Z)")
CONTROL_OR_BARE_END = "The head holds a control character or a bare line end"
#: Bytes of a head that are no control characters, and those that end its lines.
_ALLOWED = bytes(byte for byte in range(256) if (byte >= 0x20 and byte != 0x7F) or byte in b"\t\r\n")
#: The longest name of a field that is remembered.
_USUAL_NAME = 64
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_ONCE = frozenset({b"host", b"content-length", b"transfer-encoding", b"content-type", b"authorization", b"expect"})
"""Fields whose value is no list: waitress would join several to one value (RFC 9110 §5.3)."""

#: Fields that hold no secret; and the longest part of a path that is none.
_OPEN = frozenset(
    {
        *("HOST", "CONTENT_TYPE", "CONTENT_LENGTH", "USER_AGENT", "CONNECTION", "EXPECT", "TRANSFER_ENCODING"),
        *("ACCEPT", "ACCEPT_ENCODING", "ACCEPT_LANGUAGE", "CACHE_CONTROL", "PRAGMA"),
        *("X_FORWARDED_FOR", "X_FORWARDED_PROTO", "X_FORWARDED_HOST", "X_REAL_IP"),
    }
)
_LONGEST_OPEN_PART = 23
#: Heads that are remembered; callers send the same few again and again, of lengths that differ. None is longer.
_MOST_HEADS = 256
_LONGEST_HEAD = 1024


@dataclass(frozen=True, slots=True)
class Head:
    """What waitress's requests are told of a head; ``fields`` by names as WSGI has them."""

    command: str
    request_uri: str
    path: str
    query: str
    version: str
    fields: Mapping[str, str]
    length: int
    is_chunked: bool
    is_last: bool
    is_continued: bool
    #: Whether nothing in it looks as if it were secret.
    is_open: bool


class Heads:
    """Reads whole heads, and remembers some. For one thread at a time."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def read(self, head: bytes) -> Head:
        """Raises ParsingError."""
        found = self._known.get(head)
        if found is None:
            if not _is_clean(head):
                raise ParsingError(CONTROL_OR_BARE_END)
            found = read_head(head)
            if len(head) <= _LONGEST_HEAD and found.is_open:
                if len(self._known) >= _MOST_HEADS:
                    self._known.clear()
                self._known[head] = found
        return found


class _Name(NamedTuple):
    """A field's name: as it came, in lower case, and as WSGI has it."""

    written: bytes
    lower: bytes
    key: str
    is_single: bool


@dataclass(frozen=True, slots=True)
class _Parts:
    """A request's line and fields, checked, without white space around the values and with the Host that counts."""

    method: bytes
    #: A path with its query, or ``*``.
    target: bytes
    version: bytes
    fields: list[tuple[_Name, bytes]]
    #: Values of fields that stand only once, by their names in lower case.
    singles: dict[bytes, bytes]


def plain_head(head: bytes) -> bytes:
    """A request's line and fields, checked, in plain form.

    ``head`` ends with CRLF; so does the result. Raises ParsingError, whose message repeats nothing of the
    request.
    """
    if FORBIDDEN.search(head):
        raise ParsingError(CONTROL_OR_BARE_END)
    found = _read(head.rstrip(b"\r\n"))
    line = b"%s %s %s\r\n" % (found.method, found.target, found.version)
    return b"".join([line, *(b"%s: %s\r\n" % (name.written, value) for name, value in found.fields), b"\r\n"])


def read_head(head: bytes) -> Head:
    """What a head says, in which somebody has looked for forbidden characters. Raises ParsingError."""
    parts = _read(head.rstrip(b"\r\n"))
    before, _, query = parts.target.partition(b"?")
    path = unquote_to_bytes(before).decode("latin-1")
    if _CONTROL.search(path):
        raise ParsingError("The path holds a control character")
    fields = _by_key(parts.fields)
    connection = fields.get("CONNECTION", "").lower()
    is_new = parts.version == b"HTTP/1.1"
    is_chunked = b"transfer-encoding" in parts.singles
    if is_chunked:
        # The application gets the body whole, and its length with it.
        del fields["TRANSFER_ENCODING"]
    return Head(
        command=parts.method.decode(),
        request_uri=parts.target.decode(),
        path=path,
        query=query.decode(),
        version=parts.version[5:].decode(),
        fields=fields,
        length=int(parts.singles.get(b"content-length", b"0")),
        is_chunked=is_chunked,
        is_last=connection == "close" if is_new else connection != "keep-alive",
        is_continued=is_new and fields.get("EXPECT", "").lower() == "100-continue",
        is_open=not query
        and {name.key for name, _ in parts.fields} <= _OPEN
        and max(map(len, path.split("/"))) <= _LONGEST_OPEN_PART,
    )


def _is_clean(head: bytes) -> bool:
    """What ``FORBIDDEN`` says of a whole head, in a twentieth of its time."""
    return not head.translate(None, _ALLOWED) and head.count(b"\r\n") == head.count(b"\n") == head.count(b"\r")


def _read(head: bytes) -> _Parts:
    """A head without forbidden characters, up to its last line's end. Raises ParsingError."""
    request_line, *lines = head.split(b"\r\n")
    method, target, version, authority = _request_line(request_line)
    fields, singles = _fields(lines)
    _check_framing(singles, version)
    if b"host" not in singles and version == b"HTTP/1.1":
        raise ParsingError("The Host field is missing")
    if authority is not None:  # RFC 9112 §3.2.2: it replaces the field
        fields = [(name, value) for name, value in fields if name.lower != b"host"]
        fields.append((_HOST_NAME, authority))
    if not _HOST.fullmatch(singles.get(b"host", b"")):
        raise ParsingError("The Host field is malformed")
    return _Parts(method, target, version, fields, singles)


def _request_line(line: bytes) -> tuple[bytes, bytes, bytes, bytes | None]:
    """Method, target as path, version, and the authority where the target named one (absolute form)."""
    parts = line.split(b" ")
    if len(parts) != 3 or not METHOD.fullmatch(parts[0]):
        raise ParsingError("The request line is malformed")
    method, target, version = parts
    if version not in (b"HTTP/1.0", b"HTTP/1.1"):
        raise ParsingError("Only HTTP/1.0 and HTTP/1.1 are spoken here")
    if _PATH.fullmatch(target) or (target == b"*" and method == b"OPTIONS"):
        return method, target, version, None
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or not _HOST.fullmatch(absolute[1]):
        raise ParsingError("The request target is malformed")
    path = absolute[2] or b"/"
    return method, path if path.startswith(b"/") else b"/" + path, version, absolute[1]


def _fields(lines: list[bytes]) -> tuple[list[tuple[_Name, bytes]], dict[bytes, bytes]]:
    """All fields, and those that may stand only once, by name."""
    fields: list[tuple[_Name, bytes]] = []
    singles: dict[bytes, bytes] = {}
    for line in lines:
        # A line that begins with white space is obsolete folding (RFC 9112 §5.2): its "name" is no token either.
        written, colon, value = line.partition(b":")
        name = (_name(written) if len(written) <= _USUAL_NAME else _made_name(written)) if colon else None
        if name is None:
            raise ParsingError("A header field is malformed")
        value = value.strip(b" \t")
        if name.is_single:
            if name.lower in singles:
                raise ParsingError("A header field that may stand only once is repeated")
            singles[name.lower] = value
        fields.append((name, value))
    return fields, singles


def _made_name(written: bytes) -> _Name | None:
    if not _TOKEN.fullmatch(written):
        return None
    lower = written.lower()
    return _Name(written, lower, written.upper().replace(b"-", b"_").decode(), lower in _ONCE)


#: Callers send the same few fields again and again.
_name = functools.lru_cache(maxsize=512)(_made_name)
_HOST_NAME = _Name(b"Host", b"host", "HOST", True)


def _check_framing(singles: dict[bytes, bytes], version: bytes) -> None:
    """RFC 9112 §6.1 and §6.3: what ends the body must be beyond doubt."""
    length = singles.get(b"content-length")
    if length is not None and not (length.isdigit() and len(length) <= 18):
        raise ParsingError("Content-Length is malformed")
    coding = singles.get(b"transfer-encoding")
    if coding is None:
        return
    if length is not None:
        raise ParsingError("Content-Length and Transfer-Encoding exclude each other")
    if version != b"HTTP/1.1" or coding.lower() != b"chunked":
        raise ParsingError("The only Transfer-Encoding is chunked, in HTTP/1.1")


def _by_key(fields: list[tuple[_Name, bytes]]) -> dict[str, str]:
    """The values by names as WSGI has them; those of one name joined, and none whose name holds a ``_``: it would pass
    for another."""
    found: dict[str, str] = {}
    for name, value in fields:
        if b"_" not in name.written:
            key, text = name.key, value.decode("latin-1")
            found[key] = f"{found[key]}, {text}" if key in found else text
    return found
