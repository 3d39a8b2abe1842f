"""What a command says with its exit code. The package's docstring has the table."""

from __future__ import annotations

import enum

from integration_server.sdk.errors import (
    BackendError,
    ConfigError,
    DirectoryUnavailable,
    IntegrationError,
    StoreUnavailable,
)

#: ``sys.exit`` codes of BSD's sysexits.h; a login that was refused must not look like a crash.
_SOFTWARE = 70


class ExitCode(enum.IntEnum):
    """Every code there is."""

    OK = 0
    NO = 1
    USAGE = 2
    CONFIG = 3
    UNAVAILABLE = 4
    FAULT = _SOFTWARE
    INTERRUPTED = 130


class OutputLost(IntegrationError):
    """What is shown only once could not be written."""


class CannotListen(ConfigError):
    """The address of ``[server]`` cannot be listened on."""


def exit_code_of(error: IntegrationError) -> ExitCode:
    """The exit code for an error that ends a command."""
    if isinstance(error, ConfigError):
        return ExitCode.CONFIG
    if isinstance(error, BackendError | DirectoryUnavailable | StoreUnavailable):
        return ExitCode.UNAVAILABLE
    return ExitCode.NO
