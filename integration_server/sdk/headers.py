"""Headers of requests: what may stand in them, and how they are written (RFC 9110 §5)."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
#: The client's own. Another Host would lead, behind a proxy, to somewhere else than what was checked.
_OWN = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive"}
    | {"accept-encoding", "expect", "te", "trailer", "upgrade"}
)


def check_header(name: str, value: str) -> None:
    """Raise ValueError, whose text does not quote the value, for a header that cannot be sent."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:60]!r} cannot be the name of a header")
    if name.lower() in _OWN:
        raise ValueError(f"the header {name} is written by the server itself")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"the value of the header {name} holds control characters, or letters beyond Latin-1")


def header_lines(headers: Mapping[str, str]) -> bytes:
    """The headers as they are sent. Raises ValueError."""
    lines = []
    for name, value in headers.items():
        check_header(name, value)
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("latin-1")
