"""Streams of XMPP over all that carries them: TCP, WebSocket (RFC 7395) and BOSH (XEP-0206)."""

import os
import re
import struct
from base64 import b64encode
from hashlib import sha1

from ways import LIMIT_SECONDS

CLIENT = "jabber:client"
FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
BIND = "http://jabber.org/protocol/httpbind"
PASSWORD = "secret"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Stream:
    """Somebody's stream. What it is told may wait until something is to be heard."""

    def __init__(self, way):
        self.way, self.text, self.asked = way, "", 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def until(self, end):
        """What is heard up to `end`."""
        while end not in self.text:
            self.text += self.read()
        before, end, self.text = self.text.partition(end)
        return before + end

    def log_in(self, name):
        self.open()
        proof = b64encode(f"\0{name}\0{PASSWORD}".encode()).decode()
        self.write(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{proof}</auth>")
        self.until("<success")
        self.until(">")
        self.open()
        self.write(f"<iq xmlns='{CLIENT}' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
        self.until("<jid>")
        self.jid = self.until("</jid>").removesuffix("</jid>")
        self.write(f"<presence xmlns='{CLIENT}'/>")
        self.ask("<ping xmlns='urn:xmpp:ping'/>")
        return self

    def ask(self, payload, to="localhost"):
        """The answer to a request."""
        self.asked += 1
        self.write(f"<iq xmlns='{CLIENT}' type='get' id='ask{self.asked}' to='{to}'>{payload}</iq>")
        self.until(f"id='ask{self.asked}'")
        # The end of the element, in one tag or behind its content.
        head = self.until(">")
        return head if head.endswith("/>") else head + self.until("</iq>")

    def say(self, to, words):
        self.write(f"<message xmlns='{CLIENT}' type='chat' to='{to}'><body>{words}</body></message>")
        self.ask("<ping xmlns='urn:xmpp:ping'/>")

    def hears(self, words):
        self.until(f"<body>{words}</body>")


class Tcp(Stream):
    """A stream of its own, encrypted from its first byte."""

    def __init__(self, way):
        super().__init__(way)
        self.socket = self.connected()

    def connected(self):
        return self.way.encrypted(self.way.plain(), "xmpp-client")

    def open(self):
        self.write("<stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>")
        return self.until("</stream:features>")

    def write(self, xml):
        self.socket.sendall(xml.encode())

    def read(self):
        # All that is said here is ASCII.
        data = self.socket.recv(65536)
        assert data, f"the stream has ended behind {self.text!r}"
        return data.decode()

    def close(self):
        self.socket.close()


class StartTls(Tcp):
    """A stream that is encrypted when it has begun."""

    def connected(self):
        self.socket = self.way.plain()
        self.open()
        self.write("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        self.until("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        return self.way.encrypted(self.socket, "xmpp-client")


class WebSocket(Stream):
    def __init__(self, way):
        super().__init__(way)
        self.socket = way.encrypted(way.plain(), "http/1.1")
        self.bytes = b""
        key = b64encode(os.urandom(16)).decode()
        fields = {"Host": way.authority, "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key,
                  "Sec-WebSocket-Protocol": "xmpp", "Origin": f"https://{way.authority}"}
        lines = [f"{name}: {value}\r\n" for name, value in way.said("Upgrade", fields).items()]
        self.socket.sendall(f"GET /xmpp-websocket HTTP/1.1\r\n{''.join(lines)}\r\n".encode())
        while b"\r\n\r\n" not in self.bytes:
            self.receive()
        head, _, self.bytes = self.bytes.partition(b"\r\n\r\n")
        proof = b64encode(sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
        assert head.startswith(b"HTTP/1.1 101 ") and proof.encode() in head, head.decode()

    def receive(self):
        data = self.socket.recv(65536)
        assert data, f"the connection has ended behind {self.bytes!r}"
        self.bytes += data

    def taken(self, count):
        while len(self.bytes) < count:
            self.receive()
        taken, self.bytes = self.bytes[:count], self.bytes[count:]
        return taken

    def frame(self, kind, payload):
        """A frame of a client (section 5.2); its mask changes nothing."""
        length = len(payload)
        size = struct.pack("!B", 0x80 | length) if length < 126 else struct.pack("!BH", 0x80 | 126, length)
        self.socket.sendall(struct.pack("!B", 0x80 | kind) + size + bytes(4) + payload)

    def open(self):
        self.write(f"<open xmlns='{FRAMING}' to='localhost' version='1.0'/>")
        return self.until("</stream:features>")

    def write(self, xml):
        self.frame(TEXT, xml.encode())

    def read(self):
        first, length = struct.unpack("!BB", self.taken(2))
        if length > 125:
            [length] = struct.unpack("!H", self.taken(2)) if length == 126 else struct.unpack("!Q", self.taken(8))
        payload = self.taken(length)
        kind = first & 15
        assert kind != CLOSE, f"it was closed with {payload!r}"
        if kind == PING:
            self.frame(PONG, payload)
        return "" if kind in (PING, PONG) else payload.decode()

    def close(self):
        self.socket.close()


class Bosh(Stream):
    """Each request is on a connection of its own."""

    def __init__(self, way):
        super().__init__(way)
        self.sid, self.said, self.number = None, "", int.from_bytes(os.urandom(4), "big")

    def open(self):
        xmpp = "xmlns:xmpp='urn:xmpp:xbosh'"
        if self.sid is None:
            self.text = self.post(f"to='localhost' wait='{LIMIT_SECONDS // 2}' hold='1' ver='1.6' xmpp:version='1.0' {xmpp}")
            self.sid = re.search("sid='([^']*)'", self.text)[1]
        else:
            self.text += self.post(f"sid='{self.sid}' to='localhost' xmpp:restart='true' {xmpp}")
        return self.until("</stream:features>")

    def post(self, attributes, payload=""):
        self.number += 1
        body = f"<body xmlns='{BIND}' rid='{self.number}' {attributes}>{payload}</body>"
        fields = {"Content-Type": "text/xml; charset=utf-8"}
        status, _, answer = self.way.ask("POST", "/http-bind", body.encode(), fields)
        assert status == 200, f"{status} {answer!r}"
        return answer.decode()

    def write(self, xml):
        self.said += xml

    def read(self):
        said, self.said = self.said, ""
        answer = self.post(f"sid='{self.sid}'", said)
        assert "type='terminate'" not in answer, answer
        return answer

    def close(self):
        if self.sid:
            self.post(f"sid='{self.sid}' type='terminate'")
