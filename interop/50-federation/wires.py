"""Two places of a network that one cable joins, each a network namespace of its own, and the tests' own place that reaches both by other
cables. Nothing of it is left once the processes that hold the places have ended, however they end.
"""

import socket
import subprocess

# Addresses of servers do not depend on whether a cable is plugged in, so they are those of the loopback interfaces.
NET = "10.77.0"
HOME = f"{NET}.254"
# The two ends of the cable.
ENDS = ("10.77.9.1", "10.77.9.2")
# States of connections that nobody holds any more in the kernel's table: FIN_WAIT1, LAST_ACK, CLOSING.
GIVEN_UP = ("04", "09", "0B")


class Place:
    """A network namespace, held by a process that lives as long as this one."""

    def __init__(self, name: str, addresses: list[str], way_home: int):
        self.name, self.addresses = name, addresses
        # It ends with its input, so with whoever started it.
        command = ["unshare", "--net", "sh", "-c", "echo held; exec cat"]
        self._holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._holder.stdout.readline() == b"held\n", f"no namespace for {name}: is this root?"
        self.holder = self._holder.pid
        self.prefix = ["nsenter", f"--net=/proc/{self.holder}/ns/net"]
        self._join_home(f"10.77.{way_home}")

    def ip(self, *words: str) -> None:
        """Changes something with `ip` in this place."""
        subprocess.run([*self.prefix, "ip", *words], check=True)

    def unsent(self, to: list[str]) -> list[str]:
        """Connections with these addresses that were given up and still have something to send, in words of the kernel's table."""
        with open(f"/proc/{self.holder}/net/tcp") as table:
            rows = [line.split() for line in table][1:]
        return [" ".join(row[1:5]) for row in rows if row[3] in GIVEN_UP and _address(row[2]) in to and row[4][:8] != "00000000"]

    def end(self) -> None:
        self._holder.kill()
        self._holder.wait()

    def _join_home(self, net: str) -> None:
        ours, theirs = f"home-{self.name}", "home"
        _ip("link", "add", "name", ours, "type", "veth", "peer", "name", theirs, "netns", str(self.holder))
        _ip("address", "add", f"{net}.254/24", "dev", ours)
        _ip("link", "set", ours, "up")
        self.ip("link", "set", "lo", "up")
        self.ip("address", "add", f"{net}.1/24", "dev", theirs)
        self.ip("link", "set", theirs, "up")
        # Whatever is not on the cable goes home, where nobody hands it on.
        self.ip("route", "add", "default", "via", f"{net}.254")
        for address in self.addresses:
            self.ip("address", "add", f"{address}/32", "dev", "lo")
            _ip("route", "add", f"{address}/32", "via", f"{net}.1")


class Cable:
    """Joins two places until it is cut; then everything that is sent over it is lost, and nobody is told."""

    def __init__(self, one: Place, other: Place):
        self.one, self.other = one, other
        one.ip("link", "add", "name", "cable", "type", "veth", "peer", "name", "far")
        one.ip("link", "set", "far", "netns", str(other.holder))
        one.ip("address", "add", f"{ENDS[0]}/24", "dev", "cable")
        other.ip("address", "add", f"{ENDS[1]}/24", "dev", "far")
        one.ip("link", "set", "cable", "up")
        self.join()
        self._lead(one, "cable", ENDS[1], other)

    def unsent(self) -> list[str]:
        """Connections over it that were given up and still have something to send."""
        return [*self.one.unsent([*ENDS, *self.other.addresses]), *self.other.unsent([*ENDS, *self.one.addresses])]

    def cut(self) -> None:
        self.other.ip("link", "set", "far", "down")

    def join(self) -> None:
        """Also what was cut; what leads over it has to be told again on the side that was down."""
        self.other.ip("link", "set", "far", "up")
        self._lead(self.other, "far", ENDS[0], self.one)

    @staticmethod
    def _lead(place: Place, device: str, gate: str, to: Place) -> None:
        for address in to.addresses:
            place.ip("route", "replace", f"{address}/32", "via", gate, "dev", device)


def settle_at_home(addresses: list[str]) -> None:
    """Makes the namespace that this process is in, which is new and empty, the tests' own place."""
    _ip("link", "set", "lo", "up")
    for address in addresses:
        _ip("address", "add", f"{address}/32", "dev", "lo")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _address(word: str) -> str:
    """The address in a word of the kernel's table."""
    return socket.inet_ntoa(bytes.fromhex(word.partition(":")[0])[::-1])
