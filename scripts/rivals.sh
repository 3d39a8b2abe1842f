#!/bin/sh
# See to it that the servers are installed which the bench starts to measure beside ours: Dovecot, nginx and PHP-FPM, with
# their modules for SQLite, PostgreSQL and LDAP. privacyIDEA comes from PyPI, into a virtual environment of its own.
set -eu
exec sh "$(dirname "$0")/servers.sh" \
    doveadm:dovecot-core dovecot-ldap:dovecot-ldap dovecot-pgsql:dovecot-pgsql dovecot-sqlite:dovecot-sqlite \
    nginx:nginx-light php-fpm:php-fpm php-pgsql:php-pgsql php-sqlite:php-sqlite3
