"""Runs the comparison that docs/bench.md defines and prints one table, and one JSON object on the last line.

Exit status 0: every target is met. 1: one is missed. 2: something could not be measured.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True

from federated import ARCHIVE, NOTHING, PEERS, between_two, for_links  # noqa: E402
from federated import Metronome as FederatedMetronome  # noqa: E402
from metronome import RELEASE, Metronome, Noisy  # noqa: E402
from peers import Ejabberd, Prosody  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "target/interop/bench"
BENCH = RELEASE / "metronome-bench"

PAIRS, IDLE, LOGINS, ARCHIVED_MESSAGES = 100, 5000, 100, 1_000_000
GROUPS, CONTACTS = 10, 20
# Of one node, all online.
SUBSCRIBERS = 1000
SMALL_ROOMS, SMALL_ROOM, LARGE_ROOM = 10, 50, 1000
# ejabberd loses notifications with four, and does most with one.
ITEMS_UNDER_WAY = {Metronome: 4, Prosody: 4, Ejabberd: 1}
UPLOADED = 2**30
# Streams that other servers open in a second.
LINKS_RATE = 200
RUNS = 3
NOT_STORED = [(Prosody, "none"), (Ejabberd, "none")]
# Messages per second: the first is asked of everybody, the others of peers that do not hold it.
RATES = (2000, 1000, 500, 250)
ARCHIVED = [(Prosody, "files"), (Prosody, "sqlite"), (Ejabberd, "mnesia"), (Ejabberd, "sqlite")]


def of_web(variants: list) -> list:
    """The same over WebSocket."""
    return [(kind, f"{variant}+web") for kind, variant in variants]


def managed(variants: list) -> list:
    """The same with stream management."""
    return [(kind, f"{variant}+sm") for kind, variant in variants]


def load(server, scenario: str, *options) -> dict:
    """One run of the generator against a running server; returns its JSON object."""
    if server.has_web:
        place = ("--address", f"127.0.0.1:{server.web_port}", "--tls", "direct", "--websocket", server.websocket)
    else:
        place = ("--address", f"127.0.0.1:{server.port}")
    return generate(server, scenario, *place, "--server-pid", server.process.pid, *options)


def generate(server, scenario: str, *options) -> dict:
    """One run of the generator, whose options say where the server is; returns its JSON object."""
    command = [BENCH, scenario, "--server-name", server, "--mechanism", "SCRAM-SHA-1", *options]
    run = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, timeout=1800)
    if run.returncode != 0:
        raise RuntimeError(f"{scenario} against {server} failed, see {server.folder}/output.log")
    line = run.stdout.splitlines()[-1]
    print(line, flush=True)
    return json.loads(line)


def fresh(kind, variant: str, accounts: int, scenario: str, *options) -> dict:
    """One run against a server that is started for it on an empty store."""
    with kind(WORK, variant, accounts) as server:
        return load(server, scenario, *options)


def compare(ours: str, peers: list, accounts: int, *run) -> dict:
    """Ours and the peers on one server each, by a scenario of the generator."""
    return compare_by(lambda kind, variant: fresh(kind, variant, accounts, *run), (Metronome, ours), peers)


def compare_by(measure, ours: tuple, peers: list) -> dict:
    """Each peer once; then ours and the best of them in turn. More per CPU second is better."""
    found = {f"{kind.name} {variant}": (kind, variant) for kind, variant in peers}
    rates = {name: measure(*peer)["per_cpu_second"] for name, peer in found.items()}
    best = max(rates, key=rates.get)
    pairs = [(measure(*ours), measure(*found[best])) for _ in range(RUNS)]
    row = median_of_pairs(pairs) | {"peer": best, "peers": rates}
    if "cold" in pairs[0][0]:
        row["cold"] = median_of_pairs([(mine["cold"], theirs["cold"]) for mine, theirs in pairs])
    return row


def median_of_pairs(pairs: list) -> dict:
    """The medians of the rates on both sides, and of the ratios."""
    rates = [(mine["per_cpu_second"], theirs["per_cpu_second"]) for mine, theirs in pairs]
    return {
        "metronome": statistics.median(mine for mine, _ in rates),
        "better_peer": statistics.median(theirs for _, theirs in rates),
        "ratio": round(statistics.median(mine / theirs for mine, theirs in rates), 2),
    }


def chat_volatile(seconds: int) -> dict:
    return compare("volatile", NOT_STORED, PAIRS * 2, "chat", "--pairs", PAIRS, "--seconds", seconds)


def chat_websocket(seconds: int) -> dict:
    return compare("volatile+web", of_web(NOT_STORED), PAIRS * 2, "chat", "--pairs", PAIRS, "--seconds", seconds)


def chat_durable(seconds: int) -> dict:
    return compare("durable", ARCHIVED, PAIRS * 2, "chat", "--pairs", PAIRS, "--seconds", seconds)


def chat_managed(seconds: int) -> dict:
    run = ("chat", "--sm", "--pairs", PAIRS, "--seconds", seconds)
    return compare("durable", managed(ARCHIVED), PAIRS * 2, *run)


def federated(storage: str, seconds: int) -> dict:
    """Messages from people of one server to people of another of its kind; the CPU time of both counts."""
    chat = ("--pairs", PAIRS, "--seconds", seconds)
    run = lambda server, options: generate(server, "chat", *options, *chat)
    measure = lambda kind, storage: between_two(kind, storage, PAIRS, WORK, run)
    return compare_by(measure, (FederatedMetronome, storage), PEERS[storage])


def federated_volatile(seconds: int) -> dict:
    return federated(NOTHING, seconds)


def federated_durable(seconds: int) -> dict:
    return federated(ARCHIVE, seconds)


def links(seconds: int) -> dict:
    run = lambda server, options: generate(server, "links", *options, "--rate", LINKS_RATE, "--seconds", seconds)
    found = [for_links(WORK, run) for _ in range(RUNS)]
    rate = lambda run: run["messages"] / run["seconds"]
    return {
        "metronome": round(statistics.median(rate(run) for run in found), 1),
        "per_cpu_second": statistics.median(run["per_cpu_second"] for run in found),
    }


def held(kind, variant: str, rate: int, seconds: int) -> dict | None:
    """Latencies at a rate; nothing if not everything arrives in time: the server does not hold it."""
    run = ("chat", "--sm", "--rate", rate, "--pairs", PAIRS, "--seconds", seconds)
    try:
        found = fresh(kind, variant, PAIRS * 2, *run)
    except RuntimeError:
        return None
    latency, arrived = found["latency_ms"], found["messages"] / found["seconds"]
    return {"rate": rate, **latency} if arrived >= 0.98 * rate and latency["p99"] < 1000 else None


def latency(seconds: int) -> dict:
    peers = {}
    for kind, variant in managed([(Prosody, "files"), (Ejabberd, "mnesia")]):
        found = (held(kind, variant, rate, seconds) for rate in RATES)
        peers[f"{kind.name} {variant}"] = next((one for one in found if one), None)
    mine = [held(Metronome, "durable", RATES[0], seconds) for _ in range(RUNS)]
    if None in mine:
        raise RuntimeError(f"not everything arrives in time at {RATES[0]} messages a second")
    holding = {name: peer["p99"] for name, peer in peers.items() if peer}
    best = min(holding, key=holding.get) if holding else ""
    return {
        "metronome": statistics.median(run["p99"] for run in mine),
        "median": statistics.median(run["p50"] for run in mine),
        "better_peer": holding.get(best),
        "peer": best and f"{best} at {peers[best]['rate']}/s",
        "peers": peers,
    }


def login(seconds: int) -> dict:
    run = ("login", "--accounts", LOGINS, "--concurrent", 16, "--seconds", seconds)
    return compare("durable", NOT_STORED, LOGINS, *run)


def login_by_token(seconds: int) -> dict:
    run = ("login", "--fast", "--accounts", LOGINS, "--concurrent", 16, "--seconds", seconds)
    rates = [fresh(Metronome, "durable", LOGINS, *run)["per_cpu_second"] for _ in range(RUNS)]
    return {"metronome": statistics.median(rates)}


def presence(seconds: int) -> dict:
    run = ("presence", "--groups", GROUPS, "--contacts", CONTACTS, "--seconds", seconds)
    return compare("durable", NOT_STORED, GROUPS * CONTACTS, *run)


def published(kind, variant: str, seconds: int) -> dict:
    """One run of items to many subscribers, with as many items under way as the server is whole with."""
    run = ("pubsub", "--subscribers", SUBSCRIBERS, "--window", ITEMS_UNDER_WAY[kind], "--seconds", seconds)
    return fresh(kind, f"{variant}+pubsub", SUBSCRIBERS + 1, *run)


def pubsub(seconds: int) -> dict:
    return compare_by(lambda kind, variant: published(kind, variant, seconds), (Metronome, "durable"), NOT_STORED)


def rooms(rooms: int, occupants: int, seconds: int) -> dict:
    """Messages that one says in each room to all who are in it; the archive is on."""
    run = ("rooms", "--rooms", rooms, "--occupants", occupants, "--seconds", seconds)
    peers = [(kind, f"{variant}+rooms") for kind, variant in ARCHIVED]
    joins = []

    def measure(kind, variant: str) -> dict:
        found = fresh(kind, variant, rooms * occupants, *run)
        if kind is Metronome:
            joins.append(found["joins"]["seconds"])
        return found

    row = compare_by(measure, (Metronome, "durable"), peers)
    return row | {"joins_seconds": statistics.median(joins)}


def small_rooms(seconds: int) -> dict:
    return rooms(SMALL_ROOMS, SMALL_ROOM, seconds)


def large_room(seconds: int) -> dict:
    return rooms(1, LARGE_ROOM, seconds)


def calm_room(seconds: int) -> dict:
    """Latency where one speaks ten times a second to a room of 1000."""
    run = ("rooms", "--rooms", 1, "--occupants", LARGE_ROOM, "--rate", 10, "--seconds", seconds)
    found = [fresh(Metronome, "durable", LARGE_ROOM, *run)["latency_ms"] for _ in range(RUNS)]
    return {
        "metronome": statistics.median(latency["p99"] for latency in found),
        "median": statistics.median(latency["p50"] for latency in found),
    }


def memory(variants: list, ours: str, *run) -> dict:
    """Bytes of a session. Less is better; each peer is run once."""
    size = lambda kind, variant: fresh(kind, variant, IDLE, *run)["rss_bytes_per_session"]
    peers = {f"{kind.name} {variant}": size(kind, variant) for kind, variant in variants}
    best = min(peers, key=peers.get)
    mine = statistics.median(size(Metronome, ours) for _ in range(RUNS))
    return {
        "metronome": mine,
        "better_peer": peers[best],
        "peer": best,
        "ratio": round(mine / peers[best], 3),
        "peers": peers,
    }


def idle(_: int) -> dict:
    return memory(NOT_STORED, "durable", "idle", "--accounts", IDLE)


def idle_websocket(_: int) -> dict:
    return memory(of_web(NOT_STORED), "durable+web", "idle", "--accounts", IDLE)


def uploaded(_: int) -> dict:
    """MiB by which memory grows while a large file is uploaded and fetched."""
    with Metronome(WORK, "durable+web", 1) as server:
        places = ("--address", f"127.0.0.1:{server.port}", "--web-address", f"127.0.0.1:{server.web_port}")
        found = generate(server, "upload", *places, "--server-pid", server.process.pid, "--bytes", UPLOADED)
    return {"metronome": round(found["grown_bytes"] / 2**20, 1), **found}


def hibernated(_: int) -> dict:
    return memory(managed(NOT_STORED), "durable", "idle", "--hibernate", "--accounts", IDLE)


def archive_page(_: int) -> dict:
    """Pages of 50 from an archive of a million messages, by the example program of the store."""
    command = ["cargo", "run", "--release", "-p", "metronome-store", "--example", "archive_bench", str(ARCHIVED_MESSAGES)]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=3600, check=True)
    print(run.stdout, flush=True)
    # A line: the kind of request in some words, median and 99th percentile in microseconds, pages per CPU second.
    lines = [line.rsplit(maxsplit=3) for line in run.stdout.splitlines()[2:]]
    kinds = {kind: [float(figure) for figure in figures] for kind, *figures in lines if kind != "counted alone"}
    if not kinds:
        raise RuntimeError(f"no figures in {run.stdout!r}")
    # What a client asks for that fetches what it has missed; the peers' figure is of such pages too.
    plain = [kinds["last"], kinds["after a message"]]
    return {
        "metronome": max(median for median, _, _ in kinds.values()),
        "pages_per_cpu_second": min(pages for _, _, pages in plain),
        "kinds": kinds,
    }


def ready(_: int) -> dict:
    times = []
    for _ in range(5):
        server = Noisy(WORK, "ready", 0)
        shutil.rmtree(server.folder, ignore_errors=True)
        times.append(server.ms_to_ready())
    return {"metronome": round(statistics.median(times), 1)}


def crash(_: int) -> dict:
    server = Metronome(WORK, "crash", 20)
    shutil.rmtree(server.folder, ignore_errors=True)
    server.folder.mkdir(parents=True)
    command, _ = server.prepare()
    run = [BENCH, "crash", "--kills", "200", "--pairs", "10", "--address", f"127.0.0.1:{server.port}"]
    run += ["--server-command", " ".join(command), "--prepare", server.accounts_command()]
    with open(server.folder / "output.log", "wb") as log:
        done = subprocess.run([str(part) for part in run], stdout=subprocess.PIPE, stderr=log, text=True, timeout=3600)
    if not done.stdout.strip():
        raise RuntimeError(f"crash failed, see {server.folder}/output.log")
    verdict = json.loads(done.stdout.splitlines()[-1])
    wrong = verdict["lost"] + verdict["duplicated"] + verdict["archive_duplicates"]
    return {"metronome": wrong + (1 if done.returncode != 0 and wrong == 0 else 0), **verdict}


# Name, how it is measured, unit, the target in words, and whether a result meets it.
ROWS = [
    ("chat, nothing stored", chat_volatile, "msg/cpu s", ">= 8 x", lambda row, _: row["ratio"] >= 8),
    (
        "chat, all stored",
        chat_durable,
        "msg/cpu s",
        ">= 30 x, >= 1/4 of not stored",
        lambda row, rows: row["ratio"] >= 30
        and row["metronome"] * 4 >= rows.get("chat, nothing stored", {}).get("metronome", 0),
    ),
    ("managed chat", chat_managed, "msg/cpu s", ">= 25 x", lambda row, _: row["ratio"] >= 25),
    ("chat over WebSocket", chat_websocket, "msg/cpu s", ">= 5 x", lambda row, _: row["ratio"] >= 5),
    ("federated, nothing stored", federated_volatile, "msg/cpu s", ">= 5 x", lambda row, _: row["ratio"] >= 5),
    ("federated, all stored", federated_durable, "msg/cpu s", ">= 5 x", lambda row, _: row["ratio"] >= 5),
    ("links", links, "links/s", f">= {LINKS_RATE}", lambda row, _: row["metronome"] >= 0.98 * LINKS_RATE),
    (
        "latency at 2000/s",
        latency,
        "ms, p99",
        "below the better peer",
        lambda row, _: row["better_peer"] is None or row["metronome"] < row["better_peer"],
    ),
    ("idle session", idle, "bytes", "<= 12288", lambda row, _: row["metronome"] <= 12288),
    ("idle WebSocket", idle_websocket, "bytes", "<= 16384", lambda row, _: row["metronome"] <= 16384),
    ("hibernated session", hibernated, "bytes", "below the better peer", lambda row, _: row["ratio"] < 1),
    ("login", login, "logins/cpu s", ">= 3 x", lambda row, _: row["ratio"] >= 3),
    ("login by token", login_by_token, "logins/cpu s", "a figure", lambda row, _: row["metronome"] > 0),
    ("presence", presence, "deliveries/cpu s", ">= 6 x", lambda row, _: row["ratio"] >= 6),
    ("pubsub", pubsub, "notifications/cpu s", ">= 8 x", lambda row, _: row["ratio"] >= 8),
    ("rooms of 50", small_rooms, "deliveries/cpu s", ">= 8 x", lambda row, _: row["ratio"] >= 8),
    (
        "room of 1000",
        large_room,
        "deliveries/cpu s",
        ">= 8 x, all in within 2 s",
        lambda row, _: row["ratio"] >= 8 and row["joins_seconds"] <= 2,
    ),
    ("room at 10/s", calm_room, "ms, p99", "a figure", lambda row, _: row["metronome"] > 0),
    (
        "archive page",
        archive_page,
        "us, median",
        "< 1000, >= 4000 pages/cpu s",
        lambda row, _: row["metronome"] < 1000 and row["pages_per_cpu_second"] >= 4000,
    ),
    ("upload of 1 GiB", uploaded, "MiB grown", "< 64", lambda row, _: row["metronome"] < 64),
    ("exec to ready", ready, "ms", "< 100", lambda row, _: row["metronome"] < 100),
    ("crash, 200 kills", crash, "lost + duplicated", "= 0", lambda row, _: row["metronome"] == 0),
]


def only_peers(seconds: int) -> int:
    """The peers' own figures, for a look at a machine without our server."""
    chat = ("chat", "--pairs", PAIRS, "--seconds", seconds)
    for kind, variant in NOT_STORED + ARCHIVED:
        fresh(kind, variant, PAIRS * 2, *chat)
    for kind, variant in managed(ARCHIVED):
        fresh(kind, variant, PAIRS * 2, *chat, "--sm")
    for kind, variant in managed(NOT_STORED):
        fresh(kind, variant, IDLE, "idle", "--hibernate", "--accounts", IDLE)
    for kind, variant in NOT_STORED:
        fresh(kind, variant, LOGINS, "login", "--accounts", LOGINS, "--seconds", seconds)
        fresh(kind, variant, GROUPS * CONTACTS, "presence", "--seconds", seconds)
        fresh(kind, variant, IDLE, "idle", "--accounts", IDLE)
        fresh(kind, f"{variant}+web", PAIRS * 2, *chat)
        fresh(kind, f"{variant}+web", IDLE, "idle", "--accounts", IDLE)
        published(kind, variant, seconds)
    for kind, variant in ARCHIVED:
        run = ("rooms", "--rooms", SMALL_ROOMS, "--occupants", SMALL_ROOM, "--seconds", seconds)
        fresh(kind, f"{variant}+rooms", SMALL_ROOMS * SMALL_ROOM, *run)
        fresh(kind, f"{variant}+rooms", LARGE_ROOM, "rooms", "--rooms", 1, "--occupants", LARGE_ROOM, "--seconds", seconds)
    return 0


