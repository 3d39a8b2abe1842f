"""``python -m bench``: every benchmark, as a table of ratios against floors of the same run."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import lists, logins
from bench.lists import Measured


def _table(measured: list[Measured]) -> Table:
    table = Table("measured", "ours", "floor", "figure", "target", "met", "the floor is", title="Benchmarks (medians)")
    for line in measured:
        table.add_row(
            line.name,
            f"{line.ours:.2f} {line.unit}",
            f"{line.floor:.2f} {line.unit}" if line.is_ratio else "",
            f"{line.figure:.2f} x" if line.is_ratio else f"{line.figure:.0f} {line.unit}",
            f"{line.target:g} x" if line.is_ratio else f"{line.target:g} {line.unit}",
            "yes" if line.is_met else "NO",
            line.note,
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000, help="people in SQLite")
    parser.add_argument("--few", type=int, default=100_000, help="people in CSV and LDAP")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which the median is taken")
    parser.add_argument("--only", nargs="*", choices=("sqlite", "csv", "ldap", "auth", "stalled"))
    arguments = parser.parse_args()
    chosen = arguments.only or ("sqlite", "csv", "ldap", "auth", "stalled")
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
    console.print(_table(measured))


if __name__ == "__main__":
    main()
