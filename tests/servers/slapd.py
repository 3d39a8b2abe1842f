"""A private OpenLDAP server with the sample people, TLS of its own authority, and limits to run into."""

from __future__ import annotations

import base64
import hashlib
import socket
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from tests.servers.certificates import Authority, Certificate
from tests.servers.people import GROUPS, PEOPLE, Person
from tests.servers.server import Server, free_port, program

_PACKAGE = "the packages slapd and ldap-utils"
_ANONYMOUS_BIND = bytes.fromhex("300c020101600702010304008000")
_SCHEMAS = ("core", "cosine", "inetorgperson", "nis")

#: The attributes of Active Directory that a mapping may want, with the syntaxes they have there.
_AD_SCHEMA = """\
attributetype ( 1.3.6.1.4.1.4203.666.1.901 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch
    SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.1.902 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch
    SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.1.903 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch
    SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.4203.666.1.904 NAME 'userAccountControl' EQUALITY integerMatch
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.1.905 NAME 'accountExpires' EQUALITY integerMatch
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.1.906 NAME 'objectGUID' EQUALITY octetStringMatch
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.4203.666.3.901 NAME 'adPerson' SUP top AUXILIARY
    MAY ( sAMAccountName $ userPrincipalName $ proxyAddresses $ userAccountControl $ accountExpires $ objectGUID ) )
"""


@dataclass(frozen=True, slots=True)
class SlapdOptions:
    """What tests vary. Limits hold for everybody but the admin: slapd never limits its rootdn."""

    #: slapd.conf's ``limits *`` arguments, such as ``"size=10"`` or ``"size.prtotal=25"`` or ``"time=1"``.
    limits: str = ""
    certificate: Literal["good", "expired", "other_name", "name_only"] = "good"
    overlays: tuple[str, ...] = ("memberof", "ppolicy", "syncprov")
    #: Further lines of slapd.conf, before the database and within it.
    global_lines: str = ""
    database_lines: str = ""
    has_people: bool = True


