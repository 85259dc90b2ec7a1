"""Two clients in clear text, so that every body can be seen in the trace of the server's system calls."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from base64 import b64encode

ONE_BY_ONE, AT_ONCE = 50, 200
CALLS = "read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,pwritev,pwritev2,fsync,fdatasync"
SENDS = ("write", "writev", "sendto", "sendmsg")
LIMIT = 60


class Client:
    def __init__(self, port, name):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
        self.text = ""
        self.header()
        self.until("</stream:features>")
        password = b64encode(f"\0{name}\0{name}-secret".encode()).decode()
        self.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{password}</auth>")
        self.until("<success")
        self.header()
        self.until("</stream:features>")
        self.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>x</resource></bind></iq>")
        self.until("</iq>")
        self.send("<presence/>")
        self.until("<presence")

    def header(self):
        self.send("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
                  " to='localhost' version='1.0'>")

    def send(self, xml):
        self.socket.sendall(xml.encode())

    def until(self, end):
        while end not in self.text:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(f"the server closed the connection behind {self.text!r}")
            self.text += data.decode()
        before, end, self.text = self.text.partition(end)
        return before + end


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def command(path, name, **arguments):
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(LIMIT)
        control.connect(path)
        control.sendall((json.dumps({"command": name, "arguments": arguments}) + "\n").encode())
        answer = json.loads(control.makefile().readline())
    if answer["exit"] != 0:
        raise RuntimeError(answer)


def body(number):
    return f"durable-{number:04}-words"


def message(number):
    return (f"<message to='bob@localhost' type='chat'><body>{body(number)}</body></message>"
            f"<iq to='bob@localhost' type='get' id='behind-{number:04}-it'><ping xmlns='urn:xmpp:ping'/></iq>")


def chat(port):
    alice, bob = Client(port, "alice"), Client(port, "bob")
    for number in range(ONE_BY_ONE):
        alice.send(message(number))
        alice.until(f"id='behind-{number:04}-it'")
        bob.until(body(number))
    rest = range(ONE_BY_ONE, ONE_BY_ONE + AT_ONCE)
    alice.send("".join(message(number) for number in rest))
    alice.until(f"id='behind-{rest[-1]:04}-it'")
    bob.until(body(rest[-1]))


def traced(server, folder):
    """Runs the chat against a traced server; answers the trace's lines."""
    port, control, trace = free_port(), f"{folder}/control.sock", f"{folder}/trace"
    with open(f"{folder}/metronome.toml", "w") as config:
        config.write(f"""domain = "localhost"
server.data = "{folder}/data"
control.socket = "{control}"
listen.c2s = ["127.0.0.1:{port}"]
listen.c2s_tls = []
listen.s2s = []
listen.s2s_tls = []
listen.http = []
listen.https = []
listen.metrics = []
tls.require_c2s = false
auth.mechanisms = ["PLAIN"]
auth.plain_without_tls = true
auth.iterations = 4096
limits.c2s.bytes = "1 GiB/s"
limits.c2s.burst = "15 MiB"
""")
    call = ["strace", "-f", "-y", "-s", "300000", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", trace,
            server, "--config", f"{folder}/metronome.toml"]
    with open(f"{folder}/log", "w+") as log:
        process = subprocess.Popen(call, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + LIMIT
            while "ready in " not in open(f"{folder}/log").read():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the server does not start: " + open(f"{folder}/log").read())
                time.sleep(0.05)
            for name in ("alice", "bob"):
                command(control, "user add", jid=f"{name}@localhost", password=f"{name}-secret")
            chat(port)
            command(control, "stop")
            process.wait(LIMIT)
        finally:
            if process.poll() is None:
                # strace ends with the server, which is its only child.
                children = open(f"/proc/{process.pid}/task/{process.pid}/children").read().split()
                for child in children:
                    os.kill(int(child), signal.SIGKILL)
                process.wait(LIMIT)
    return open(trace, errors="replace").read().splitlines()


class Call:
    """One system call: the line at which it began, the line at which it had returned, and what it was."""

    def __init__(self, name, text, began):
        self.name, self.text, self.began, self.returned = name, text, began, began


def calls_of(lines):
    calls, unfinished = [], {}
    for at, line in enumerate(lines):
        thread, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.startswith("<... "):
            call = unfinished.pop(thread, None)
            if call:
                call.returned = at
                call.text += rest
        elif match := re.match(r"(\w+)\(", rest):
            call = Call(match[1], rest, at)
            calls.append(call)
            if rest.endswith("<unfinished ...>"):
                unfinished[thread] = call
                call.returned = len(lines)
    return calls


def file_of(call):
    found = re.match(r"\w+\(\d+<([^>]*)>", call.text)
    return found[1] if found else ""


def tests(calls):
    """Yields each test's name and what is wrong, or an empty string."""
    everything = range(ONE_BY_ONE + AT_ONCE)
    syncs = [call for call in calls if call.name in ("fsync", "fdatasync") and file_of(call).endswith("-wal")]
    sends = [call for call in calls if call.name in SENDS and re.match(r"(TCP|socket:)", file_of(call))]
    writes = [call for call in calls if call.name.startswith("pwrite") and file_of(call).endswith("-wal")]
    wrong = {"write": [], "send": [], "answer": []}
    for number in everything:
        written = next((call for call in writes if body(number) in call.text), None)
        sent = next((call for call in sends if body(number) in call.text), None)
        answered = next((call for call in sends if f"behind-{number:04}-it" in call.text), None)
        if not (written and sent and answered):
            wrong["write"].append(f"{body(number)}: written {written}, sent {sent}, answered {answered}")
            continue
        synced = next((call for call in syncs if call.began > written.returned), None)
        if not synced or sent.began < synced.returned:
            wrong["send"].append(f"{body(number)} left at line {sent.began}")
        if not synced or answered.began < synced.returned:
            wrong["answer"].append(f"the request behind {body(number)} was answered at line {answered.began}")
    yield "every_message_is_in_the_log_and_was_sent", "; ".join(wrong["write"][:3])
    yield "no_message_leaves_before_the_fdatasync_of_its_commit_has_returned", "; ".join(wrong["send"][:3])
    yield "no_request_behind_a_message_is_answered_before_that_fdatasync", "; ".join(wrong["answer"][:3])
    burst = next((call.began for call in calls if call.name.startswith(("recv", "read")) and body(ONE_BY_ONE) in call.text), 0)
    shared = sum(call.began > burst for call in syncs)
    print(f"# {AT_ONCE} messages at once took {shared} fdatasyncs")
    yield "messages_that_come_together_share_an_fdatasync", "" if 0 < shared < AT_ONCE else f"{shared} for {AT_ONCE}"


def main():
    server, below = sys.argv[1:]
    os.makedirs(below, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="strace.", dir=below)
    try:
        count = 0
        for name, wrong in tests(calls_of(traced(server, folder))):
            count += 1
            print(f"not ok {name}: {wrong}" if wrong else f"ok {name}")
        print(f"done {count}")
    finally:
        shutil.rmtree(folder)


main()
