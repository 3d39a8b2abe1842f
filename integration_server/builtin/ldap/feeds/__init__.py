"""How changes of an LDAP directory are noticed without listing everybody.

===============  ==================================================  ================================================
kind             goes by                                             tells
===============  ==================================================  ================================================
dirsync          a cookie of Active Directory's DirSync control      everything, and who joined or left a group
usn              the highest number of changes of one domain         everything; of groups only that they changed
                 controller
syncrepl         a cookie of RFC 4533, content synchronization       everything; of groups only that they changed
modifyTimestamp  the newest time that an entry bears                 new and changed people
===============  ==================================================  ================================================

All but the last learn no more than which entries were touched, and read those again as a listing would (``touched``).
Where it cannot be said whom a change concerns, they ask for a comparison of everybody.
"""

from __future__ import annotations

from integration_server.builtin.ldap.feeds.choice import Feeds

__all__ = ["Feeds"]
