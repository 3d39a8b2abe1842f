"""What a person types: passwords (or a program sends them on standard input), and a yes or no."""

from __future__ import annotations

import sys

import click


def read_password(prompt: str, is_piped: bool, option: str, *, is_new: bool = False) -> str:
    """A password: typed unseen (twice where ``is_new``), or the first line of standard input where ``is_piped``.

    ``option`` is the one that says ``is_piped``. Raises UsageError where there is no terminal to ask.
    """
    if is_piped:
        return _first_line()
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError(f"standard input is no terminal; send the password there and say {option}")
    typed: str = click.prompt(prompt, hide_input=True, confirmation_prompt=is_new, err=True)
    return typed


def confirmed(question: str) -> bool:
    """A person's yes or no. Raises UsageError where there is no terminal to ask."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError("standard input is no terminal, so nobody can be asked; look first and say --yes")
    return click.confirm(question, err=True)


def _first_line() -> str:
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError as exc:
        raise click.UsageError(f"standard input is not {exc.encoding} text") from None
    return line.removesuffix("\n").removesuffix("\r")
