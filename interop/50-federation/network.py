"""What the servers of one test have in common: a piece of 127.0.0.0/8, its name server, its authority, and how they reach each other."""

import random
from dataclasses import dataclass
from pathlib import Path

from authority import SERVERS_AND_CLIENTS, SERVERS_ONLY, Authority
from zone import Zone

NAMES_PORT, NUMBERS_PORT = 5353, 5354
CLIENTS, SERVERS, SERVERS_TLS = 5223, 5269, 5270


@dataclass(frozen=True)
class Way:
    """How servers reach each other and prove who they are. Ours can do all of it at any time; the peers are told."""

    name: str
    # The records name the port at which TLS begins at once, and nobody listens on the other one.
    is_direct: bool = False
    # Certificates are signed by the authority that all trust, and the peers take no other proof; else nobody can trust
    # anybody's certificate, so that dialback is all that is left.
    is_certified: bool = True
    # These certificates are for servers only, as public authorities sign them, and dialback is there for who refuses them.
    is_for_servers: bool = False
    # The peers that can use one connection for both directions do.
    is_bidi: bool = False

    @property
    def has_dialback(self) -> bool:
        """Whether the peers do dialback; ours does everywhere."""
        return self.is_for_servers or not self.is_certified

    @property
    def port(self) -> int:
        """Where servers listen for each other."""
        return SERVERS_TLS if self.is_direct else SERVERS


class Network:
    """Servers that come and go in one folder. No two networks share addresses."""

    # The addresses that servers may connect to though they are none of the internet.
    trusted = "127.0.0.0/8"

    def __init__(self, folder: Path, way: Way):
        self.folder, self.way = folder, way
        folder.mkdir(parents=True, exist_ok=True)
        self.authority = Authority(folder)
        self.zone = self._zone()
        # The same, with addresses in the place of the hosts' names, for who asks the C library for addresses, which asks others.
        self.numbers = Zone(self.zone.address, NUMBERS_PORT)
        self._next, self._clients = 1, 0

    def join(self, domain: str) -> str:
        """An address for the server of a domain and its services, which others find from now on."""
        address = self._address(self._next)
        self._next += 1
        service = "_xmpps-server" if self.way.is_direct else "_xmpp-server"
        for served in (domain, f"rooms.{domain}", f"pubsub.{domain}"):
            self.zone.add_service(f"{service}._tcp.{served}", self.way.port, f"xmpp.{domain}")
            self.numbers.add_service(f"{service}._tcp.{served}", self.way.port, address)
        self.zone.add_address(f"xmpp.{domain}", address)
        return address

    def client_address(self) -> str:
        """From where the next client connects: servers limit the connections of one address."""
        self._clients += 1
        return self._address(100 + self._clients % 100)

    def certificate(self, domain: str) -> tuple[Path, Path]:
        """What a server shows, and its key."""
        if not self.way.is_certified:
            return self.authority.self_signed(domain)
        return self.authority.signed(domain, SERVERS_ONLY if self.way.is_for_servers else SERVERS_AND_CLIENTS)

    def _address(self, last: int) -> str:
        return self.zone.address.rpartition(".")[0] + f".{last}"

    @staticmethod
    def _zone() -> Zone:
        for _ in range(100):
            try:
                return Zone(f"127.{random.randint(2, 254)}.{random.randint(0, 255)}.253", NAMES_PORT)
            except OSError:
                pass
        raise RuntimeError("no address for a name server")
