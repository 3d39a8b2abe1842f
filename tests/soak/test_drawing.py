"""The plots of a run."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from tests.soak.drawing import report, write
from tests.soak.driver import Outcome, errors
from tests.soak.flatness import Verdict
from tests.soak.load import Tally
from tests.soak.sampling import ProcessSample, Sampler, StoreSample

_LINE = "{http://www.w3.org/2000/svg}polyline"


def outcome() -> Outcome:
    sampler = Sampler(Path("nowhere"))
    for at in range(120):
        sampler.processes.append(ProcessSample(float(at), 1 + at // 60, 7, "the supervisor", 50.0, 7, 2))
        sampler.processes.append(
            ProcessSample(float(at), 1 + at // 60, 8 + at // 60, "the worker process", 100, 40, 30)
        )
        sampler.stores.append(StoreSample(float(at), at / 100, 4.0, 5.0, 9))
    verdicts = [Verdict("threads of it", "", 30, 40, 31)]
    return Outcome(120.0, verdicts, {"list": Tally(9, 1)}, ["log: something"], sampler, {"events": 3})


def test_each_process_is_a_line_in_each_of_its_lives(tmp_path: Path) -> None:
    write(outcome(), tmp_path)
    lines = {file.stem: len(list(ElementTree.parse(file).iter(_LINE))) for file in tmp_path.glob("*.svg")}
    assert lines == {"memory": 4, "descriptors": 4, "threads": 4, "store": 3}


def test_samples_are_kept_as_json(tmp_path: Path) -> None:
    write(outcome(), tmp_path)
    document = json.loads((tmp_path / "soak.json").read_text(encoding="utf-8"))
    assert (len(document["processes"]), document["verdicts"][0]["is_flat"]) == (240, False)


def test_the_report_says_what_grows_and_what_was_wrong() -> None:
    told = report(outcome())
    assert "GROWS  threads of it: 30 -> 40" in told
    assert "WRONG  log: something" in told


def test_errors_are_found_in_either_form_of_log() -> None:
    said = ["2026-01-01 ERROR x: broken", "2026-01-01 WARNING x: odd", "Traceback (most recent call last):"]
    assert errors(said) == ["log: 2026-01-01 ERROR x: broken", "log: Traceback (most recent call last):"]
