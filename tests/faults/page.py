"""docs/faults.rst, made of the matrix and of what was measured: ``python -m tests.faults.page``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from tests.faults.faults import FAULTS, Fault
from tests.faults.matrix import COLUMNS, DIRECTORIES, EXPECTED, RECEIVERS, Column
from tests.faults.record import Cells, recorded

PAGE: Final = Path(__file__).parents[2] / "docs" / "faults.rst"

#: How the kinds of answers are called for each question.
_WORDS: Final = {
    "list": {"right": "whole", "503": "503", "none": "cut"},
    "login": {"right": "right", "503": "503", "none": "cut"},
    "scan": {"right": "done", "fails": "failed", "waits": "later", "none": "killed"},
    "delivery": {"right": "taken", "again": "again", "waits": "later", "none": "killed"},
}

_HEAD: Final = """\
======
Faults
======

What becomes of lists, logins, comparisons and deliveries when something breaks: every fault at every directory and
receiver, made on purpose on a real server. ``make faults`` runs all of it and prints what it finds; ``make faults
WRITE=1`` writes this page anew. The tests of every day run a part.

.. Written by tests/faults/page.py; change the text there.

In each cell a real server (``integration-server serve``) stands before a real directory or receiver, and everything is
asked at one time. What must hold in all of them, and does:

* A list is everybody or a 503 with the reason, never a 200 with fewer people.
* A right password is never refused: the answer is yes, or a 503. A wrong one is never accepted.
* Nobody is reported as deleted. A comparison that could not be finished changes nothing.
* Receivers are told everything, and nothing overtakes what came before it; what is not known to have arrived comes
  again.
* When the fault is over, the very next list and the very next login are right, and the next comparison notices what
  changed meanwhile; what receivers missed comes by itself. Nothing is started again, but for ``kill -9``.
* No thread and no socket is left behind, also when it happens again.

The limits were set low: 1.5 s for a list (``list_seconds``), 1 s for a login (``auth_seconds``; 5 s for IPS Connect,
where each login computes a costly hash), 1 s for a delivery (``timeout_seconds``). An answer takes as long as its limit
at most, and, where it waits for a lock on the server's own store, a login three seconds more and a list ten. Times are
in seconds, as measured on a busy machine with two cores.

The brake that leaves a broken directory alone (``breaker_failures``) was off, so that every question reached it.

The faults
==========

"""

_LISTS: Final = """\
Lists
=====

``cmd=list`` at the MailStore frontend. *Whole*: everybody, and nobody else. Of a CSV file that is half written, that is
what it held before. *Cut*: the connection ended before an answer was whole; directories without a network answered
before the kill.

"""

_LOGINS: Final = """\
Logins
======

``cmd=auth`` there, with the right password. A wrong one was tried at the same moment: "no", or a 503.

"""

_SCANS: Final = """\
Comparisons
===========

Everybody is compared with what was known. *Failed*: with a reason, and nothing was changed. *Later*: it could not even
be begun while the store could not be written.

The time is from the wish for a comparison on, which is noticed within half a second.

"""

_DELIVERIES: Final = """\
Deliveries
==========

A change is made while the fault is there. *Again*: the try failed, and after a rest of about five seconds it is made
again. *Later*: nothing is sent, or not known to be taken, before the store can be written. Then what is left behind, as
above, and the seconds from the end of the fault until everything was told, with what is left of the rest.

"""

_LEFT: Final = """\
What is left behind
===================

False deletions, threads, sockets; and the seconds from the end of the fault until everything was right again: a list, a
login, and a change that somebody makes then.

"""

_WITHOUT: Final = """\
Without a cell
==============

"""


def rendered(cells: Cells) -> str:
    """The page."""
    parts = [
        _HEAD,
        _table(("fault", "happens"), [(fault.name, fault.about) for fault in FAULTS]),
        *(_LISTS, _answers(cells, "list", DIRECTORIES)),
        *(_LOGINS, _answers(cells, "login", tuple(one for one in DIRECTORIES if one.has_logins))),
        *(_SCANS, _answers(cells, "scan", DIRECTORIES)),
        *(_LEFT, _matrix(cells, DIRECTORIES, _left)),
        *(_DELIVERIES, _matrix(cells, RECEIVERS, lambda cell: f"{_answer(cell, 'delivery')}, then {_left(cell)}")),
        *(_WITHOUT, _reasons()),
    ]
    return "".join(parts).rstrip("\n") + "\n"


def _answers(cells: Cells, question: str, columns: Sequence[Column]) -> str:
    return _matrix(cells, columns, lambda cell: _answer(cell, question))


def _answer(cell: dict[str, Any], question: str) -> str:
    answer = cell["answers"][question]
    return f"{_WORDS[question][answer['kind']]} {answer['seconds']:.1f}"


def _left(cell: dict[str, Any]) -> str:
    return f"{cell['deletions']}/{cell['threads']}/{cell['sockets']} {cell['recovery_seconds']:.1f}"


def _matrix(cells: Cells, columns: Sequence[Column], told: Callable[[dict[str, Any]], str]) -> str:
    rows = [
        (fault.name, *(_cell(cells, fault, column, told) for column in columns))
        for fault in FAULTS
        if any(not EXPECTED[fault][column].why_not for column in columns)
    ]
    return _table(("", *(column.name for column in columns)), rows)


def _cell(cells: Cells, fault: type[Fault], column: Column, told: Callable[[dict[str, Any]], str]) -> str:
    return "—" if EXPECTED[fault][column].why_not else told(cells[fault.name][column.name])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as people read it, where titles have their words below each other."""
    titles = [title.split() for title in head]
    upper = [[words[depth] if depth < len(words) else "" for words in titles] for depth in range(max(map(len, titles)))]
    upper[0][0] = upper[0][0] or "\\"
    widths = [max(map(len, column)) for column in zip(*upper, *rows, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (*upper, *rows)]
    return "\n".join([rule, *lines[: len(upper)], rule, *lines[len(upper) :], rule, "", "", ""])


def _reasons() -> str:
    """Why cells make no sense, by reason and fault."""
    found: dict[str, dict[str, list[str]]] = {}
    for fault in FAULTS:
        for column in COLUMNS:
            if why := EXPECTED[fault][column].why_not:
                found.setdefault(why, {}).setdefault(", ".join(_names(fault, why)), []).append(fault.name)
    lines = []
    for why, by_columns in found.items():
        for columns, faults in by_columns.items():
            lines += [f"{', '.join(dict.fromkeys(faults))}", f"    {columns}: {why}."]
    return "\n".join(lines) + "\n"


def _names(fault: type[Fault], why: str) -> list[str]:
    return [column.name for column in COLUMNS if EXPECTED[fault][column].why_not == why]


def main() -> None:
    PAGE.write_text(rendered(recorded()), encoding="utf-8")
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
