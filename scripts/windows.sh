#!/bin/sh
# Run the wheel on Windows, as far as Wine is Windows: a Windows CPython, the wheel and its requirements installed with
# pip, the sample configuration served, and what people and service managers do to it. Arguments go to pytest.
# What is made for it lies in build/windows and is kept for the next time; the prefix is Wine's own, nothing else is used.
set -eu
cd "$(dirname "$0")/.."
INTEGRATION_SERVER_WINDOWS=1
export INTEGRATION_SERVER_WINDOWS

case $(uname -s)-$(uname -m) in
    Linux-x86_64) ;;
    *) echo "This takes Linux on x86-64, where Wine runs 64-bit programs of Windows." >&2; exit 1 ;;
esac
sh scripts/servers.sh wine:wine slapd:slapd slapadd:slapd ldapmodify:ldap-utils ldapsearch:ldap-utils \
    postgres:postgresql initdb:postgresql
.venv/bin/python -m tests.windows.preparing

status=0
.venv/bin/python -m pytest -n 0 "$@" tests/windows || status=$?

cat <<'END'

What this shows, and what it does not: a smoke test under Wine.
  Shown: pip installs the wheel and all requirements for Windows; the programs start, serve, and stop as they do for a
  service manager; paths with spaces and backslashes, code pages, CR LF, processes that share a socket, files that are
  open elsewhere, LDAP over TLS and PostgreSQL on the Linux side.
  Not proven: Windows itself. Wine 8 lacks two calls and a library that CPython and its extensions use
  (tests/windows/missing_parts.py), WinSW is played by tests/windows/manager.py, the event log is a stub. Access lists
  (icacls), accounts of services, NTFS, antivirus programs, the firewall, the task scheduler, IIS, a domain controller's
  machine, and speed were not tried.
END
exit "$status"
