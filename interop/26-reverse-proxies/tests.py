"""What people do behind each proxy. Arguments: the page with the lines for the proxies, and a folder for scratch."""

import html
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from page import Page
from proxies import CERTIFICATE, KEY, Apache, Caddy, HAProxy, HAProxyWhole, Nginx
from streams import Bosh, StartTls, Tcp, WebSocket
from ways import Way

PAGE, SCRATCH = Page(sys.argv[1]), sys.argv[2]
CTL, CONFIG, DATA = os.environ["XMPP_CTL"], os.environ["XMPP_CONFIG"], os.environ["XMPP_DATA"]
PORT, MULTI_PORT = int(os.environ["PROXY_PORT"]), os.environ["MULTI_PORT"]
HERE = f"https://localhost:{PORT}"
# Who somebody says to be who is not.
FORGED = "198.51.100.66"
LIES = {"X-Forwarded-For": FORGED, "X-Forwarded-Proto": "http", "X-Real-IP": FORGED, "Forwarded": f"for={FORGED};proto=http"}
# More than a request may have where nobody has said otherwise, with a name in which everything is that may be in one.
FILE, FILE_NAME = os.urandom(3 << 20), "a picture of ü & \"it's\" #1? (50+50=100; a,b:c@d!e*f$g) [h]{i}|^`~.png"


