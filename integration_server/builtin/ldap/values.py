"""Attribute values: octets to text and, for the binary ids of Active Directory, their usual written form and back."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from uuid import UUID

_SID = re.compile(r"S-1-(\d{1,15})((?:-\d{1,10}){1,15})")


def text_or_bytes(value: bytes) -> str | bytes:
    """UTF-8 as text; anything else as it is, for the mapping to complain about."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def guid_text(value: bytes) -> str | bytes:
    """A GUID as Windows stores it (MS-DTYP §2.3.4.2: the first three parts little-endian), in its usual form."""
    return str(UUID(bytes_le=value)) if len(value) == 16 else value


def guid_bytes(text: str) -> bytes | None:
    """The stored octets of a GUID in its usual form, None for any other text."""
    try:
        guid = UUID(text)
    except ValueError:
        return None
    return guid.bytes_le if str(guid) == text.lower() else None


def sid_text(value: bytes) -> str | bytes:
    """A security identifier (MS-DTYP §2.4.2.2) as ``S-1-5-21-...``."""
    if len(value) < 12 or value[0] != 1 or len(value) != 8 + 4 * value[1]:
        return value
    parts = struct.unpack(f"<{value[1]}I", value[8:])
    return "-".join(("S-1", str(int.from_bytes(value[2:8], "big")), *map(str, parts)))


def sid_bytes(text: str) -> bytes | None:
    """The stored octets of ``S-1-...``, None for any other text."""
    match = _SID.fullmatch(text) if text.isascii() else None
    if match is None:
        return None
    authority, parts = int(match[1]), [int(part) for part in match[2][1:].split("-")]
    if authority >= 1 << 48 or max(parts) >= 1 << 32:
        return None
    return bytes((1, len(parts))) + authority.to_bytes(6, "big") + struct.pack(f"<{len(parts)}I", *parts)


def several(value: object) -> Sequence[object]:
    """The values of an attribute in a decoded entry."""
    return value if isinstance(value, list) else () if value is None else (value,)


def text_of(value: object) -> str:
    """One of them as text; what is no UTF-8 survives the way there and back."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def octets_of(value: object) -> bytes:
    """One of them as it came."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


#: Attributes whose values are no text, in lower case: how they are read ...
READERS: dict[str, Callable[[bytes], str | bytes]] = {
    "objectguid": guid_text,
    "ms-ds-consistencyguid": guid_text,
    "objectsid": sid_text,
}
#: ... and how a text is turned back into what the directory compares with.
WRITERS: dict[str, Callable[[str], bytes | None]] = {
    "objectguid": guid_bytes,
    "ms-ds-consistencyguid": guid_bytes,
    "objectsid": sid_bytes,
}


def assertion(attribute: str, text: str) -> bytes | None:
    """The octets to compare an attribute with, None for text that no value of it can be."""
    if (write := WRITERS.get(attribute.lower())) is not None:
        return write(text)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return None
