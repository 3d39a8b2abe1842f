"""``gs_auth_token_create DSN``: GroupServer's own program of this name, for its database and for a store of ours.

Arguments, output and exit codes are those of the original as of June 2015, so that whatever calls it goes on working:

====  ==============================================================
0     done
1     the DSN cannot be used
2     its database cannot be reached; also: the line was typed wrongly
====  ==============================================================
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from integration_server.cli.exits import OutputLost
from integration_server.cli.output import tell_once
from integration_server.sdk.errors import ConfigError, StoreUnavailable

_PROGRAM = "gs_auth_token_create"
_UNUSABLE, _UNREACHABLE = 1, 2
_SAID = """\
The token for the web hooks of GroupServer has been changed. It is now

    {token}

Please update the configuration files of everything that calls the web hooks, such as
etc/gsconfig.ini: the old token is refused from now on."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program with ``sys.argv``'s or these arguments; its exit code. Raises SystemExit, as argparse does."""
    dsn: str = _parser().parse_args(arguments).dsn
    # Standard error is for this program's own lines.
    logging.getLogger().addHandler(logging.NullHandler())
    from integration_server.store.groupserver_option import rotate

    try:
        token = rotate(dsn)
        tell_once(lambda: print(_SAID.format(token=token)), lambda: None, "the token was changed; change it again")
    except StoreUnavailable as exc:
        return _complain(exc, _UNREACHABLE)
    except (ConfigError, OutputLost) as exc:
        return _complain(exc, _UNUSABLE)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="Make a new token for the web hooks of GroupServer. The old one is refused at once.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "dsn",
        metavar="DSN",
        help="GroupServer's database, postgres://user:password@host:port/database_name, where user, password and port "
        "may be left out; or the store of an integration-server, such as sqlite:////var/lib/x/store.db",
    )
    return parser


def _complain(error: Exception, code: int) -> int:
    for line in str(error).splitlines():
        print(f"{_PROGRAM}: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
