// Libraries for browsers over WebSocket and BOSH, straight to the server and behind a proxy.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { xml } from "@xmpp/client";
import { DOMAIN } from "./newcomers.js";
import { each, judge } from "./judge.js";
import { startNginx } from "./nginx.js";
import { enter, newPerson, ROOMS } from "./person.js";
import { DIRECTLY, discovered, throughProxy } from "./places.js";
import { allocate, startRelay } from "./turn.js";

const COUNT = 20;
const WORDS = ["first", "with <markup> & \"quotes\"", "Привет 👋", "a line\nand another", "x".repeat(20_000)];

const stopNginx = await startNginx();
const stopRelay = await startRelay();
const KINDS = [...DIRECTLY, ...(await throughProxy())];
// The other side always has another kind of connection.
const other = (kind) => KINDS[(KINDS.indexOf(kind) + 1) % KINDS.length];

let rooms = 0;
const newRoom = () => `room${(rooms += 1)}@${ROOMS}`;

// Runs `body` with two people, who leave afterwards.
async function two(kind, body) {
  const alice = await newPerson("alice", kind);
  const bob = await newPerson("bob", other(kind));
  try {
    await body(alice, bob);
  } finally {
    await Promise.all([alice.leave(), bob.leave()]);
  }
}

async function peopleTalk(kind) {
  await two(kind, async (alice, bob) => {
    for (const body of WORDS) await alice.say(bob.bare, body);
    for (const body of WORDS) assert.equal(await bob.hear(alice.bare), body);
    for (const body of WORDS) await bob.say(alice.bare, body);
    for (const body of WORDS) assert.equal(await alice.hear(bob.bare), body);
  });
}

async function aWrongPasswordIsRefused(kind) {
  const alice = await newPerson("alice", kind);
  await alice.leave();
  const thief = new kind.Library(alice.user, kind, "guessed");
  await assert.rejects(thief.soon(thief.enter(), "login"), /not-authorized/);
}

async function peopleMeetInARoom(kind) {
  await two(kind, async (alice, bob) => {
    const room = newRoom();
    await alice.join(room, "alice");
    // Nobody else is let in before whoever made it says how it is to be: as it is.
    await alice.open(room);
    await bob.join(room, "bob");
    await alice.say(room, "hello all", "groupchat");
    for (const person of [alice, bob]) assert.equal(await person.hear(`${room}/alice`), "hello all");
    await bob.say(room, "hello alice", "groupchat");
    for (const person of [alice, bob]) assert.equal(await person.hear(`${room}/bob`), "hello alice");
  });
}

async function aNewClientFindsTheHistory(kind) {
  const said = ["one", "two", "three"];
  const alice = await newPerson("alice", kind);
  const bob = await newPerson("bob", other(kind));
  for (const body of said) {
    await alice.say(bob.bare, body);
    assert.equal(await bob.hear(alice.bare), body);
  }
  await alice.leave();
  const again = await enter(alice.user, kind);
  assert.deepEqual(await again.history(bob.bare), said);
  await Promise.all([again.leave(), bob.leave()]);
}

async function aFileIsSentByItsAddress(kind) {
  await two(kind, async (alice, bob) => {
    const file = randomBytes(300_000);
    const { put, get, fields } = await alice.slot("picture of ü.png", file.length, "image/png");
    assert.ok(put.startsWith(process.env.METRONOME_WEB__URL), put);
    const headers = { ...fields, "content-type": "image/png" };
    const uploaded = await fetch(put, { method: "PUT", body: file, headers });
    assert.equal(uploaded.status, 201);
    await alice.say(bob.bare, get);
    const found = await fetch(await bob.hear(alice.bare));
    assert.deepEqual([found.status, found.headers.get("content-type")], [200, "image/png"]);
    assert.ok(file.equals(Buffer.from(await found.arrayBuffer())), "the same bytes");
    const part = await fetch(get, { headers: { range: "bytes=1000-1999" } });
    assert.equal(part.status, 206);
    assert.ok(file.subarray(1000, 2000).equals(Buffer.from(await part.arrayBuffer())), "the same part");
  });
}

async function aBrokenConnectionIsResumed(kind) {
  await two(kind, async (alice, bob) => {
    for (let time = 1; time <= 2; time += 1) {
      const missed = Array.from({ length: COUNT }, (_, number) => `missed ${time} ${number}`);
      await alice.breakDown();
      for (const body of missed) await bob.say(alice.bare, body);
      assert.equal(await alice.comeBack(), true, "resumed");
      for (const body of missed) assert.equal(await alice.hear(bob.bare), body);
      await alice.say(bob.bare, `back ${time}`);
      assert.equal(await bob.hear(alice.bare), `back ${time}`);
    }
  });
}

async function theProxyIsWhereTheDomainIsSaidToBe() {
  const { WebSocket, BOSH } = await discovered();
  const proxy = process.env.METRONOME_WEB__URL;
  assert.deepEqual([WebSocket, BOSH], [`${proxy.replace("https", "wss")}/xmpp-websocket`, `${proxy}/http-bind`]);
}

async function aRelayTakesWhatTheServerGives(kind) {
  const alice = await newPerson("alice", kind);
  const services = await alice.xmpp.iqCaller.get(xml("services", { xmlns: "urn:xmpp:extdisco:2" }), DOMAIN);
  await alice.leave();
  const { host, port, username, password } = services.getChild("service").attrs;
  const given = { host, port: Number(port), username, password };
  assert.deepEqual(await allocate(given), { without: 401, granted: true, error: undefined });
  assert.deepEqual(await allocate({ ...given, password: "guessed" }), { without: 401, granted: false, error: 401 });
  const [, ...rest] = username.split(":");
  const longer = [Math.floor(Date.now() / 1000) + 1_000_000, ...rest].join(":");
  assert.equal((await allocate({ ...given, username: longer })).granted, false);
}

const runs = [
  ...each([peopleTalk, aWrongPasswordIsRefused, peopleMeetInARoom, aNewClientFindsTheHistory, aFileIsSentByItsAddress], KINDS),
  ...each([aBrokenConnectionIsResumed], KINDS.filter(({ transport }) => transport === "WebSocket")),
  ...each([theProxyIsWhereTheDomainIsSaidToBe], ["HTTPS"]),
  ...each([aRelayTakesWhatTheServerGives], [DIRECTLY[0]]),
];

await judge(runs, () => Promise.all([stopNginx(), stopRelay()]));
