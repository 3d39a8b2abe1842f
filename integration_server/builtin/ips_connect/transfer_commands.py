"""``ips export`` and ``ips import``: accounts that move to this server, or away from it."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeVar

import click

from integration_server import BackendDesk, ConfigError, Desk, IntegrationError
from integration_server.builtin.ips_connect.account import Account
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.adoption import MOST_CLASHES, Adopted, AdoptionRefused
from integration_server.builtin.ips_connect.people_files import csv_lines, json_lines, read_csv, read_json_lines
from integration_server.builtin.ips_connect.people_read import Layout, Remarks, Source, UnreadableRow
from integration_server.builtin.ips_connect.people_spool import Spool, opened_spool
from integration_server.builtin.ips_connect.people_table import opened_table
from integration_server.builtin.ips_connect.tables import TABLES

_BATCH = 1000
_STANDARD = "-"
_READERS: Mapping[str, Callable[[BinaryIO], Source]] = {"csv": read_csv, "jsonl": read_json_lines}
_WRITERS: Mapping[str, Callable[[Iterable[list[Account]]], Iterator[bytes]]] = {"csv": csv_lines, "jsonl": json_lines}
_ENDINGS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_SHOWN_COLUMNS = 5

F = TypeVar("F", bound=Callable[..., Any])


class ImportRefused(IntegrationError):
    """Nothing was imported."""


def backend_option(function: F) -> F:
    """``--backend NAME``, as ``backend``."""
    option = click.option("--backend", metavar="NAME", help="The backend with the accounts, where there are several.")
    return option(function)


def _format_option(function: F) -> F:
    option = click.option(
        "--format",
        "form",
        type=click.Choice(tuple(_READERS)),
        help="Where the end of FILE's name does not say it; else csv.",
    )
    return option(function)


def export_command(desk: Desk) -> click.Command:
    @click.command()
    @click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
    @desk.config_option
    @backend_option
    @_format_option
    @click.option("--yes", "is_sure", is_flag=True, help="Print hashes on a terminal, too.")
    def export(file: Path, folder: Path, backend: str | None, form: str | None, is_sure: bool) -> None:
        """Write every account with its hash and salt into the new FILE, or to standard output where it is "-".

        CSV where FILE ends in .csv, JSON with an object a line where it ends in .jsonl. Who has the file can log in as
        everybody in it. It is readable by its owner alone.
        """
        lines = _WRITERS[_form(file, form)]
        if str(file) == _STANDARD and not is_sure and _is_terminal():
            raise click.UsageError("hashes are as good as passwords; write them to a file, or say --yes to see them")
        count = 0
        with (
            desk.backend(folder, "ips_connect", backend) as opened,
            _output(desk, file) as out,
            closing(_accounts(opened).everybody(_BATCH)) as batches,
        ):

            def counted() -> Iterator[list[Account]]:
                nonlocal count
                for some in batches:
                    count += len(some)
                    yield some

            for piece in lines(counted()):
                out.write(piece)
        click.echo(f"{_number(count)} of {opened.name}", err=True)

    return export


def import_command(desk: Desk) -> click.Command:
    @click.command("import")
    @click.argument(
        "file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True)
    )
    @desk.config_option
    @backend_option
    @_format_option
    @click.option("--database", metavar="URL", help="Instead of FILE: SQLAlchemy's URL of an IPS site's database.")
    @click.option("--table", default="core_members", show_default=True, help="The table there.")
    @click.option("--prefix", default="", metavar="TEXT", help="What the names of its tables begin with, such as ibf_.")
    @click.option("--password-stdin", is_flag=True, help="Read that database's password from standard input.")
    @click.option("--update", "may_update", is_flag=True, help="Change accounts that are here with other data.")
    @click.option("--skip-empty", is_flag=True, help="Leave out people without a name or without an address.")
    @click.option("--tell", "is_told", is_flag=True, help="Tell all slaves of every account that is new or changed.")
    @click.option("--dry-run", "is_trial", is_flag=True, help="Try all of it, and keep nothing.")
    @desk.json_option
    def import_(
        file: Path | None,
        folder: Path,
        backend: str | None,
        form: str | None,
        database: str | None,
        table: str,
        prefix: str,
        password_stdin: bool,
        may_update: bool,
        skip_empty: bool,
        is_told: bool,
        is_trial: bool,
        is_json: bool,
    ) -> None:
        """Take over accounts with their ids, hashes and salts: all of them, or none.

        FILE ("-": standard input) is what 'ips export' wrote, or the table core_members of an IPS site as CSV with a
        header. Accounts that are here already, with the same data, are passed over.

        Exit code 1: something is wrong with somebody, and nothing was imported.
        """
        if (file is None) == (database is None):
            raise click.UsageError("give a FILE, or --database URL")
        if password_stdin and database is None:
            raise click.UsageError("--password-stdin goes with --database")
        password = desk.read_secret("Password of the database", True, "--password-stdin") if password_stdin else None
        remarks = Remarks()
        with desk.backend(folder, "ips_connect", backend) as opened, opened_spool() as spool:
            with _source(file, form) if file else opened_table(database or "", password, prefix + table) as source:
                layout = _layout(source)
                _read(source, layout, spool, remarks, skip_empty)
            if layout.unknown and not is_json:
                click.echo(f"columns that mean nothing here: {_few(layout.unknown)}", err=True)
            with _told_by_place(spool):
                adopted = _accounts(opened).adopt_all(
                    spool.accounts(),
                    details=layout.details,
                    may_update=may_update,
                    is_told=is_told,
                    is_trial=is_trial,
                )
        if is_json:
            desk.print_json({**asdict(adopted), **asdict(remarks), "is_dry_run": is_trial})
        else:
            _tell(adopted, remarks, is_trial)

    return import_


# -- reading ---------------------------------------------------------------------------------------------------------


@contextmanager
def _source(file: Path, form: str | None) -> Iterator[Source]:
    read = _READERS[_form(file, form)]
    try:
        if str(file) == _STANDARD:
            # Where it was closed before we began, nothing comes.
            yield read(sys.stdin.buffer if sys.stdin is not None else io.BytesIO())
            return
        with file.open("rb") as stream:
            yield read(stream)
    except UnreadableRow as exc:
        raise ImportRefused(f"{exc}; nothing was imported") from None
    except OSError as exc:
        raise ConfigError(f"{file} cannot be read: {exc.strerror or exc}") from exc


def _layout(source: Source) -> Layout:
    try:
        return Layout.of(source.names)
    except ValueError as exc:
        raise ImportRefused(f"{exc}; nothing was imported") from None


def _read(source: Source, layout: Layout, spool: Spool, remarks: Remarks, skip_empty: bool) -> None:
    """Raises ImportRefused with all that is wrong, as far as a person wants to read it."""
    faults: list[str] = []
    count = 0
    now = time.time()
    try:
        for place, values in source.rows:
            if skip_empty and layout.is_empty(values):
                remarks.left_out += 1
                continue
            try:
                spool.add(place, layout.account(values, remarks, now))
            except ValueError as exc:
                count += 1
                if count <= MOST_CLASHES:
                    faults.append(f"{place} ({layout.who(values)}): {exc}")
    except UnreadableRow as exc:
        count += 1
        faults.append(str(exc))
    if not faults:
        faults = spool.twins(MOST_CLASHES)
        count = len(faults)
    if faults:
        raise _refused(faults, count)


@contextmanager
def _told_by_place(spool: Spool) -> Iterator[None]:
    """Clashes with accounts that are here, with the places where people stood."""
    try:
        yield
    except AdoptionRefused as exc:
        faults = [f"{spool.place(one.id)} (id {one.id}): {one.reason}" for one in exc.clashes]
        raise _refused(faults, exc.count) from None


def _refused(faults: list[str], count: int) -> ImportRefused:
    more = [f"... and {count - len(faults)} more"] if count > len(faults) else []
    return ImportRefused("\n".join([*faults, *more, "nothing was imported"]))


# -- files and words -------------------------------------------------------------------------------------------------


def _accounts(opened: BackendDesk) -> Accounts:
    return Accounts(opened.name, opened.storage(TABLES))


def _form(file: Path, form: str | None) -> str:
    """Raises UsageError."""
    if form is not None or str(file) == _STANDARD:
        return form or "csv"
    found = _ENDINGS.get(file.suffix.lower())
    if found is None:
        raise click.UsageError(f"{file} ends in none of {', '.join(_ENDINGS)}; say --format")
    return found


@contextmanager
def _output(desk: Desk, file: Path) -> Iterator[IO[bytes]]:
    if str(file) != _STANDARD:
        with desk.new_file(file) as out:
            yield out
        return
    # Nothing is printed before all of it is there: a part of it must not look like all of it.
    with tempfile.TemporaryFile(prefix="integration-server-") as spool:
        yield spool
        spool.seek(0)
        out = desk.data_output()
        shutil.copyfileobj(spool, out)
        out.flush()


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def _number(count: int) -> str:
    return f"{count} account{'' if count == 1 else 's'}"


def _few(names: tuple[str, ...]) -> str:
    more = len(names) - _SHOWN_COLUMNS
    return ", ".join(map(repr, names[:_SHOWN_COLUMNS])) + (f" and {more} more" if more > 0 else "")


def _tell(adopted: Adopted, remarks: Remarks, is_trial: bool) -> None:
    would = "would be imported" if is_trial else "imported"
    told = f"{adopted.added} new, {adopted.updated} changed, {adopted.unchanged} as they were"
    click.echo(f"{would}: {told}")
    for count, what in (
        (remarks.left_out, "without a name or an address, left out"),
        (remarks.without_password, "without hash or salt: they cannot log in before they get a password"),
        (remarks.strange_password, "with a hash that no password leads to: they cannot log in before they get another"),
        (remarks.temporary_ban, "banned for a time only, which is not kept: they are not banned here"),
    ):
        if count:
            click.echo(f"{_number(count)} {what}", err=True)