def control(*words):
    done = subprocess.run([CTL, *words], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def configure(mark, names, more=""):
    """Gives the server the lines for its side. Nobody may log in without TLS, from this machine either."""
    lines = [f'listen.multi = ["127.0.0.1:{MULTI_PORT}"]', "web.private = []", more, PAGE.block("toml", mark, names)]
    Path(CONFIG).write_text("\n".join(lines))
    control("--socket", f"{DATA}/control.sock", "reload")


def seen_from(jid):
    """The address from which the server sees a session come."""
    rows = [line.split() for line in control("--socket", f"{DATA}/control.sock", "session", "list").splitlines()]
    [address] = [row[1] for row in rows if row[0] == jid]
    return address


def talks_over(Kind):
    def people_talk(way):
        with Kind(way).log_in("alice") as alice, Kind(way).log_in("bob") as bob:
            # What nobody has said before: what was not proved to have been read comes again.
            for words in [os.urandom(8).hex(), os.urandom(10_000).hex()]:
                alice.say(bob.jid, words)
                bob.hears(words)
                bob.say(alice.jid, words)
                alice.hears(words)
            assert seen_from(alice.jid) == seen_from(bob.jid) == way.address

    people_talk.__name__ = f"people_talk_over_{Kind.__name__}"
    return people_talk


def a_file_is_sent(way):
    slot = f"<request xmlns='urn:xmpp:http:upload:0' filename='{html.escape(FILE_NAME)}' size='{len(FILE)}' content-type='image/png'/>"
    with WebSocket(way).log_in("alice") as alice:
        given = alice.ask(slot, "upload.localhost")
    url = html.unescape(re.search("<put url='([^']*)'", given)[1])
    proof = re.search("<header name='Authorization'>([^<]*)<", given)[1]
    assert url.startswith(f"{HERE}/upload/"), url
    path = url.removeprefix(HERE)
    status, _, _ = way.ask("PUT", path, FILE, {"Authorization": proof, "Content-Type": "image/png"})
    assert status == 201, status
    status, fields, body = way.ask("GET", path)
    assert (status, fields["Content-Type"], body == FILE) == (200, "image/png", True), (status, fields)
    status, _, body = way.ask("GET", path, fields={"Range": "bytes=1000-1999"})
    assert (status, body) == (206, FILE[1000:2000]), status


def the_server_is_found(way):
    for path in ["/.well-known/host-meta", "/.well-known/host-meta.json"]:
        status, fields, body = way.ask("GET", path)
        assert (status, fields["Access-Control-Allow-Origin"]) == (200, "*"), (path, status, fields)
        for href in [f"{HERE.replace('https', 'wss')}/xmpp-websocket", f"{HERE}/http-bind"]:
            assert href in body.decode(), body


def the_chat_page_is_there(way):
    status, fields, _ = way.ask("GET", "/chat")
    assert status == 308 and fields["Location"] in ["/chat/", f"{HERE}/chat/"], (status, fields)
    status, fields, body = way.ask("GET", "/chat/")
    assert status == 200 and f"wss://localhost:{PORT}" in fields["Content-Security-Policy"], (status, fields)
    files = re.findall("(?:src|href)='(/chat/[^']+)'", body.decode())
    assert files, body
    for path in files:
        status, _, body = way.ask("GET", path)
        assert status == 200 and body, (path, status)


def nobody_is_who_they_say(way):
    for Kind in [WebSocket, Bosh]:
        with Kind(way.saying(LIES)).log_in("alice") as alice:
            assert seen_from(alice.jid) == way.address, Kind


def nobody_hides_behind_the_proxy(way):
    for Kind in [WebSocket, Bosh]:
        # What is said to be for the proxy alone is taken out by some, and what they have put there themselves with it.
        with Kind(way.saying(LIES, ["X-Forwarded-For"])).log_in("alice") as alice:
            assert seen_from(alice.jid) == way.address, Kind


def nothing_else_is_passed_on(way):
    for path in ["/", "/healthz", "/chatter"]:
        _, fields, _ = way.ask("GET", path)
        # What every answer of the server has.
        assert "X-Content-Type-Options" not in fields, (path, fields)


def a_second_header_is_not_believed(way):
    connection = way.plain()
    connection.sendall(f"PROXY TCP4 {FORGED} 127.0.0.1 5000 443\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    answer = connection.recv(65536)
    connection.close()
    assert not answer or answer.startswith(b"HTTP/1.1 400 "), answer


def the_lines_for_the_server_have_no_fault():
    blocks = PAGE.of("toml")
    assert len(blocks) > 5
    for block in blocks:
        file = Path(SCRATCH, "checked.toml")
        file.write_text(f'domain = "example.org"\ntls.files = {{ cert = "{CERTIFICATE}", key = "{KEY}" }}\n{block}')
        control("config", "check", "--config", file)


BROWSERS = [talks_over(WebSocket), talks_over(Bosh), a_file_is_sent, the_server_is_found, the_chat_page_is_there,
            nobody_is_who_they_say]
REQUESTS = [*BROWSERS, nobody_hides_behind_the_proxy, nothing_else_is_passed_on]
CONNECTIONS = [*BROWSERS, talks_over(Tcp), talks_over(StartTls), a_second_header_is_not_believed]


class Verdict:
    passed, failed = 0, 0

    def on(self, name, test, *arguments):
        try:
            test(*arguments)
            print(f"ok {name}", flush=True)
            self.passed += 1
        except Exception as error:
            print(f"not ok {name} {type(error).__name__}: {error}", flush=True)
            self.failed += 1


def behind(verdict, Kind, tests, address):
    """All of these tests behind a proxy, for somebody with an address that nobody else has."""
    with ExitStack() as stack:
        failed = verdict.failed
        # Where it does not run, everything behind it fails as well.
        verdict.on(f"{Kind.__name__} runs", lambda: stack.enter_context(Kind(PAGE, SCRATCH)))
        for test in tests:
            verdict.on(f"{test.__name__} behind {Kind.__name__}", test, Way(address, PORT))
        log = Path(SCRATCH, Kind.__name__, "log")
        if verdict.failed > failed and log.exists():
            print(f"--- what {Kind.__name__} has said\n{log.read_text()}---", flush=True)


def main():
    verdict = Verdict()
    verdict.on("the_lines_for_the_server_have_no_fault", the_lines_for_the_server_have_no_fault)
    # Those who come from other addresses of this machine are no proxies here.
    configure("127.0.0.0/8", {"https://example.org": HERE, '"127.0.0.0/8", "::1"': '"127.0.0.1"'})
    for place, Kind in enumerate([Nginx, Caddy, Apache, HAProxy]):
        behind(verdict, Kind, REQUESTS, f"127.0.1.{place + 1}")
    configure("web.proxy_protocol", {"192.0.2.10": "127.0.0.1"}, f'web.url = "{HERE}"')
    behind(verdict, HAProxyWhole, CONNECTIONS, "127.0.2.1")
    print(f"done {verdict.passed + verdict.failed}")
    sys.exit(verdict.failed > 0)


main()
