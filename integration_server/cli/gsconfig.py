"""``gsconfig.ini``, from which GroupServer's own tools take the token.

It has two levels: ``webservice = W`` in the section ``[config-NAME]`` of a set of options says that they are in
``[webservice-W]``, where ``token`` is. Read by Python's configparser. An edit changes the lines that it must, and no
others.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from pathlib import Path

from integration_server import ConfigError

_HEADER = re.compile(r"\[(?P<name>.+)\]")
_OPTION = re.compile(r"(?P<key>[^:=\s][^:=]*?)\s*[:=]\s*(?P<value>.*)")
_COMMENTS = ("#", ";")
#: Python 2, on which GroupServer runs, takes what follows this for a comment, later ones for part of the value.
_TRAILING_COMMENT = re.compile(r"\s;(?P<text>.*)")

Sections = dict[str, dict[str, str | None]]


def with_token(path: Path, config_set: str, token: str) -> bytes:
    """What the file shall hold, whether it is there or not. Raises ConfigError for what cannot be edited safely."""
    try:
        old = path.read_bytes() if path.exists() else b""
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    # Whatever its encoding is, its bytes come out as they went in.
    text = old.decode("utf-8", "surrogateescape")
    found = _parsed(path, text)
    config = f"config-{config_set}"
    webservice = _value(found, config, "webservice") or config_set
    changes = [(f"webservice-{webservice}", "token", token)]
    if _value(found, config, "webservice") is None:
        changes.insert(0, (config, "webservice", webservice))
    lines = _Lines(text)
    for section, key, value in changes:
        lines.put(section, key, value)
        found.setdefault(section, {})[key] = value
    if _parsed(path, lines.text) != found:
        raise ConfigError(f"{path} is written in a way that this command cannot change without harm; change it by hand")
    return lines.text.encode("utf-8", "surrogateescape")


def _value(found: Sections, section: str, key: str) -> str | None:
    return _TRAILING_COMMENT.sub("", found.get(section, {}).get(key) or "").strip() or None


def _parsed(path: Path, text: str) -> Sections:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error as exc:
        # Not chained, and the line by its number only: it may hold a password.
        line = getattr(exc, "lineno", None) or next((number for number, _ in getattr(exc, "errors", [])), "?")
        raise ConfigError(f"{path} is no gsconfig.ini: line {line} is neither [section] nor option = value") from None
    return {name: dict(parser.items(name)) for name in parser.sections()}


class _Lines:
    """The lines of a file, each with the section that it stands in."""

    def __init__(self, text: str) -> None:
        # Not splitlines(), which finds more ends than configparser does.
        self._lines = re.findall(r"[^\n]*\n|[^\n]+", text)
        self._end = "\r\n" if "\r\n" in text else "\n"

    @property
    def text(self) -> str:
        return "".join(self._lines)

    def put(self, section: str, key: str, value: str) -> None:
        """Change an option, or add it at the end of its section, or both at the end of the file."""
        inside = list(self._inside(section))
        for number in reversed(inside):
            option = _OPTION.match(self._lines[number])
            if option is not None and option["key"].lower() == key and not self._lines[number].startswith(_COMMENTS):
                # Of an option that stands there twice, the last one counts.
                self._replace(number, option, f"{key} = {value}")
                return
        if inside:
            last = max(number for number in inside if number == inside[0] or self._lines[number].strip())
            self._insert(last + 1, f"{key} = {value}")
        else:
            blank = [""] if self._lines and self._lines[-1].strip() else []
            self._insert(len(self._lines), *blank, f"[{section}]", f"{key} = {value}")

    def _inside(self, section: str) -> Iterator[int]:
        """The numbers of the section's lines, from its header on."""
        is_inside = False
        for number, line in enumerate(self._lines):
            if header := _HEADER.match(line):
                is_inside = header["name"] == section
            if is_inside:
                yield number

    def _replace(self, number: int, option: re.Match[str], line: str) -> None:
        end = number + 1
        while end < len(self._lines) and self._lines[end][:1] in (" ", "\t") and self._lines[end].strip():
            end += 1
        del self._lines[number:end]
        comment = _TRAILING_COMMENT.search(option["value"])
        self._insert(number, *([f";{comment['text'].rstrip()}"] if comment else []), line)

    def _insert(self, number: int, *lines: str) -> None:
        if number and not self._lines[number - 1].endswith("\n"):
            self._lines[number - 1] += self._end
        self._lines[number:number] = [line + self._end for line in lines]
