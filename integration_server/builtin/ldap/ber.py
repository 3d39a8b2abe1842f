"""The part of BER that LDAP uses (RFC 4511 §5.1): definite lengths, tags of one octet. Pure functions.

Reading checks every length against the end of what encloses it: bytes from a network are never trusted.
"""

from __future__ import annotations

SEQUENCE = 0x30
SET = 0x31
BOOLEAN = 0x01
INTEGER = 0x02
OCTETS = 0x04
ENUMERATED = 0x0A


class Malformed(ValueError):
    """Bytes that are no BER, or no LDAP."""


def element(tag: int, *contents: bytes) -> bytes:
    """An element of these contents, one after the other."""
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return b"%c%c%b" % (tag, size, content)
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def integer(value: int, tag: int = INTEGER) -> bytes:
    """An INTEGER, or with another tag an ENUMERATED."""
    if 0 <= value < 0x8000:
        # The ids of messages, a few of which each request and answer take.
        return bytes((tag, 1, value)) if value < 0x80 else bytes((tag, 2, value >> 8, value & 0xFF))
    # As few octets as will do (X.690 §8.3.2), for the lowest number of a size as well.
    return element(tag, value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "big", signed=True))


def octets(value: bytes | str, tag: int = OCTETS) -> bytes:
    """An OCTET STRING; text is written in UTF-8."""
    return element(tag, value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value)


def boolean(value: bool) -> bytes:
    return element(BOOLEAN, b"\xff" if value else b"\x00")


def length_at(data: bytes, position: int) -> tuple[int, int]:
    """The length that is written at ``position``, and where the contents begin.

    Raises Malformed, and IndexError where the data ends too soon.
    """
    size = data[position]
    position += 1
    if size < 0x80:
        return size, position
    octets_of_length = size & 0x7F
    if not 1 <= octets_of_length <= 4:
        raise Malformed("a length is indefinite or absurd")
    if position + octets_of_length > len(data):
        raise IndexError(position)
    return int.from_bytes(data[position : position + octets_of_length], "big"), position + octets_of_length


def element_at(data: bytes, position: int, end: int, tag: int | None = None) -> tuple[int, int]:
    """Where the contents of the element at ``position`` begin and end, inside what ends at ``end``.

    Raises Malformed when it is not whole or, where ``tag`` is given, of another kind.
    """
    try:
        if tag is not None and data[position] != tag:
            raise Malformed(f"an element of type {tag:#04x} was expected, not {data[position]:#04x}")
        size, begin = length_at(data, position + 1)
    except IndexError:
        raise Malformed("an element is cut off") from None
    if begin + size > end:
        raise Malformed("an element is longer than what it stands in")
    return begin, begin + size


def integer_at(data: bytes, begin: int, end: int) -> int:
    """The number whose contents octets these are. Raises Malformed for none, or more than four."""
    if not 1 <= end - begin <= 4:
        raise Malformed("a number has no octets or too many")
    return int.from_bytes(data[begin:end], "big", signed=True)
