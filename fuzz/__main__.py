"""``python -m fuzz``: each target for some time. ``--repeat FILE`` tries one input of one target, without atheris.

What breaks a target is kept in build/fuzz/NAME, beside the log, and the command that repeats it is printed.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import time
from pathlib import Path

from fuzz.target import NAMES, target

BUILD = Path("build", "fuzz")
#: For what is not the fuzzing: opening the installation, and coming to an end.
_SPARE_SECONDS = 120
_DONE = re.compile(r"Done (\d+) (?:runs )?in (\d+) second|#(\d+)\t(?:DONE|INITED|NEW|REDUCE|pulse|RELOAD)")
_NO_ATHERIS = (
    "atheris is not here: the extra 'fuzz' has it for CPython 3.11 to 3.14 on Linux (x86-64), and nowhere else"
)
_FOUND = re.compile(r"cov: (\d+)")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(NAMES)}; all where left out")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--repeat", type=Path, metavar="FILE", help="the one input to try")
    return parser


def main() -> int:
    options = parser().parse_args()
    unknown = sorted(set(options.targets) - set(NAMES))
    if unknown:
        print(f"there is no target {unknown[0]!r}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    if options.repeat is not None:
        if len(options.targets) != 1:
            print("--repeat takes one target", file=sys.stderr)
            return 2
        with target(options.targets[0]).opened() as attempt:
            attempt(options.repeat.read_bytes())
        print("what must hold holds for this input")
        return 0
    if importlib.util.find_spec("atheris") is None:
        print(_NO_ATHERIS, file=sys.stderr)
        return 2
    return max([_fuzzed(name, options.seconds) for name in options.targets or NAMES])


def _fuzzed(name: str, seconds: int) -> int:
    """Run one target in a process of its own, and tell what came of it; 1 where something was found."""
    folder = BUILD / name
    folder.mkdir(parents=True, exist_ok=True)
    before = set(_broken(folder))
    log = folder / "log"
    began = time.monotonic()
    with log.open("wb") as output:
        command = [sys.executable, "-m", "fuzz.atheris_run", name, str(folder), str(seconds)]
        try:
            code = subprocess.run(command, stdout=output, stderr=output, timeout=seconds + _SPARE_SECONDS).returncode
        except subprocess.TimeoutExpired:
            code = -1
    text = log.read_text(encoding="utf-8", errors="replace")
    runs = [int(count) for found in _DONE.findall(text) for count in (found[0], found[2]) if count]
    covered = [int(count) for count in _FOUND.findall(text)]
    print(
        f"{name}: {max(runs, default=0):,} inputs in {time.monotonic() - began:.0f} s,"
        f" {max(covered, default=0):,} places reached",
        flush=True,
    )
    for path in sorted(set(_broken(folder)) - before):
        print(f"  BROKEN by {path}; repeat: {sys.executable} -m fuzz {name} --repeat {path}")
    if code:
        print(f"  ended with {code}; see {log}", flush=True)
    return int(code != 0)


def _broken(folder: Path) -> list[Path]:
    """What libFuzzer keeps: crash-…, timeout-…, oom-…, leak-…"""
    return [path for kind in ("crash", "timeout", "oom", "leak") for path in folder.glob(f"{kind}-*")]


if __name__ == "__main__":
    sys.exit(main())
