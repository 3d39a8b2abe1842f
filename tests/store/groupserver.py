"""GroupServer's table ``option``, as an installation has it."""

from __future__ import annotations

import sqlalchemy as sa

_DDL = """
CREATE TABLE option (
    component_id TEXT NOT NULL,
    option_id TEXT NOT NULL,
    site_id TEXT NOT NULL,
    group_id TEXT NOT NULL,
    value TEXT
);
CREATE UNIQUE INDEX option_pkey ON option (component_id, option_id, site_id, group_id);
INSERT INTO option VALUES ('gs.auth.token', 'authToken', '', '', 'oldToken');
INSERT INTO option VALUES ('gs.auth.token', 'authToken', 'a_site', '', 'siteToken');
INSERT INTO option VALUES ('gs.auth.token', 'other', '', '', 'other');
INSERT INTO option VALUES ('gs.profile', 'authToken', '', '', 'profile');
"""
#: What no rotation may touch.
OTHERS = {
    ("gs.auth.token", "authToken", "a_site", "", "siteToken"),
    ("gs.auth.token", "other", "", "", "other"),
    ("gs.profile", "authToken", "", "", "profile"),
}


def change(url: str, *statements: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def make_option_table(url: str) -> str:
    """Make the table, with a token and other rows; the DSN as GroupServer writes it."""
    change(url, _DDL)
    return url.replace("postgresql+psycopg:", "postgres:")


def rows(url: str) -> set[tuple[str, ...]]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = {tuple(row) for row in connection.exec_driver_sql("SELECT * FROM option")}
    engine.dispose()
    return found