def table(rows: dict) -> None:
    heads = ["figure", "metronome", "better peer", "", "ratio", "unit", "target", ""]
    lines = [heads]
    for name, _, unit, target, _ in ROWS:
        if row := rows.get(name):
            cells = [row.get("metronome", "-"), row.get("better_peer", "-"), row.get("peer", ""), row.get("ratio", "-")]
            verdict = "not measured" if "error" in row else "met" if row["met"] else "MISSED"
            lines.append([name, *map(str, cells), unit, target, verdict])
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=int, default=15, help="length of one measurement")
    options.add_argument("--only", help="rows to run, by the beginning of their names, separated by commas")
    options.add_argument("--peers", action="store_true", help="measure only Prosody and ejabberd")
    options = options.parse_args()
    packages = ["-p", "metronome-loadgen"] + ([] if options.peers else ["-p", "metronome-server"])
    subprocess.run(["cargo", "build", "--release", *packages], cwd=ROOT, check=True)
    WORK.mkdir(parents=True, exist_ok=True)
    if options.peers:
        return only_peers(options.seconds)
    wanted = options.only.split(",") if options.only else [""]
    rows = {}
    for name, measure, _, _, meets in ROWS:
        if not any(name.startswith(start) for start in wanted):
            continue
        print(f"== {name}", flush=True)
        try:
            rows[name] = row = measure(options.seconds)
            row["met"] = meets(row, rows)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            rows[name] = {"error": str(error), "met": False}
    table(rows)
    print(json.dumps(rows))
    return 2 if any("error" in row for row in rows.values()) else 0 if all(row["met"] for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
