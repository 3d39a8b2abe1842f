"""``integration-server init``: a first configuration that works."""

from __future__ import annotations

import csv
import io
import os
import secrets
import time
from importlib import resources
from pathlib import Path

import click

from integration_server import ConfigError
from integration_server.cli import examples
from integration_server.cli.files import new_file, write_new
from integration_server.cli.output import shell_line

_FILES = ("10-server.toml", "20-backends.toml", "30-frontends.toml", "40-subscriptions.toml")
_PEOPLE = "people.csv"
_COLUMNS = ("username", "full_name", "email", "password")
_DEMO_PASSWORD = "demo"
_DEMO_PEOPLE = (
    ("ada", "Ada Lovelace", "ada@example.org;countess@example.org"),
    ("grace", "Grace Hopper", "grace@example.org"),
    ("jürgen", "Jürgen Groß", "juergen@example.org"),
)
_ALLOW_EMPTY = "allow_empty = true                      # remove this line as soon as the file holds people\n"
_URL = "http://127.0.0.1:8080/mailstore"
#: A file that was just written counts as still being written; this one is complete.
_LAID_BACK_SECONDS = 3600.0


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--demo", "is_demo", is_flag=True, help="With three sample people and sample passwords, for a first try.")
@click.option(
    "--sample",
    "is_sample",
    is_flag=True,
    help="The sample configuration instead: people from a file and a database, one concern per file, and all example "
    "plugins.",
)
def command(folder: Path, is_demo: bool, is_sample: bool) -> None:
    """Write a commented configuration into DIR. Existing files are never overwritten.

    The password that MailStore needs is made afresh and shown once; the file keeps its hash only.
    """
    if is_sample:
        if is_demo:
            raise click.UsageError("--demo and --sample are two different configurations; take one")
        _write_sample(folder)
        return
    for name in (*_FILES, _PEOPLE):
        if (folder / name).exists():
            raise ConfigError(f"{folder / name} exists already; nothing was written")
    password = secrets.token_urlsafe(18)
    texts = {name: _template(name) for name in _FILES}
    words = {
        "@folder@": shell_line([str(folder)]),
        "@data_dir@": "data",
        "@url@": _URL,
        "@allow_empty@": "" if is_demo else _ALLOW_EMPTY,
        "@secret@": _demo_secret() if is_demo else _hashed_secret(password),
    }
    for name, text in texts.items():
        for word, meaning in words.items():
            text = text.replace(word, meaning)
        write_new(folder / name, text, is_private=True)
    write_new(folder / _PEOPLE, _people(is_demo), is_private=True)
    past = time.time() - _LAID_BACK_SECONDS
    os.utime(folder / _PEOPLE, (past, past))
    click.echo("\n".join(_farewell(folder, password, is_demo)))


def _write_sample(folder: Path) -> None:
    """It lies beside what it uses in the tree; here everything is below ``folder``."""
    files = dict(examples.sample_files())
    files |= {f"plugins/{one.name}.py": one.path for one in examples.plugins()}
    for name in files:
        if (folder / name).exists():
            raise ConfigError(f"{folder / name} exists already; nothing was written")
    for name, source in files.items():
        target, content = folder / name, source.read_bytes()
        if name.endswith((".toml", ".sample")):
            content = content.replace(b'"../', b'"')
        _make_folder(target.parent)
        with new_file(target) as file:
            file.write(content)
        past = time.time() - _LAID_BACK_SECONDS
        os.utime(target, (past, past))
    click.echo(f"wrote {len(files)} files into {folder}; they are commented, and serve sample people with the")
    click.echo(f"password {_DEMO_PASSWORD} to programs on this machine")
    for name in ("check", "users", "serve"):
        click.echo("  " + shell_line(["integration-server", name, str(folder)]))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"{folder} cannot be made: {exc.strerror or exc}") from exc


def _template(name: str) -> str:
    return (resources.files("integration_server.cli") / "data" / "config" / name).read_text(encoding="utf-8")


def _hashed_secret(password: str) -> str:
    from integration_server.sdk.passwords import hash_password

    return f'password_hash = "{hash_password(password)}"'


def _demo_secret() -> str:
    return (
        f'password = "{_DEMO_PASSWORD}"                       # everybody knows this one, hence the next line\n'
        "demo_password = true                    # only callers on this machine are answered"
    )


def _people(is_demo: bool) -> str:
    from integration_server.sdk.passwords import hash_password

    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    if is_demo:
        hashed = hash_password(_DEMO_PASSWORD)
        writer.writerows((*person, hashed) for person in _DEMO_PEOPLE)
    return text.getvalue()


def _farewell(folder: Path, password: str, is_demo: bool) -> list[str]:
    lines = [f"wrote {folder / name}" for name in (*_FILES, _PEOPLE)]
    lines += ["", "For MailStore (Directory Services, Application Integration):", f"  URL        {_URL}"]
    lines += ["  user name  mailstore"]
    if is_demo:
        lines += [f"  password   {_DEMO_PASSWORD} (a sample: only this machine is answered)", ""]
        lines += [f"Sample people: {', '.join(p[0] for p in _DEMO_PEOPLE)}; each has the password {_DEMO_PASSWORD}."]
    else:
        lines += [f"  password   {password}", "  The password is shown this once; the file keeps a hash of it.", ""]
        lines += [f"Next: say in {folder / '20-backends.toml'} where your people are, then"]
    return [*lines, *("  " + shell_line(["integration-server", name, str(folder)]) for name in ("check", "serve"))]
