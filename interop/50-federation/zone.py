"""A name server for the domains of one test: SRV and A records over UDP, everything else does not exist (RFC 1035, RFC 2782)."""

import socket
import struct
import threading

A, SRV = 1, 33
ANSWER, NO_SUCH_NAME = 0x8580, 0x8583
TTL_SECONDS = 5


class Zone:
    """Answers on an address until the process ends; records may be added meanwhile."""

    def __init__(self, address: str, port: int):
        self.address, self.port = address, port
        self._records: dict[tuple[bytes, int], list[bytes]] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, port))
        threading.Thread(target=self._serve, daemon=True).start()

    def add_address(self, name: str, address: str) -> None:
        """Where a host is."""
        self._records.setdefault((_encoded(name), A), []).append(socket.inet_aton(address))

    def add_service(self, name: str, port: int, host: str) -> None:
        """Which host and port serve what `name` says."""
        self._records.setdefault((_encoded(name), SRV), []).append(struct.pack("!HHH", 0, 1, port) + _encoded(host))

    def _serve(self) -> None:
        while True:
            question, asker = self._socket.recvfrom(4096)
            self._socket.sendto(self._answer(question), asker)

    def _answer(self, question: bytes) -> bytes:
        end = question.index(b"\0", 12) + 1
        name, (kind,) = question[12:end].lower(), struct.unpack_from("!H", question, end)
        found = self._records.get((name, kind), [])
        # Of a name that is only above others there is nothing, but it exists.
        exists = any(known.endswith(name) for known, _ in self._records)
        head = struct.pack("!HHHHH", ANSWER if exists else NO_SUCH_NAME, 1, len(found), 0, 0)
        records = [struct.pack("!HHHIH", 0xC00C, kind, 1, TTL_SECONDS, len(data)) + data for data in found]
        return question[:2] + head + question[12 : end + 4] + b"".join(records)


def _encoded(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.lower().split(".")) + b"\0"
