"""What is kept of user agents and their channels."""

from __future__ import annotations

import sqlalchemy as sa

from integration_server import Tables

_metadata = sa.MetaData()

#: ``mount`` is, here and below, the frontend's name in the configuration: each has user agents of its own.
mounts = sa.Table(
    "push_mounts",
    _metadata,
    sa.Column("mount", sa.String(100), primary_key=True),
    sa.Column("endpoint_key", sa.String(64), nullable=False, doc="hexadecimal; endpoints are made with it"),
    sa.Column("last_change", sa.BigInteger, nullable=False, doc="counts the transactions that brought versions"),
)

agents = sa.Table(
    "push_agents",
    _metadata,
    sa.Column("mount", sa.String(100), primary_key=True),
    sa.Column("uaid", sa.String(32), primary_key=True),
    sa.Column("kick", sa.Text, doc="JSON: what a driver needs to wake it"),
    sa.Column("seen_at", sa.Float, nullable=False, doc="Unix seconds of its last sign of life, to a few minutes"),
    sa.Column("in_flight_until", sa.Float, nullable=False, doc="Unix seconds; an UPDATE is on its way until then"),
)

channels = sa.Table(
    "push_channels",
    _metadata,
    sa.Column("mount", sa.String(100), primary_key=True),
    sa.Column("endpoint", sa.String(22), primary_key=True, doc="follows from user agent and channel, not back"),
    sa.Column("uaid", sa.String(32), nullable=False),
    sa.Column("channel", sa.String(36), nullable=False),
    sa.Column("version", sa.BigInteger, doc="the newest one; NULL until there is one"),
    sa.Column("sent", sa.BigInteger, doc="the version in the last UPDATE of the first API"),
    sa.Column("acknowledged", sa.BigInteger, doc="the newest version that the user agent has; above it is pending"),
    sa.Column("change", sa.BigInteger, nullable=False, doc="the mount's last_change when the version came"),
    sa.Column("changed_at", sa.Float, nullable=False, doc="Unix seconds of registration or of the version"),
    sa.Column("removed_at", sa.Float, doc="Unix seconds; it was unregistered then"),
    sa.Column("binding", sa.String(100), doc="the subscription that the versions come from, where no app server is"),
    sa.UniqueConstraint("mount", "uaid", "channel", name="uq_push_channels_channel"),
)

#: Of a relay: who a user agent is at the server before it.
upstream_agents = sa.Table(
    "push_upstream_agents",
    _metadata,
    sa.Column("mount", sa.String(100), primary_key=True),
    sa.Column("uaid", sa.String(32), primary_key=True),
    sa.Column("upstream_uaid", sa.String(32), nullable=False),
    sa.Column("linked_at", sa.Float, nullable=False, doc="Unix seconds"),
    sa.UniqueConstraint("mount", "upstream_uaid", name="uq_push_upstream_agents_upstream"),
)

#: Of a relay: the endpoints that app servers call there.
upstream_channels = sa.Table(
    "push_upstream_channels",
    _metadata,
    sa.Column("mount", sa.String(100), primary_key=True),
    sa.Column("uaid", sa.String(32), primary_key=True),
    sa.Column("channel", sa.String(36), primary_key=True),
    sa.Column("endpoint", sa.Text, doc="URL; NULL until it is registered there"),
    sa.Column("errand", sa.String(10), doc="what is to be done there: register or remove; NULL where nothing is"),
)


def _make(connection: sa.Connection) -> None:
    """Written out: what the first step made must not change with the tables above."""
    connection.exec_driver_sql(
        "CREATE TABLE push_mounts ("
        " mount VARCHAR(100) NOT NULL, endpoint_key VARCHAR(64) NOT NULL, last_change BIGINT NOT NULL,"
        " PRIMARY KEY (mount))"
    )
    connection.exec_driver_sql(
        "CREATE TABLE push_agents ("
        " mount VARCHAR(100) NOT NULL, uaid VARCHAR(32) NOT NULL, kick TEXT,"
        " seen_at DOUBLE PRECISION NOT NULL, in_flight_until DOUBLE PRECISION NOT NULL,"
        " PRIMARY KEY (mount, uaid))"
    )
    connection.exec_driver_sql(
        "CREATE TABLE push_channels ("
        " mount VARCHAR(100) NOT NULL, endpoint VARCHAR(22) NOT NULL,"
        " uaid VARCHAR(32) NOT NULL, channel VARCHAR(36) NOT NULL,"
        " version BIGINT, sent BIGINT, acknowledged BIGINT, change BIGINT NOT NULL,"
        " changed_at DOUBLE PRECISION NOT NULL, removed_at DOUBLE PRECISION, binding VARCHAR(100),"
        " PRIMARY KEY (mount, endpoint),"
        " CONSTRAINT uq_push_channels_channel UNIQUE (mount, uaid, channel))"
    )
    connection.exec_driver_sql("CREATE INDEX ix_push_channels_change ON push_channels (mount, change)")


def _index_bindings(connection: sa.Connection) -> None:
    connection.exec_driver_sql(
        "CREATE INDEX ix_push_channels_binding ON push_channels (mount, binding) WHERE binding IS NOT NULL"
    )


def _make_upstream(connection: sa.Connection) -> None:
    connection.exec_driver_sql(
        "CREATE TABLE push_upstream_agents ("
        " mount VARCHAR(100) NOT NULL, uaid VARCHAR(32) NOT NULL, upstream_uaid VARCHAR(32) NOT NULL,"
        " linked_at DOUBLE PRECISION NOT NULL,"
        " PRIMARY KEY (mount, uaid),"
        " CONSTRAINT uq_push_upstream_agents_upstream UNIQUE (mount, upstream_uaid))"
    )
    connection.exec_driver_sql(
        "CREATE TABLE push_upstream_channels ("
        " mount VARCHAR(100) NOT NULL, uaid VARCHAR(32) NOT NULL, channel VARCHAR(36) NOT NULL,"
        " endpoint TEXT, errand VARCHAR(10),"
        " PRIMARY KEY (mount, uaid, channel))"
    )
    connection.exec_driver_sql("CREATE INDEX ix_push_upstream_errand ON push_upstream_channels (mount, errand)")


TABLES = Tables("push", (_make, _index_bindings, _make_upstream))
