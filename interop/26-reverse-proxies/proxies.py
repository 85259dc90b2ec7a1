"""The proxies: what each has around the lines of the documentation, and how it is started."""

import os
import socket
import subprocess
import time
from pathlib import Path

PROXY_PORT, MULTI_PORT = os.environ["PROXY_PORT"], os.environ["MULTI_PORT"]
DATA, HTTP_PORT = os.environ["XMPP_DATA"], os.environ["XMPP_HTTP_PORT"]
CERTIFICATE, KEY = f"{DATA}/certificate.pem", f"{DATA}/certificate.key"
PATIENCE_SECONDS = 30
MODULES = ["mpm_event", "authz_core", "ssl", "headers", "proxy", "proxy_http"]


class Proxy:
    """A proxy in the foreground, on PROXY_PORT with TLS."""

    # In which language its lines are, and what is only in these.
    language, mark = "", ""
    # What stands in them for the server, and where it is here.
    names = {"127.0.0.1:5280": f"127.0.0.1:{HTTP_PORT}"}

    def __init__(self, page, folder):
        self.folder = f"{folder}/{type(self).__name__}"
        self.lines = page.block(self.language, self.mark, self.names)

    def configuration(self):
        raise NotImplementedError

    def command(self, file):
        raise NotImplementedError

    def __enter__(self):
        os.mkdir(self.folder)
        file, log = Path(self.folder, "configuration"), Path(self.folder, "log")
        file.write_text(self.configuration())
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.starts(self.command(file), log, end):
            # Who looks whether a port is free has it for a moment.
            is_taken = "ddress already in use" in log.read_text()
            assert is_taken and time.monotonic() < end, f"it does not listen, its status is {self.process.returncode}"
            time.sleep(0.1)
        return self

    def starts(self, command, log, end):
        """Whether it comes to listen."""
        with open(log, "w") as writer:
            # Some keep files where they find their user's home.
            self.process = subprocess.Popen(command, cwd=self.folder, env=os.environ | {"HOME": self.folder},
                                            stdin=subprocess.DEVNULL, stdout=writer, stderr=writer)
        listens = False
        try:
            while not listens and self.process.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
                with socket.socket() as probe:
                    listens = probe.connect_ex(("127.0.0.1", int(PROXY_PORT))) == 0
        finally:
            if not listens:
                self.__exit__()
        return listens

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Nginx(Proxy):
    language = "nginx"

    def configuration(self):
        kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        folders = "".join(f"{kind}_temp_path {self.folder}/{kind};\n" for kind in kinds)
        return f"""daemon off;
master_process off;
pid {self.folder}/pid;
error_log stderr warn;
events {{}}
http {{
access_log off;
{folders}
server {{
listen 127.0.0.1:{PROXY_PORT} ssl;
ssl_certificate {CERTIFICATE};
ssl_certificate_key {KEY};
{self.lines}
}}
}}
"""

    def command(self, file):
        return ["/usr/sbin/nginx", "-p", self.folder, "-c", file, "-e", "stderr"]


class Caddy(Proxy):
    language = "caddy"

    def configuration(self):
        return f"""{{
    admin off
    auto_https off
    grace_period 1s
    servers {{
        protocols h1 h2
    }}
}}
https://localhost:{PROXY_PORT} {{
    bind 127.0.0.1
    tls {CERTIFICATE} {KEY}
{self.lines}
}}
"""

    def command(self, file):
        return ["caddy", "run", "--adapter", "caddyfile", "--config", file]


class Apache(Proxy):
    language = "apache"

    def configuration(self):
        modules = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in MODULES)
        return f"""{modules}
User www-data
Group www-data
ServerName localhost:{PROXY_PORT}
PidFile {self.folder}/pid
ErrorLog /dev/stderr
Listen 127.0.0.1:{PROXY_PORT}
<VirtualHost *:{PROXY_PORT}>
SSLEngine On
SSLCertificateFile {CERTIFICATE}
SSLCertificateKeyFile {KEY}
{self.lines}
</VirtualHost>
"""

    def command(self, file):
        return ["/usr/sbin/apache2", "-X", "-f", file]


class HAProxy(Proxy):
    language, mark = "haproxy", "mode http"

    def __init__(self, page, folder):
        pair = Path(folder, "pair.pem")
        pair.write_text(Path(CERTIFICATE).read_text() + Path(KEY).read_text())
        self.names = Proxy.names | {":443": f"127.0.0.1:{PROXY_PORT}", "/etc/haproxy/example.org.pem": str(pair)}
        super().__init__(page, folder)

    def configuration(self):
        return self.lines

    def command(self, file):
        # A warning is a failure.
        return ["/usr/sbin/haproxy", "-db", "-dW", "-f", file]


class HAProxyWhole(HAProxy):
    """HAProxy with whole connections, whose TLS is the server's."""

    mark = "mode tcp"

    def __init__(self, page, folder):
        self.names = {"bind :443": f"bind 127.0.0.1:{PROXY_PORT}", "192.0.2.1:443": f"127.0.0.1:{MULTI_PORT}"}
        Proxy.__init__(self, page, folder)