class Slapd(Server):
    """``base`` holds ``ou=people`` (``PEOPLE``), ``ou=groups`` and, after load(), ``ou=crowd``."""

    base = "dc=example,dc=org"
    people = f"ou=people,{base}"
    groups = f"ou=groups,{base}"
    crowd = f"ou=crowd,{base}"
    admin_dn = f"cn=admin,{base}"
    admin_password = "the admin's secret"
    #: Reads everything but passwords, and is subject to the limits.
    reader_dn = f"cn=reader,{base}"
    reader_password = "the reader's secret"

    def __init__(self, directory: Path, options: SlapdOptions = SlapdOptions()) -> None:
        super().__init__(directory)
        self.options = options
        self.ldaps_port = 0
        self._authority = Authority(directory / "tls")
        self._certificates: dict[str, Certificate] = {}

    @property
    def uri(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def ldaps_uri(self) -> str:
        return f"ldaps://127.0.0.1:{self.ldaps_port}"

    @property
    def ldapi_uri(self) -> str:
        return f"ldapi://{quote(str(self.directory / 'ldapi'), safe='')}"

    @property
    def ca_file(self) -> Path:
        return self._authority.ca_file

    def client_certificate(self, name: str, *, is_expired: bool = False) -> Certificate:
        """A certificate for ``cn=<name>`` that the server trusts."""
        return self._authority.issue(f"client {name}", names=(name,), addresses=(), is_expired=is_expired)

    def dn_of(self, uid: str) -> str:
        """The DN of a person of ``PEOPLE`` or, for ``u<number>``, of the crowd."""
        parent = self.people if any(person.uid == uid for person in PEOPLE) else self.crowd
        return f"uid={escaped(uid)},{parent}"

    def prepare(self) -> None:
        self._authority.create()
        self._certificates = {
            "good": self._authority.issue("good"),
            "expired": self._authority.issue("expired", is_expired=True),
            "other_name": self._authority.issue("other_name", names=("ldap.example.net",), addresses=()),
            "name_only": self._authority.issue("name_only", addresses=()),
        }
        (self.directory / "data").mkdir()
        (self.directory / "ad.schema").write_text(_AD_SCHEMA, encoding="ascii")
        self._write_configuration()
        if self.options.has_people:
            self._slapadd("\n".join(self._entries()))

    def choose_ports(self) -> None:
        self.port, self.ldaps_port = free_port(), free_port()

    def command(self) -> list[str]:
        slapd = program("slapd", package=_PACKAGE)
        # Any -d keeps it in the foreground; "none" still logs what it cannot start without.
        return [slapd, "-d", "none", "-f", "slapd.conf", "-h", f"{self.uri}/ {self.ldaps_uri}/ {self.ldapi_uri}"]

    def is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                connection.sendall(_ANONYMOUS_BIND)
                return bool(connection.recv(1))
        except OSError:
            return False

    def reconfigure(self, **changes: object) -> None:
        """Restart with other options; the data and the ports stay."""
        self.stop()
        self.options = replace(self.options, **changes)  # type: ignore[arg-type]
        self._write_configuration()
        self.start()

    def add(self, ldif: str) -> None:
        """Add the entries of an LDIF text."""
        self._ldapmodify("-a", ldif)

    def modify(self, ldif: str) -> None:
        """Carry out the changes (``changetype:``) of an LDIF text."""
        self._ldapmodify("-c", ldif)

    def delete(self, dn: str) -> None:
        self.modify(f"{_line('dn', dn)}\nchangetype: delete\n")

    def load(self, count: int, *, start: int = 0) -> None:
        """Put ``u<start>`` and so on below ``ou=crowd``, in seconds for a hundred thousand; restarts the server.

        The password of ``u7`` is ``pw7``.
        """
        head = f"dn: {self.crowd}\nobjectClass: organizationalUnit\nou: crowd\n\n" if start == 0 else ""
        self.load_entries(head + "".join(_stranger(self.crowd, number) for number in range(start, start + count)))

    def load_entries(self, ldif: str) -> None:
        """Put entries of an LDIF text into the stopped server's files, past its overlays; restarts the server."""
        was_running = self.is_running
        self.stop()
        self._slapadd(ldif)
        if was_running:
            self.start()

    def _ldapmodify(self, how: str, ldif: str) -> None:
        tool = program("ldapmodify", package=_PACKAGE)
        login = ["-x", "-H", self.uri, "-D", self.admin_dn, "-w", self.admin_password]
        self.run([tool, how, *login], input=ldif.encode())

    def _slapadd(self, ldif: str) -> None:
        slapadd = program("slapadd", package=_PACKAGE)
        self.run([slapadd, "-q", "-f", "slapd.conf", "-b", self.base], input=ldif.encode())

    def _write_configuration(self) -> None:
        certificate = self._certificates[self.options.certificate]
        schemas = "".join(f"include /etc/ldap/schema/{name}.schema\n" for name in _SCHEMAS)
        modules = "".join(f"moduleload {name}\n" for name in ("back_mdb", *self.options.overlays))
        limits = f"limits * {self.options.limits}\n" if self.options.limits else ""
        lines = f"""\
{schemas}include "{self.directory}/ad.schema"
modulepath /usr/lib/ldap
{modules}TLSCACertificateFile "{self.ca_file}"
TLSCertificateFile "{certificate.certificate}"
TLSCertificateKeyFile "{certificate.key}"
sizelimit unlimited
threads 8
{self.options.global_lines}
access to attrs=userPassword by self write by anonymous auth by * none
access to * by * read
database mdb
suffix {self.base}
rootdn {self.admin_dn}
rootpw "{self.admin_password}"
directory "{self.directory}/data"
maxsize 4294967296
dbnosync
index objectClass,entryUUID,entryCSN eq
index uid,mail,cn,sAMAccountName,userPrincipalName eq
{limits}{"".join(f"overlay {name}{chr(10)}" for name in self.options.overlays)}{self.options.database_lines}
"""
        (self.directory / "slapd.conf").write_text(lines, encoding="utf-8")

    def _entries(self) -> Iterator[str]:
        yield f"dn: {self.base}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n"
        for unit in ("people", "groups"):
            yield f"dn: ou={unit},{self.base}\nobjectClass: organizationalUnit\nou: {unit}\n"
        yield (
            f"dn: {self.reader_dn}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n"
            f"userPassword: {ssha(self.reader_password)}\n"
        )
        for person in PEOPLE:
            yield self._person(person)
        for group in GROUPS:
            members = [self.dn_of(person.uid) for person in PEOPLE if group in person.groups]
            yield "\n".join(
                [
                    f"dn: cn={group},{self.groups}\nobjectClass: groupOfNames\ncn: {group}",
                    *(_line("member", dn) for dn in members),
                    "",
                ]
            )

    def _person(self, person: Person) -> str:
        lines = [
            _line("dn", self.dn_of(person.uid)),
            "objectClass: inetOrgPerson\nobjectClass: adPerson",
            _line("uid", person.uid),
            _line("cn", person.full_name),
            _line("sn", person.surname),
            _line("givenName", person.given_name),
            _line("displayName", person.full_name),
            _line("sAMAccountName", person.uid),
            _line("userPrincipalName", f"{person.uid}@example.org"),
            "userAccountControl: 512",
            f"objectGUID:: {base64.b64encode(uuid.uuid5(uuid.NAMESPACE_DNS, person.uid).bytes).decode()}",
            f"userPassword: {ssha(person.password)}",
        ]
        lines += [_line("mail", address) for address in person.emails]
        lines += [_line("proxyAddresses", f"SMTP:{address}") for address in person.emails[:1]]
        lines += [_line("proxyAddresses", f"smtp:{address}") for address in person.emails[1:]]
        if "memberof" in self.options.overlays:
            # slapadd passes the overlay by, which would have written these.
            lines += [f"memberOf: cn={group},{self.groups}" for group in person.groups]
        return "\n".join([*lines, ""])


def escaped(value: str) -> str:
    """A value within a DN (RFC 4514)."""
    shown = "".join(f"\\{letter}" if letter in '\\,+"<>;=' else letter for letter in value)
    return f"\\{shown}" if shown[:1] in ("#", " ") else shown


def ssha(password: str) -> str:
    salt = hashlib.sha256(password.encode()).digest()[:8]
    digest = hashlib.sha1(password.encode() + salt).digest()
    return "{SSHA}" + base64.b64encode(digest + salt).decode()


def _line(name: str, value: str) -> str:
    return f"{name}:: {base64.b64encode(value.encode()).decode()}"


def _stranger(parent: str, number: int) -> str:
    salt = b"%08d" % number
    password = base64.b64encode(hashlib.sha1(b"pw%d" % number + salt).digest() + salt).decode()
    return (
        f"dn: uid=u{number},{parent}\nobjectClass: inetOrgPerson\nuid: u{number}\ncn: User Number {number}\n"
        f"sn: Number {number}\ngivenName: User\n{_line('displayName', f'Üser Nümber {number}')}\n"
        f"mail: u{number}@example.org\nmail: user.{number}@example.net\nemployeeNumber: {number}\n"
        f"telephoneNumber: +1 555 {number:07d}\nuserPassword: {{SSHA}}{password}\n\n"
    )
