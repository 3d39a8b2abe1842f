"""One cell of the table: a fault meets a directory."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from tests.faults.faults import Fault
from tests.faults.receivers import Telling
from tests.faults.scene import Answer, Scene
from tests.faults.served import Open
from tests.waiting import wait_for


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it. ``deletions`` are events of the journal that should not be there, ``recovery_seconds`` from the
    lifting of the fault until list, login and a change of the directory were right again."""

    answers: dict[str, Answer]
    deletions: int
    left: Open
    recovery_seconds: float

    def as_json(self) -> dict[str, Any]:
        return {
            "answers": {
                name: {"kind": one.kind, "seconds": round(one.seconds, 2)} for name, one in self.answers.items()
            },
            "deletions": self.deletions,
            "threads": self.left.threads,
            "sockets": self.left.sockets,
            "recovery_seconds": round(self.recovery_seconds, 2),
        }


def meet(scene: Scene, fault: Fault) -> Found:
    """Apply the fault while everything is asked, lift it, and see that all is right again without a restart. Raises
    AssertionError where an answer is wrong."""
    scene.serve(is_clock_ours=fault.needs_clock)
    assert scene.list().kind == "right", scene.list()
    assert scene.calm
    serial = len(scene.journal())
    answers = _during(scene, fault)
    began = time.monotonic()
    recover(scene)
    recovered = time.monotonic() - began
    # The change that recover() made is the only thing that happened.
    events = [event.type for event in scene.journal()[serial:]]
    assert events == [scene.directory.edit_event], events
    left = scene.left_open()
    return Found(answers, sum(type == "user.deleted" for type in events), left, recovered)


def _during(scene: Scene, fault: Fault) -> dict[str, Answer]:
    scanned = scene.want_scan() if fault.holds_store(scene) else None
    fault.apply(scene)
    try:
        with scene.asked(scanned) as answers:
            fault.strike(scene)
            found = answers()
        scene.ask_again()
    finally:
        fault.lift()
    return found


def recover(scene: Scene) -> None:
    """The very next list and login are right, and so is the next comparison that begins."""
    listed = scene.list()
    assert listed.kind == "right", listed
    if scene.directory.has_logins:
        for answer in (scene.login(), scene.wrong_login()):
            assert answer.kind == "right", answer
    serial = len(scene.journal())
    scene.directory.edit()
    compared = scene.scan()
    if compared.kind == "fails":
        # What began during the fault may have failed only now.
        compared = scene.scan()
    assert compared.kind == "right", compared
    wait_for(lambda: len(scene.journal()) > serial, scene.machine.log)


def tell(scene: Telling, fault: Fault) -> Found:
    """The same for a receiver: nothing is lost or overtaken, and what waits is told when the fault is over."""
    scene.serve(is_clock_ours=fault.needs_clock)
    assert scene.calm
    serial, count = scene.last_serial(), len(scene.journal())
    is_held = fault.holds_store(scene)
    if is_held:
        scene.make_change()
    fault.apply(scene)
    try:
        if not is_held:
            # What is noticed with a full disk cannot be written down, and is noticed again.
            scene.make_change()
        fault.strike(scene)
        answer = scene.told(serial)
    finally:
        fault.lift()
    began = time.monotonic()
    scene.wait_told(scene.make_event())
    recovered = time.monotonic() - began
    taken, noted = scene.taken(), scene.noted()
    assert taken == sorted(taken), taken
    # The account of a network was made before anybody could be told.
    assert set(taken) == set(noted) - {0}, (taken, noted)
    events = [event.type for event in scene.journal()[count:]]
    return Found({"delivery": answer}, events.count("user.deleted"), scene.left_open(), recovered)
