"""For programs that watch over the server: whether it lives, is ready, and what it has to count."""

from integration_server.web.monitoring.blueprint import PATHS as PATHS
from integration_server.web.monitoring.blueprint import MonitoringFacts as MonitoringFacts
from integration_server.web.monitoring.blueprint import create_monitoring as create_monitoring
from integration_server.web.monitoring.health import BackendHealth as BackendHealth
