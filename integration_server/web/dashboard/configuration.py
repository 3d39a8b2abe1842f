"""Configuration: every setting in force with its file, secrets masked, and the plugins that are loaded."""

from __future__ import annotations

from itertools import groupby

import flask

from integration_server import effective
from integration_server.plugins import Plugin
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.rendering import Rendering
from integration_server.web.dashboard.route import Route, Visit

_KINDS = {"builtin": "came with the server", "package": "installed package", "file": "drop-in file"}


class ConfigurationPage:
    """As it was read when the server started; only whether the files have changed is looked up."""

    def __init__(self, facts: DashboardFacts, rendering: Rendering) -> None:
        self._facts = facts
        self._rendering = rendering

    def routes(self) -> list[Route]:
        return [Route("GET", "/configuration", "configuration", self.page)]

    def page(self, visit: Visit) -> flask.Response:
        config = self._facts.config
        return self._rendering.page(
            "configuration.html",
            visit,
            folder=config.base_dir,
            data_dir=config.data_dir,
            files=[path.name for path in config.files],
            changed=effective.changed_files(config),
            tables=self._tables(),
            implied=[(name, table) for name, table in self._facts.tables.items() if table.kind == "frontends"],
            plugins=[(plugin, _KINDS[plugin.kind], _registers(plugin)) for plugin in self._facts.plugins.loaded],
            disabled=config.core.plugins.disabled,
        )

    def _tables(self) -> list[tuple[str, list[tuple[str, str, str | None]]]]:
        """Each table with its keys, values as they are written, and their files."""
        found = effective.settings(
            self._facts.config,
            self._facts.plugins,
            {name: source.settings for name, source in self._facts.sources.items()},
            {name: mount.settings for name, mount in self._facts.mounts.items()},
            self._facts.subscriptions,
        )
        return [
            (table, [(one.key, effective.written(one.value), one.file) for one in settings])
            for table, settings in groupby(found, key=lambda one: one.table)
        ]


def _registers(plugin: Plugin) -> list[tuple[str, str]]:
    """What it brought, by kind."""
    brought = {"backends": plugin.backends, "frontends": plugin.frontends, "receivers": plugin.consumers}
    return [(kind, ", ".join(names)) for kind, names in brought.items() if names]
