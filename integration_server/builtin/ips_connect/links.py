"""Which account stands for a person of another backend, and what was last heard of that person."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import sqlalchemy as sa

from integration_server.builtin.ips_connect.tables import links


@dataclass(frozen=True, slots=True)
class Link:
    """``account`` is a connect id; the account may be gone. The rest: see the table."""

    source: str
    person_id: str
    account: int
    serial: int
    name: str = ""
    email: str = ""
    wanted: str = ""
    is_held: bool = False
    is_gone: bool = False


COLUMNS = tuple(links.c[name] for name in Link.__dataclass_fields__)


class Links:
    """The links of one backend's accounts, in one transaction. Each account stands for one person at most."""

    def __init__(self, connection: sa.Connection, backend: str) -> None:
        self._connection = connection
        self._backend = backend

    def find(self, source: str, person_id: str) -> Link | None:
        return self._one(links.c.source == source, links.c.person_id == person_id)

    def of_account(self, account: int) -> Link | None:
        return self._one(links.c.account == account)

    def put(self, link: Link) -> None:
        """In the place of the person's other one, if there is one."""
        self.drop(link)
        self._connection.execute(links.insert().values(backend=self._backend, **asdict(link)))

    def drop(self, link: Link) -> None:
        mine = (links.c.backend == self._backend, links.c.source == link.source, links.c.person_id == link.person_id)
        self._connection.execute(links.delete().where(*mine))

    def _one(self, *where: sa.ColumnElement[bool]) -> Link | None:
        query = sa.select(*COLUMNS).where(links.c.backend == self._backend, *where)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else Link(*row)
