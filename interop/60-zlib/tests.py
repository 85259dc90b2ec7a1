"""Streams that are compressed by Python's zlib, in all the ways in which it can be told to."""

import os
import socket
import ssl
import sys
import zlib
from base64 import b64encode

LIMIT = 30
COMPRESS = "http://jabber.org/protocol/compress"


class Client:
    """A stream over TLS, compressed once it was asked for."""

    def __init__(self, name):
        context = ssl.create_default_context(cafile=os.environ["XMPP_CA"])
        context.set_alpn_protocols(["xmpp-client"])
        address = (os.environ["XMPP_HOST"], int(os.environ["XMPP_TLS_PORT"]))
        self.socket = context.wrap_socket(socket.create_connection(address, timeout=LIMIT), server_hostname="localhost")
        self.name, self.text, self.rest = name, "", b""
        self.encode, self.decode = None, None

    def send(self, xml):
        data = xml.encode()
        self.socket.sendall(self.encode(data) if self.encode else data)

    def until(self, end):
        while end not in self.text:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(f"the server closed the connection behind {self.text!r}")
            self.rest += self.decode(data) if self.decode else data
            # A character may come in two pieces.
            text = self.rest.decode(errors="ignore")
            self.rest = self.rest[len(text.encode()):]
            self.text += text
        before, end, self.text = self.text.partition(end)
        return before + end

    def header(self):
        self.send("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
                  " to='localhost' version='1.0'>")
        return self.until("</stream:features>")

    def log_in(self):
        self.header()
        proof = b64encode(f"\0{self.name}\0secret".encode()).decode()
        self.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{proof}</auth>")
        self.until("<success")
        self.until(">")
        return self.header()

    def compress(self, flush, *arguments):
        """Compresses from here on, each piece flushed in this way."""
        self.send(f"<compress xmlns='{COMPRESS}'><method>zlib</method></compress>")
        self.until(f"<compressed xmlns='{COMPRESS}'/>")
        compressor, decompressor = zlib.compressobj(*arguments), zlib.decompressobj()
        self.encode = lambda data: compressor.compress(data) + compressor.flush(flush)
        self.decode = decompressor.decompress
        return self.header()

    def bind(self):
        self.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
        self.until("<jid>")
        jid = self.until("</jid>")[:-6]
        self.send("<presence/>")
        self.until("<presence")
        return jid


def talks(flush, *arguments):
    """Whether what one says is what it hears, compressed so."""
    client = Client("alice")
    assert "<method>zlib</method>" in client.log_in()
    assert "compress" not in client.compress(flush, *arguments)
    jid = client.bind()
    for count, words in enumerate(["hello", "\N{GRINNING FACE}\u00fc" * 2000, os.urandom(20000).hex(), "x" * 50000, "bye"]):
        client.send(f"<message to='{jid}' id='m{count}' type='normal'><body>{words}</body></message>")
        client.until(f"id='m{count}'")
        assert f"<body>{words}</body>" in client.until("</message>")
    client.send("</stream:stream>")
    client.until("</stream:stream>")


def is_told(data):
    """Whether something that is no compression is told to be none."""
    client = Client("bob")
    client.log_in()
    client.compress(zlib.Z_SYNC_FLUSH)
    client.bind()
    client.encode = lambda _: data
    client.send("")
    assert "<processing-failed/>" in client.until("</stream:stream>")


def bomb():
    """Whether a megabyte in a kilobyte ends the stream."""
    client = Client("bob")
    client.log_in()
    client.compress(zlib.Z_SYNC_FLUSH, 9)
    client.bind()
    client.send(" " * (8 << 20))
    assert "<policy-violation " in client.until("</stream:stream>")


TESTS = [
    ("sync flush", lambda: talks(zlib.Z_SYNC_FLUSH)),
    ("partial flush", lambda: talks(zlib.Z_PARTIAL_FLUSH)),
    ("full flush", lambda: talks(zlib.Z_FULL_FLUSH, 9)),
    ("nothing is compressed", lambda: talks(zlib.Z_SYNC_FLUSH, 0)),
    ("a small window", lambda: talks(zlib.Z_SYNC_FLUSH, 6, zlib.DEFLATED, 9, 1)),
    ("fixed codes", lambda: talks(zlib.Z_SYNC_FLUSH, 6, zlib.DEFLATED, 15, 8, zlib.Z_FIXED)),
    ("clear text", lambda: is_told(b"<presence/>")),
    ("another format", lambda: is_told(b"\xff" * 100)),
    ("a bomb", bomb),
]

failed = 0
for name, test in TESTS:
    try:
        test()
        print(f"ok {name}")
    except Exception as error:
        failed += 1
        print(f"not ok {name}: {error!r}")
print(f"done {len(TESTS)}")
sys.exit(failed > 0)
