"""The dashboard under /dashboard: one module per page, each with its template."""

from __future__ import annotations

from integration_server.web.dashboard.blueprint import PREFIX as PREFIX
from integration_server.web.dashboard.blueprint import create_dashboard as create_dashboard
from integration_server.web.dashboard.facts import DashboardFacts as DashboardFacts
