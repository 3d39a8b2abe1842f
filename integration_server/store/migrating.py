"""Carrying out migrations; loaded for a store that is not current."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory


def migrate(connection: sa.Connection) -> None:
    """Bring the schema to this version's, within the transaction of the connection."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def known() -> set[str]:
    """Every revision of the schema that this version has heard of."""
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _config() -> Config:
    config = Config()
    # Configuration values are %-interpolated, and a path may hold a percent sign.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
