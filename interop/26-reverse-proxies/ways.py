"""How somebody gets to the server: from an address of their own to a port of this machine, encrypted, with requests of HTTP or without."""

import http.client
import os
import socket
import ssl

LIMIT_SECONDS = 30


class Way:
    """Connections from `address` to `port`."""

    def __init__(self, address, port, fields=None, hops=()):
        self.address, self.port = address, port
        self.authority = f"localhost:{port}"
        # What somebody says in every request, and which fields they say are for the next one alone (RFC 9110 section 7.6.1).
        self.fields, self.hops = fields or {}, hops

    def saying(self, fields, hops=()):
        """The same for somebody who says this."""
        return Way(self.address, self.port, fields, hops)

    def plain(self):
        return socket.create_connection(("127.0.0.1", self.port), LIMIT_SECONDS, (self.address, 0))

    def encrypted(self, connection, protocol):
        context = ssl.create_default_context(cafile=os.environ["XMPP_CA"])
        context.set_alpn_protocols([protocol])
        return context.wrap_socket(connection, server_hostname="localhost")

    def said(self, connection, fields):
        """The fields of a request that is to have these, and what is said of its connection."""
        return self.fields | fields | {"Connection": ", ".join([connection, *self.hops])}

    def ask(self, verb, path, body=None, fields=None):
        """The answer to a request, on a connection of its own: its status, its fields and its body."""
        connection = Connection(self)
        try:
            connection.request(verb, path, body, self.said("close", fields or {}))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


class Connection(http.client.HTTPConnection):
    def __init__(self, way):
        super().__init__(way.authority)
        self.way = way

    def connect(self):
        self.sock = self.way.encrypted(self.way.plain(), "http/1.1")
