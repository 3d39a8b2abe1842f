"""Leaves service accounts out of every list and every login: an example of the ``transform_user`` hook.

Copy this file into the folder of ``[plugins] folder = ...``, and change ``PREFIXES`` to what your accounts begin with.
Nothing needs to be configured. People it hides vanish from lists that are in use, so try it first::

    integration-server users --why svc-backup
"""

from __future__ import annotations

from integration_server import HIDDEN, Hidden, User, hookimpl, normalize_name

#: How the user names of service accounts begin, in any case.
PREFIXES = ("svc-", "svc_")


@hookimpl
def transform_user(user: User) -> User | Hidden:
    """HIDDEN for service accounts, everybody else unchanged."""
    return HIDDEN if normalize_name(user.username).startswith(PREFIXES) else user
