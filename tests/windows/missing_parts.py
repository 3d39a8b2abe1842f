"""What Wine 8 lacks of Windows, and CPython and its extensions need. Real Windows has all of it."""

from __future__ import annotations

import struct
from pathlib import Path

#: Put where CPython runs it at its start, in every environment.
_SITE = '''\
"""For Wine 8 alone: what it has not got must not be called."""

import sys

sys.modules["_wmi"] = None

import _winapi

if hasattr(_winapi, "CopyFile2"):
    del _winapi.CopyFile2
'''


def add(python: Path) -> None:
    """Complete a Windows CPython in its folder: no WMI, no CopyFile2, and the library from which whatever is written in
    Rust (pydantic, orjson, bcrypt) takes its randomness."""
    (python / "Lib" / "sitecustomize.py").write_text(_SITE, encoding="utf-8")
    library = forwarding_library("bcryptprimitives.dll", "ProcessPrng", "advapi32.SystemFunction036")
    (python / "bcryptprimitives.dll").write_bytes(library)


def forwarding_library(name: str, exported: str, target: str) -> bytes:
    """A 64-bit DLL that exports one function, which another library has under another name.

    It is headers and an export directory, without code (PE format, §3 and §6.3).
    """
    start, block, tables = 0x1000, 512, 50
    texts = [text.encode("ascii") + b"\0" for text in (name, exported, target)]
    places = [start + tables, *(start + tables + len(b"".join(texts[:count])) for count in (1, 2))]
    content = struct.pack("<IIHHIIIIIII", 0, 0, 0, 0, places[0], 1, 1, 1, start + 40, start + 44, start + 48)
    content += struct.pack("<IIH", places[2], places[1], 0) + b"".join(texts)
    stub = b"MZ" + bytes(58) + struct.pack("<I", 64)
    header = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, 240, 0x2022)
    optional = struct.pack("<HBBIIIII", 0x20B, 14, 0, 0, block, 0, 0, 0)
    optional += struct.pack(
        "<QIIHHHHHHIIIIHH", 0x180000000, 0x1000, block, 6, 0, 0, 0, 6, 0, 0, 0x2000, block, 0, 2, 0x100
    )
    optional += struct.pack("<QQQQII", 0x100000, 0x1000, 0x100000, 0x1000, 0, 16)
    optional += struct.pack("<II", start, len(content)) + bytes(8 * 15)
    section = b".edata\0\0" + struct.pack("<IIIIIIHHI", len(content), start, block, block, 0, 0, 0, 0, 0x40000040)
    return (stub + header + optional + section).ljust(block, b"\0") + content.ljust(block, b"\0")
