"""A name server for SRV records that a test makes up: real DNS over UDP on a loopback port."""

from __future__ import annotations

import contextlib
import socket
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class DnsServer:
    """``records["_ldap._tcp.example.org"] = ["0 100 389 dc1.example.org."]``: priority, weight, port, target.

    Names that it does not hold do not exist (NXDOMAIN). ``asked`` counts the questions.
    """

    def __init__(self) -> None:
        self.records: dict[str, list[str]] = {}
        self.ttl = 300
        self.is_silent = False
        self.rcode: dns.rcode.Rcode | None = None
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        threading.Thread(target=self._serve, name="dns_server", daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        with contextlib.suppress(OSError):
            # Wakes the thread, which close() alone does not.
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, caller = self._socket.recvfrom(4096)
                if not data:
                    return
                self.asked += 1
                if not self.is_silent:
                    self._socket.sendto(self._answer(dns.message.from_wire(data)).to_wire(), caller)

    def _answer(self, question: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        name = question.question[0].name
        records = self.records.get(name.to_text(omit_final_dot=True).lower())
        if self.rcode is not None or records is None:
            answer.set_rcode(dns.rcode.NXDOMAIN if self.rcode is None else self.rcode)
        elif records:
            answer.answer.append(dns.rrset.from_text_list(name, self.ttl, "IN", "SRV", records))
        return answer
