"""One target under atheris: ``python -m fuzz.atheris_run NAME FOLDER SECONDS``. The process ends with the run.

An input that takes more than ten seconds, or a process of more than 2 GiB, is a fault like any other.
"""

from __future__ import annotations

import faulthandler
import shutil
import sys
from pathlib import Path

import atheris

from fuzz.target import target

_INPUT_SECONDS = 10
_MOST_MEGABYTES = 2048
_PATIENCE_SECONDS = 15
#: What is not ours, but reads what callers send.
_LIBRARIES = ["werkzeug.formparser", "werkzeug.sansio.multipart", "werkzeug.http", "csv"]


def main(name: str, folder: Path, seconds: int) -> None:
    # The installation imports its plugins when it is opened.
    with atheris.instrument_imports(include=["integration_server", *_LIBRARIES]):
        found = target(name)
        opened = found.opened()
        attempt = opened.__enter__()
    # libFuzzer leaves without a way back, so nothing is closed; what there was stands in a temporary folder.
    corpus, words = folder / "corpus", folder / "words"
    shutil.rmtree(corpus, ignore_errors=True)
    corpus.mkdir(parents=True)
    for number, seed in enumerate(found.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in found.words), encoding="ascii")
    options = {
        "max_total_time": seconds,
        "max_len": found.longest,
        "timeout": _INPUT_SECONDS,
        "rss_limit_mb": _MOST_MEGABYTES,
        "artifact_prefix": f"{folder}/",
        "dict": words,
        "print_final_stats": 1,
    }
    atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(corpus)], attempt)
    # Where a run does not come to its end, the log tells what it is at.
    faulthandler.dump_traceback_later(seconds + _PATIENCE_SECONDS, repeat=True)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
