"""``python -m bench``: every benchmark, as a table of ratios against floors of the same run."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import bound, dashboard, deliveries, flattening, hooks, ips, latency, lists, logins, push, rebinds
from bench.measured import Measured

_LISTS = ("sqlite", "csv", "ldap", "nested", "auth", "stalled")
_HOOKS = ("hooks", "ips", "push", "dashboard")
_FORWARDING = ("compare", "feeds", "deliver", "hanging", "latency", "bound")


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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000, help="people in SQLite")
    parser.add_argument("--few", type=int, default=100_000, help="people in CSV and LDAP")
    parser.add_argument("--domain", type=int, default=10_000, help="people in Samba, which takes some 100 a second")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which the median is taken")
    parser.add_argument("--posts", type=int, default=5_000, help="deliveries in a round, one event each")
    parser.add_argument("--changes", type=int, default=60, help="changes whose way to a webhook is timed")
    parser.add_argument("--clients", type=int, default=10_000, help="WebSocket clients with a bound channel")
    parser.add_argument("--only", nargs="*", choices=(*_LISTS, *_HOOKS, *_FORWARDING))
    arguments = parser.parse_args()
    chosen = arguments.only or (*_LISTS, *_HOOKS, *_FORWARDING)
    console = Console(width=160)
    console.print(f"{platform.machine()}, {os.cpu_count()} cores, CPython {platform.python_version()}")
    measured: list[Measured] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many, few, rounds = arguments.people, arguments.few, arguments.rounds
        if "sqlite" in chosen:
            measured += lists.sqlite(folder, many, rounds)
        if "auth" in chosen:
            measured += logins.cpu(folder, many, rounds)
        if "stalled" in chosen:
            measured += logins.stalled(folder, many, rounds)
        if "csv" in chosen:
            measured += lists.csv_file(folder, few, rounds)
        if "ldap" in chosen:
            measured += lists.ldap(folder, few, rounds)
            measured += rebinds.logins(folder, few, rounds)
        if "nested" in chosen:
            measured += flattening.nested(folder, few, rounds)
        if "hooks" in chosen:
            measured += hooks.searching(folder, many, rounds)
        if "ips" in chosen:
            measured += ips.measure(folder, rounds)
        if "push" in chosen:
            measured += push.measure(folder, rounds)
        if "dashboard" in chosen:
            measured += dashboard.pages(folder, rounds, few)
        measured += _forwarding(folder, arguments, chosen, console)
    console.print(_table(measured))


def _forwarding(folder: Path, arguments: argparse.Namespace, chosen: Sequence[str], console: Console) -> list[Measured]:
    measured: list[Measured] = []
    if "compare" in chosen:
        # A process of its own for each figure; importing it opens the whole server.
        from bench import comparing

        measured += comparing.comparison(folder, arguments.people, arguments.rounds)
    if "feeds" in chosen:
        from bench import feeds

        measured += feeds.measure(folder, arguments.few, arguments.domain, arguments.rounds)
    if "deliver" in chosen:
        measured += deliveries.single(folder, arguments.posts, arguments.rounds)
    if "hanging" in chosen:
        measured += deliveries.hanging(folder, 500, max(1, arguments.rounds // 2))
    if "bound" in chosen:
        measured += bound.measure(folder, arguments.clients, arguments.rounds)
    if "latency" in chosen:
        more, histograms = latency.measure(folder, arguments.changes)
        measured += more
        for one in histograms:
            console.print(one.histogram(), highlight=False)
    return measured


if __name__ == "__main__":
    main()
