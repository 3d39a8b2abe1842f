"""Lets somebody do something with an entry of a Samba domain, deleted ones and their container included.

Run by the interpreter of samba-tool, which has Samba's modules: FOLDER DN RIGHTS, where the rights are one entry of an
access control list in SDDL.
"""

import sys

import ldb
from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_pack, ndr_unpack
from samba.param import LoadParm
from samba.samdb import SamDB

ATTRIBUTE = "nTSecurityDescriptor"
CONTROLS = ["show_deleted:1", "sd_flags:1:4"]


def main() -> None:
    folder, dn, rights = sys.argv[1:]
    settings = LoadParm()
    settings.load(f"{folder}/etc/smb.conf")
    database = SamDB(url=f"{folder}/private/sam.ldb", session_info=system_session(settings), lp=settings)
    entry = database.search(dn, scope=ldb.SCOPE_BASE, attrs=[ATTRIBUTE], controls=CONTROLS)[0]
    domain = security.dom_sid(database.get_domain_sid())
    before = ndr_unpack(security.descriptor, entry[ATTRIBUTE][0]).as_sddl(domain)
    head, bracket, rest = before.partition("(")
    after = security.descriptor.from_sddl(f"{head}{rights}{bracket}{rest}", domain)
    change = ldb.Message(entry.dn)
    change[ATTRIBUTE] = ldb.MessageElement(ndr_pack(after), ldb.FLAG_MOD_REPLACE, ATTRIBUTE)
    database.modify(change, controls=CONTROLS)


if __name__ == "__main__":
    main()
