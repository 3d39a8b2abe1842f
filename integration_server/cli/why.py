"""``integration-server users --why NAME``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from integration_server.cli.exits import ExitCode
from integration_server.cli.output import print_json, print_table, shown

if TYPE_CHECKING:
    from integration_server.directory.explain import Finding, Origin
    from integration_server.directory.mount import Mount


def print_findings(mount: Mount, username: str, *, is_json: bool) -> ExitCode:
    """Say what each backend makes of a name. OK where it is listed, NO where not, UNAVAILABLE where nobody knows."""
    from integration_server.directory.explain import explain

    findings = explain(mount, username)
    lister = next((finding.source for finding in findings if finding.reason is None), None)
    is_whole = not any(finding.is_outage for finding in findings)
    if is_json:
        print_json(
            {
                "mount": mount.name,
                "user": username,
                "listed_from": lister if is_whole else None,
                "backends": [_as_data(finding) for finding in findings],
            }
        )
    else:
        click.echo(_headline(mount, username, lister, is_whole))
        for finding in findings:
            _describe(finding)
    if not is_whole:
        return ExitCode.UNAVAILABLE
    return ExitCode.NO if lister is None else ExitCode.OK


def _headline(mount: Mount, username: str, lister: str | None, is_whole: bool) -> str:
    if not is_whole:
        return f"{shown(username)}: {mount.name} has no list at all while a backend cannot be asked"
    if lister is None:
        return f"{shown(username)} is not on the list of {mount.name}"
    return f"{shown(username)} is on the list of {mount.name}, from backend {lister}"


def _describe(finding: Finding) -> None:
    click.echo(f"\nbackend {finding.source}: {shown(finding.reason or 'listed')}")
    for note in finding.notes:
        click.echo(f"  note: {shown(note)}")
    if finding.origins:
        print_table(["  FIELD", "VALUE", "MADE OF"], [_row(origin) for origin in finding.origins])


def _row(origin: Origin) -> tuple[object, object, str]:
    made_of = [f"{key} = {'(absent)' if value is None else repr(value)}" for key, value in origin.attributes]
    if origin.is_changed_by_hook:
        made_of.append("changed by a transform_user hook")
    if origin.is_default_rule:
        made_of.append("by the backend type's own mapping")
    return f"  {origin.field}", origin.value, "; ".join(made_of)


def _as_data(finding: Finding) -> dict[str, object]:
    return {
        "backend": finding.source,
        "is_listed": finding.reason is None,
        "is_outage": finding.is_outage,
        "reason": finding.reason,
        "notes": list(finding.notes),
        "fields": [
            {
                "field": origin.field,
                "value": origin.value,
                "attributes": dict(origin.attributes),
                "default_rule": origin.is_default_rule,
                "changed_by_hook": origin.is_changed_by_hook,
            }
            for origin in finding.origins
        ],
    }
