// Accounts, and waiting for what comes to them: what all tests with a server of ours begin with, whichever client they drive.

import { spawn } from "node:child_process";
import { once } from "node:events";

// Everything here answers within milliseconds; this bound only ends a test that would hang.
export const PATIENCE_MS = 30_000;
export const PASSWORD = "secret";
export const DOMAIN = "localhost";

let accounts = 0;

// A user name that begins with `name` and that nobody has yet.
export function newName(name) {
  accounts += 1;
  return `${name}${accounts}`;
}

// Makes an account with the usual password and returns its user name, which begins with `name`.
export async function newAccount(name) {
  const user = newName(name);
  const socket = `${process.env.XMPP_DATA}/control.sock`;
  const options = ["--socket", socket, "user", "add", `${user}@${DOMAIN}`, "--password-stdin"];
  const made = spawn(process.env.XMPP_CTL, options, { stdio: ["pipe", "ignore", "inherit"] });
  made.stdin.end(PASSWORD);
  const [status] = await once(made, "exit");
  if (status !== 0) throw new Error(`no account for ${user}`);
  return user;
}

// What `promise` comes to, or an error that says what took too long.
export function withPatience(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took too long`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// What has come and nobody has asked for yet.
export class Inbox {
  #kept = [];
  #listeners = [];

  put(thing) {
    const place = this.#listeners.findIndex(({ fits }) => fits(thing));
    if (place < 0) this.#kept.push(thing);
    else this.#listeners.splice(place, 1)[0].resolve(thing);
  }

  // The first thing that fits, as soon as there is one.
  take(fits, what) {
    const place = this.#kept.findIndex(fits);
    if (place >= 0) return Promise.resolve(this.#kept.splice(place, 1)[0]);
    return withPatience(new Promise((resolve) => this.#listeners.push({ fits, resolve })), what);
  }

  // Everything that is here now.
  empty() {
    return this.#kept.splice(0);
  }
}
