"""Users in a text file with columns: CSV, tab-separated and their like.

::

    [backends.staff]
    type = "csv"
    path = "staff.csv"
    password_column = "password"

    [backends.staff.map]
    username = "login"
    emails = ["mail", "mail2"]

The first row names the columns (``has_header = false`` with ``columns = [...]`` where it does not). Without a mapping
the columns ``username``, ``full_name`` and ``email`` are read, the latter two where there are such columns. A column
that the mapping names must be there.

**A file that is being written is never believed.** New content is taken only when the file has been left alone for
``quiet_seconds``, did not change while it was read, and is sound from the first row to the last: encoding, header,
number of columns in every row, quotes, a line end after the last row. Until then, and for as long as it is not, the
last good content stays in force; the log says so once, ``integration-server check`` every time. The last good content
outlives a restart: it is kept in the server's data folder, readable by the server's own account only, because the
password hashes of the file are in it as well. Where there is no last good content, or the file is gone or cannot be
opened, that is an outage.

A last row without a line end may be one half of a row, with the rest of the file missing. Programs that leave the
last line end out on purpose (RFC 4180 section 2 allows it) need ``require_final_newline = false``.

The best way to renew the file is to write another one beside it and to rename that. With ``is_writable`` we do so
ourselves, and believe our own file at once. Groups and memberships may stand in second files.
"""

from collections.abc import Sequence

from integration_server import Backend, hookimpl
from integration_server.builtin.csv_file.backend import CsvBackend
from integration_server.builtin.csv_file.settings import CsvSettings

__all__ = ["CsvBackend", "CsvSettings", "register_backends"]


@hookimpl
def register_backends() -> Sequence[type[Backend]]:
    """The one type of this product."""
    return [CsvBackend]
