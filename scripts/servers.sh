#!/bin/sh
# See to it that the servers which the suite starts are installed (OpenLDAP, Samba, PostgreSQL, MariaDB, nginx and Caddy),
# curl and wget, with which it asks as people do, Chromium, in which it looks at pages, and PHP and Node.js, which run the
# receivers of docs/webhooks.rst, and faketime, which sets a server's clock back; or the programs that arguments name, as
# PROGRAM:PACKAGE.
# Missing ones are installed with apt-get where that is possible; otherwise this fails and names them. The suite starts
# servers of its own, in temporary folders: the system's services are neither needed nor started.
set -eu

# program:Debian package
wanted="slapd:slapd slapadd:slapd ldapmodify:ldap-utils ldapsearch:ldap-utils
    samba:samba samba-tool:samba samba-provision:samba-ad-provision samba-modules:samba-dsdb-modules
    samba-files:samba-vfs-modules
    postgres:postgresql initdb:postgresql mariadbd:mariadb-server mariadb-install-db:mariadb-server curl:curl wget:wget
    chromium:chromium php:php-cli node:nodejs nginx:nginx-light caddy:caddy faketime:faketime"
[ $# -eq 0 ] || wanted=$*

has() {
    # Some packages bring no program of their own, or one with their version in its name.
    case $1 in
        dovecot-ldap) [ -e /usr/lib/dovecot/modules/auth/libauthdb_ldap.so ]; return ;;
        dovecot-*) [ -e "/usr/lib/dovecot/modules/auth/libdriver_${1#dovecot-}.so" ]; return ;;
        php-fpm) ls /usr/sbin/php-fpm[0-9]* >/dev/null 2>&1; return ;;
        php-*) ls /usr/lib/php/*/pdo_"${1#php-}".so >/dev/null 2>&1; return ;;
        samba-provision) [ -d /usr/share/samba/setup ]; return ;;
        samba-modules) ls /usr/lib/*/samba/ldb/samba_dsdb.so >/dev/null 2>&1; return ;;
        samba-files) ls /usr/lib/*/samba/vfs/acl_xattr.so >/dev/null 2>&1; return ;;
    esac
    # Debian keeps these outside the PATH of ordinary users.
    PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 ||
        ls /usr/lib/postgresql/*/bin/"$1" >/dev/null 2>&1
}

look() {
    missing='' packages=''
    for pair in $wanted; do
        program=${pair%%:*} package=${pair#*:}
        has "$program" && continue
        missing="$missing $program"
        case " $packages " in *" $package "*) ;; *) packages="$packages $package" ;; esac
    done
}

fail() {
    echo "The suite needs programs that are not installed:$missing." >&2
    echo "$1" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

has_fresh_lists() {
    [ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mtime -7 2>/dev/null | head -n 1)" ]
}

install() {
    # Somebody else's apt-get, such as the nightly one of the system, is waited for.
    # shellcheck disable=SC2086  # several words on purpose
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends $packages
}

allow_services() {
    as_root rm -f /usr/sbin/policy-rc.d
}

look
[ -n "$missing" ] || exit 0

command -v apt-get >/dev/null 2>&1 ||
    fail "There is no apt-get here: install what Debian calls$packages, with these programs on PATH."
[ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null ||
    fail "Installing them takes root. Run:  sudo apt-get update && sudo apt-get install$packages"

echo "Installing Debian packages:$packages"
if [ ! -e /usr/sbin/policy-rc.d ]; then
    # Keep the packages from starting their services (see invoke-rc.d(8)).
    trap allow_services EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
    as_root chmod 755 /usr/sbin/policy-rc.d
fi
if ! { has_fresh_lists && install; }; then
    { as_root apt-get update -q && install; } || fail "apt-get could not install$packages; what it said stands above."
fi
look
[ -z "$missing" ] || fail "apt-get installed$packages, and they are still not to be found."
