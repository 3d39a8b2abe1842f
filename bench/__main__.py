"""``python -m bench``: every benchmark, as a table of ratios against floors of the same run.

``--json FILE`` writes what was measured, for ``python -m bench.report``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import bound, dashboard, deliveries, flattening, growth, hooks, ips, latency, lists, logins, push, rebinds
from bench.measured import Measured, Series
from bench.results import Results, machine
from bench.rivals.measure import measure as rivals

Options = argparse.Namespace


def _ldap(folder: Path, options: Options) -> list[Measured]:
    return [
        *lists.ldap(folder, options.few, options.rounds),
        *rebinds.logins(folder, options.few, options.rounds),
    ]


def _compare(folder: Path, options: Options) -> list[Measured]:
    # A process of its own for each figure; importing it opens the whole server.
    from bench import comparing

    return comparing.comparison(folder, options.people, options.rounds)


def _feeds(folder: Path, options: Options) -> list[Measured]:
    from bench import feeds

    return feeds.measure(folder, options.few, options.domain, options.rounds)


def _latency(folder: Path, options: Options) -> list[Measured]:
    measured, histograms = latency.measure(folder, options.changes)
    for one in histograms:
        Console(width=160).print(one.histogram(), highlight=False)
    return measured


def _growth(folder: Path, options: Options) -> tuple[list[Measured], list[Series]]:
    return growth.measure(folder, options.people, options.rounds, options.posts, options.logins)


#: What can be measured, in this order; some bring curves along.
KINDS: dict[str, Callable[[Path, Options], list[Measured] | tuple[list[Measured], list[Series]]]] = {
    "rivals": lambda folder, options: rivals(folder, options.few, options.rounds, options.logins),
    "growth": _growth,
    "sqlite": lambda folder, options: lists.sqlite(folder, options.people, options.rounds),
    "auth": lambda folder, options: logins.cpu(folder, options.people, options.rounds),
    "stalled": lambda folder, options: logins.stalled(folder, options.people, options.rounds),
    "csv": lambda folder, options: lists.csv_file(folder, options.few, options.rounds),
    "ldap": _ldap,
    "nested": lambda folder, options: flattening.nested(folder, options.few, options.rounds),
    "hooks": lambda folder, options: hooks.searching(folder, options.people, options.rounds),
    "ips": lambda folder, options: ips.measure(folder, options.rounds),
    "push": lambda folder, options: push.measure(folder, options.rounds),
    "dashboard": lambda folder, options: dashboard.pages(folder, options.rounds, options.few),
    "compare": _compare,
    "feeds": _feeds,
    "deliver": lambda folder, options: deliveries.single(folder, options.posts, options.rounds),
    "hanging": lambda folder, options: deliveries.hanging(folder, 500, max(1, options.rounds // 2)),
    "bound": lambda folder, options: bound.measure(folder, options.clients, options.rounds),
    "latency": _latency,
}


def _table(measured: list[Measured]) -> Table:
    table = Table("measured", "ours", "floor", "figure", "target", "met", "the floor is", title="Benchmarks (medians)")
    for line in measured:
        table.add_row(
            line.name,
            f"{line.ours:.2f} {line.unit}",
            f"{line.floor:.2f} {line.unit}" if line.is_ratio else "",
            f"{line.figure:.2f} x" if line.is_ratio else f"{line.figure:.3g} {line.unit}",
            line.target_text,
            line.met_text,
            line.note,
        )
    return table


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000, help="people in SQLite")
    parser.add_argument("--few", type=int, default=100_000, help="people in CSV and LDAP, and beside other software")
    parser.add_argument("--domain", type=int, default=10_000, help="people in Samba, which takes some 100 a second")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which the median is taken")
    parser.add_argument("--logins", type=int, default=4_000, help="logins in a round, beside other software")
    parser.add_argument("--posts", type=int, default=5_000, help="deliveries in a round, one event each")
    parser.add_argument("--changes", type=int, default=60, help="changes whose way to a webhook is timed")
    parser.add_argument("--clients", type=int, default=10_000, help="WebSocket clients with a bound channel")
    parser.add_argument("--only", nargs="*", choices=tuple(KINDS))
    parser.add_argument("--json", type=Path, help="where to write what was measured")
    return parser


def main() -> None:
    options = parser().parse_args()
    console = Console(width=160)
    results = Results(machine())
    console.print(results.machine.text)
    measured: list[Measured] = []
    with tempfile.TemporaryDirectory() as name:
        for kind in options.only or KINDS:
            # PostgreSQL runs as another user, who has to get to its own folder below.
            Path(name).chmod(0o711)
            folder = Path(name, kind)
            folder.mkdir()
            found = KINDS[kind](folder, options)
            lines, series = found if isinstance(found, tuple) else (found, [])
            measured += lines
            results.add(kind, lines, series, options.rounds)
            if options.json:
                # What was measured so far is kept, whatever becomes of the rest.
                results.write(options.json)
    console.print(_table(measured))


if __name__ == "__main__":
    main()
