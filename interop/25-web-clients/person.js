// What somebody does with a library, whichever it is. A library's own file says how.

import { DOMAIN, Inbox, newAccount, PASSWORD, withPatience } from "./newcomers.js";

export const UPLOADS = `upload.${DOMAIN}`;
export const ROOMS = `rooms.${DOMAIN}`;

export class Person {
  #messages = new Inbox();

  constructor(user, { transport, url }, password = PASSWORD) {
    this.user = user;
    this.bare = `${user}@${DOMAIN}`;
    this.transport = transport;
    this.url = url;
    this.password = password;
  }

  // A message has come: `{ from, type, body }`.
  note(message) {
    if (message.body) this.#messages.put(message);
  }

  // What the next message says that comes from this address, or from any device of it.
  async hear(sender) {
    const fits = ({ from }) => from === sender || from.startsWith(`${sender}/`);
    return (await this.#messages.take(fits, `a message of ${sender} for ${this.bare}`)).body;
  }

  soon(promise, what) {
    return withPatience(promise, `${what} of ${this.bare}`);
  }
}

// Somebody new with this kind of connection, who has logged in and is seen by others.
export async function newPerson(name, kind) {
  return enter(await newAccount(name), kind);
}

// Somebody with an account.
export async function enter(user, kind) {
  const person = new kind.Library(user, kind);
  await person.soon(person.enter(), "login");
  return person;
}
