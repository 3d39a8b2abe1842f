"""What programs of ours that tests start say on standard error. Standard output is no log: tokens are printed there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.secrecy.seams import learn_configuration
from tests.secrecy.watch import Watch

_OURS = ("integration_server", "integration-server", "tests.server.worker", "gs_auth_token_create")


class Programs:
    """Logs that lie in files, and how far they were read."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._read: dict[Path, int] = {}

    def observe(self) -> None:
        """For the whole process, to its end."""
        popen: Any = subprocess.Popen
        init, communicate, watch = popen.__init__, popen.communicate, self._watch

        def started(process: Any, args: Any, *more: Any, **named: Any) -> None:
            init(process, args, *more, **named)
            if not _is_ours(args):
                return
            for folder in _configurations(args, named):
                learn_configuration(watch, folder)
            process.is_overheard = True
            stream = "stdout" if named.get("stderr") == subprocess.STDOUT else "stderr"
            if getattr(process, stream) is not None:
                setattr(process, stream, _Overheard(getattr(process, stream), watch.hear))
            else:
                self._note_file(named.get(stream))

        def communicated(process: Any, *args: Any, **named: Any) -> Any:
            if getattr(process, "is_overheard", False) and "stdin" in str(process.args):
                # A password, for an option such as --password-stdin.
                typed = args[0] if args else named.get("input")
                watch.learn(typed.rstrip() if typed else None, "what was typed")
            out, err = communicate(process, *args, **named)
            if getattr(process, "is_overheard", False) and err:
                watch.hear(err)
            return out, err

        popen.__init__, popen.communicate = started, communicated

    def _note_file(self, given: object) -> None:
        number = given.fileno() if hasattr(given, "fileno") else given
        if isinstance(number, int) and number >= 0:
            path = Path(os.readlink(f"/proc/self/fd/{number}"))
            if path.is_file():
                self._read.setdefault(path, 0)

    def look(self) -> None:
        """Read what is new in files."""
        for path, start in list(self._read.items()):
            try:
                with path.open("rb") as file:
                    file.seek(start)
                    new = file.read()
            except OSError:
                del self._read[path]
                continue
            self._read[path] = start + len(new)
            self._watch.hear(new)


def _is_ours(args: Any) -> bool:
    words = [args] if isinstance(args, str | bytes | os.PathLike) else list(args)
    return any(word in os.fsdecode(one) for one in words[:4] for word in _OURS)


def _configurations(args: Any, named: dict[str, Any]) -> Iterator[Path]:
    words = [] if isinstance(args, str | bytes | os.PathLike) else [os.fsdecode(one) for one in args]
    words.append((named.get("env") or {}).get("INTEGRATION_SERVER_CONFIG", ""))
    for word in filter(None, words):
        path = Path(named.get("cwd") or "") / word
        # Not pathlib's: a word may be a program, and its first line no name of anything.
        if len(word) < 500 and os.path.isdir(path):
            yield path


class _Overheard:
    """A pipe's end; what is read from it is heard."""

    def __init__(self, stream: Any, hear: Callable[[Any], None]) -> None:
        self._stream = stream
        self._hear = hear

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> _Overheard:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def __iter__(self) -> Iterator[Any]:
        for line in self._stream:
            self._hear(line)
            yield line

    def readline(self, *args: Any) -> Any:
        return self._told(self._stream.readline(*args))

    def read(self, *args: Any) -> Any:
        return self._told(self._stream.read(*args))

    def readlines(self, *args: Any) -> list[Any]:
        return list(self)

    def _told(self, read: Any) -> Any:
        self._hear(read)
        return read
