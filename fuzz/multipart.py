"""Forms of either kind out of bytes: what a browser sends, and what none would."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from fuzz.house import FORM

BOUNDARY = "x"
#: What a body is said to be.
KINDS = (
    FORM,
    f"multipart/form-data; boundary={BOUNDARY}",
    "multipart/form-data",
    'multipart/form-data; boundary=""',
    f"multipart/mixed; boundary={BOUNDARY}",
    "",
)
WORDS = (b"--x\r\n", b"\r\n--x--\r\n", b'Content-Disposition: form-data; name="', b"\r\n\r\n", b'"; filename="f"', b"&")


def urlencoded(fields: Mapping[str, str]) -> bytes:
    return urlencode(fields).encode("ascii")


def multipart(fields: Mapping[str, str]) -> bytes:
    """RFC 7578, as ``KINDS[1]`` announces it."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return ("".join(parts) + f"--{BOUNDARY}--\r\n").encode()
