"""Fetches Prosody 0.12 and ejabberd 23.01 from Debian's own packages and unpacks them under target/interop.

Nothing is installed and no service is started: `apt-get download`, then `dpkg -x`.
Packages that are already on the machine are unpacked all the same, so that every machine runs the same files.
"""

import platform
import subprocess
import sys
from pathlib import Path

# Where they are for everybody who needs them.
FOLDER = Path(__file__).resolve().parents[2] / "target/interop/bench"
# What the two servers need beyond what every Debian 12 has; apt adds what else is missing here.
PACKAGES = """
prosody lua5.4 lua-bitop lua-dbi-common lua-dbi-sqlite3 lua-event lua-expat lua-filesystem lua-sec lua-socket lua-unbound
ejabberd erlang-base erlang-asn1 erlang-base64url erlang-crypto erlang-eunit erlang-ftp erlang-goldrush erlang-idna
erlang-inets erlang-jiffy erlang-jose erlang-lager erlang-mnesia erlang-odbc erlang-os-mon erlang-p1-acme
erlang-p1-cache-tab erlang-p1-eimp erlang-p1-mqtree erlang-p1-pkix erlang-p1-sqlite3 erlang-p1-stringprep erlang-p1-stun
erlang-p1-tls erlang-p1-utils erlang-p1-xml erlang-p1-xmpp erlang-p1-yaml erlang-p1-yconf erlang-p1-zlib
erlang-public-key erlang-runtime-tools erlang-snmp erlang-ssl erlang-syntax-tools erlang-tftp erlang-tools
erlang-unicode-util-compat erlang-xmerl libltdl7 libodbc2
""".split()


def unpacked(folder: Path = FOLDER) -> Path:
    """The folder that holds the unpacked tree, filled on the first call."""
    root, done = folder / "root", folder / "unpacked"
    if done.exists():
        return root
    downloads = folder / "packages"
    downloads.mkdir(parents=True, exist_ok=True)
    missing = _missing()
    names = sorted(set(PACKAGES) | set(missing))
    print(f"unpacking {len(names)} Debian packages under {root}: {' '.join(names)}", file=sys.stderr)
    subprocess.run(["apt-get", "-q", "download", *names], cwd=downloads, check=True, stdout=sys.stderr)
    for package in sorted(downloads.glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(package), str(root)], check=True)
    done.touch()
    return root


def libraries(root: Path) -> Path:
    """Where the unpacked shared libraries are."""
    return root / "usr/lib" / f"{platform.machine()}-linux-gnu"


def _missing() -> list[str]:
    """Every package that an installation would add on this machine."""
    wanted = ["prosody", "ejabberd", "lua-dbi-sqlite3", "lua-unbound", "erlang-p1-sqlite3"]
    simulate = ["apt-get", "-s", "--no-install-recommends", "install", *wanted]
    plan = subprocess.run(simulate, capture_output=True, text=True)
    if plan.returncode != 0:
        if hasattr(_missing, "updated"):
            sys.exit(f"apt-get cannot find the peers (they are those of Debian 12):\n{plan.stderr}")
        _missing.updated = True
        subprocess.run(["apt-get", "-q", "update"], check=True, stdout=sys.stderr)
        return _missing()
    return [line.split()[1] for line in plan.stdout.splitlines() if line.startswith("Inst ")]
