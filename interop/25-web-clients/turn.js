// coturn as a relay, and as much of TURN (RFC 8656, RFC 8489) as shows whether it lets somebody in.

import { createHash, createHmac, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withPatience } from "./newcomers.js";
import { end, listens, start } from "./nginx.js";

const { RELAY_PORT, RELAY_SECRET } = process.env;
const COOKIE = 0x2112a442;
const ALLOCATE = 0x0003;
const SUCCESS = 0x0103;
const USERNAME = 0x0006;
const INTEGRITY = 0x0008;
const ERROR = 0x0009;
const REALM = 0x0014;
const NONCE = 0x0015;
const TRANSPORT = 0x0019;
const UDP = Buffer.from([17, 0, 0, 0]);

// Starts it; answers a function that stops it.
export async function startRelay() {
  const folder = await mkdtemp(join(tmpdir(), "relay-"));
  const options = [
    ["-n", "--no-cli", "--no-tls", "--no-dtls", "--simple-log", `--log-file=${folder}/log`, `--pidfile=${folder}/pid`],
    ["--listening-ip=127.0.0.1", `--listening-port=${RELAY_PORT}`, "--relay-ip=127.0.0.1", "--realm=localhost"],
    ["--use-auth-secret", `--static-auth-secret=${RELAY_SECRET}`, `--userdb=${folder}/db`],
  ].flat();
  const program = await start("turnserver", options, () => listens(RELAY_PORT));
  return async () => {
    await end(program);
    await rm(folder, { recursive: true });
  };
}

function attribute(type, value) {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
}

// A message with these attributes, and room for so many bytes behind them in its length.
function message(attributes, behind = 0) {
  const body = Buffer.concat(attributes);
  const head = Buffer.alloc(8);
  head.writeUInt16BE(ALLOCATE, 0);
  head.writeUInt16BE(body.length + behind, 2);
  head.writeUInt32BE(COOKIE, 4);
  return Buffer.concat([head, randomBytes(12), body]);
}

// Signed with the key that follows from a name and its password (RFC 8489 section 9.2.2).
function signed({ username, password }, { realm, nonce }) {
  const key = createHash("md5").update(`${username}:${realm}:${password}`).digest();
  const named = [attribute(USERNAME, Buffer.from(username)), attribute(REALM, realm), attribute(NONCE, nonce)];
  const plain = message([attribute(TRANSPORT, UDP), ...named], 24);
  return Buffer.concat([plain, attribute(INTEGRITY, createHmac("sha1", key).update(plain).digest())]);
}

function read(answer) {
  const found = { type: answer.readUInt16BE(0) };
  for (let at = 20; at + 4 <= answer.length; ) {
    const [type, length] = [answer.readUInt16BE(at), answer.readUInt16BE(at + 2)];
    const value = answer.subarray(at + 4, at + 4 + length);
    if (type === REALM) found.realm = value;
    if (type === NONCE) found.nonce = value;
    if (type === ERROR) found.error = value[2] * 100 + value[3];
    at += 4 + length + ((4 - (length % 4)) % 4);
  }
  return found;
}

// Asks for a relayed address; answers what becomes of it without and with the credentials.
export async function allocate({ host, port, username, password }) {
  const socket = createSocket("udp4");
  const ask = async (request) => {
    const come = once(socket, "message");
    socket.send(request, port, host);
    const [answer] = await withPatience(come, "the relay's answer");
    return read(answer);
  };
  try {
    const without = await ask(message([attribute(TRANSPORT, UDP)]));
    const answer = await ask(signed({ username, password }, without));
    return { without: without.error, granted: answer.type === SUCCESS, error: answer.error };
  } finally {
    socket.close();
  }
}
