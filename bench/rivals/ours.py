"""The server of this tree, on the sources that rivals read."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from bench.rivals.sources import LDAP_FILTER, Source
from bench.serving import Server, integration_server


def serving(folder: Path, source: Source, processes: int, *, is_shared: bool = False) -> AbstractContextManager[Server]:
    """Our server. Each list is built afresh, or with ``is_shared`` one for an hour."""
    frontend = "max_age_seconds = 3600" if is_shared else "max_age_seconds = 0"
    backend = _ldap(source) if source.kind == "ldap" else _sql(source)
    return integration_server(folder, backend, frontend, processes)


def _sql(source: Source) -> str:
    is_postgresql = source.kind == "postgresql"
    url = source.address if is_postgresql else f"sqlite:///{source.address}"
    prepared = "prepared_statements = true\n" if is_postgresql else ""
    return (
        f'type = "sql"\nurl = "{url}"\n{prepared}table = "people"\nwhere = "active = 1"\n'
        'password_column = "password"\n'
        '[backends.people.map]\nid = "id"\nusername = "username"\nfull_name = "full_name"\nemails = ["email", "alias"]'
    )


def _ldap(source: Source) -> str:
    return (
        f'type = "ldap"\nservers = ["{source.address}"]\nbind_dn = "{source.user}"\n'
        f'bind_password = "{source.password}"\nbases = ["{source.base}"]\nldap_filter = "{LDAP_FILTER}"\n'
        '[backends.people.map]\nid = "entryUUID"\nusername = "uid"\nfull_name = "cn"\nemails = "mail"\n'
    )
