"""Wakes machines on the local network with a magic packet (Wake-on-LAN): an example of the hook ``wake_consumer``.

Copy this file into the folder of ``[plugins] folder = ...``, set ``kick = "plugin"`` at the push server, and have
clients tell ``{"mac": "00:11:22:33:44:55"}`` as their kick data. The packet goes to UDP port 9 of the broadcast address
of this machine's network; name that of another one in the environment of the server::

    INTEGRATION_SERVER_WAKE_ADDRESS=192.168.7.255
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping

from integration_server import hookimpl

VARIABLE = "INTEGRATION_SERVER_WAKE_ADDRESS"
PORT = 9
_MAC = re.compile(r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}", re.ASCII | re.IGNORECASE)


@hookimpl
def wake_consumer(mount: str, consumer: str, kick: Mapping[str, object]) -> None:
    """One packet; who told no MAC address is nobody whom this wakes."""
    mac = kick.get("mac")
    if not isinstance(mac, str) or not _MAC.fullmatch(mac):
        return
    host, _, port = os.environ.get(VARIABLE, "255.255.255.255").partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sender.sendto(b"\xff" * 6 + bytes.fromhex(re.sub("[:-]", "", mac)) * 16, (host, int(port or PORT)))
