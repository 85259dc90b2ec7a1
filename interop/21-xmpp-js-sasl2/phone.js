// A device that logs in by SASL2 (XEP-0388) and keeps its token (XEP-0484), and whose connection can break.

import { randomUUID, webcrypto } from "node:crypto";
import { once } from "node:events";
import { xml } from "@xmpp/client";
import { Device, newAccount } from "./device.js";

// The library expects what later releases of Node.js have by themselves.
globalThis.crypto ??= webcrypto;

const FAST = "urn:xmpp:fast:0";
const SASL2 = "urn:xmpp:sasl:2";
export const TOKENS = "HT-SHA-256-NONE";
export const PASSWORDS = "SCRAM-SHA-1";

export class Phone extends Device {
  // The mechanisms of the logins so far, and how many elements the server answered to all of them.
  logins = [];
  answers = 0;
  // What a login asks for besides.
  wanted = [];

  // Another phone's token and name as a client are this one's too, if there is one: the same app, started again.
  constructor(user, transport, { password, before } = {}) {
    super(user, "phone", transport, password);
    this.id = before?.id ?? randomUUID();
    this.token = before?.token;
    const { fast } = this.xmpp;
    fast.fetchToken = async () => this.token;
    fast.saveToken = async (token) => {
      this.token = token;
    };
    fast.deleteToken = async () => {
      this.token = undefined;
    };
    // The library looks for the answer to its stream header once the header is written, and by then it may have come.
    const { open } = this.xmpp;
    this.xmpp.open = (options) => Promise.race([once(this.xmpp, "open"), open.call(this.xmpp, options)]);
    this.xmpp.on("send", (element) => {
      if (element.is("authenticate", SASL2)) this.logins.push(element.attrs.mechanism);
    });
    this.xmpp.on("nonza", (element) => {
      if (element.getNS() === SASL2) this.answers += 1;
    });
  }

  // The library keeps the first token that it was given in its credentials for ever, so they are made for each login.
  login(password = "secret") {
    const credentials = async (authenticate, mechanisms, fast) => {
      const account = { username: this.user, password: this.password ?? password, token: await fast?.fetch() };
      const agent = xml("user-agent", { id: this.id });
      await authenticate(account, mechanisms[0], [agent, ...this.wanted]);
    };
    return { username: this.user, credentials };
  }

  // The next login asks for another token.
  wantToken() {
    this.wanted = [xml("request-token", { xmlns: FAST, mechanism: TOKENS })];
  }

  // Whether the stream is managed, and by which name it is resumed.
  get stream() {
    const { enabled, id } = this.xmpp.streamManagement;
    return enabled ? id : undefined;
  }

  // From now on nothing that it says arrives, and it does not know.
  loseVoice() {
    this.xmpp.write = async () => {};
  }

  // The connection breaks without a word.
  async breakDown() {
    const { socket } = this.xmpp;
    const gone = once(this.xmpp, "disconnect");
    (socket.socket ?? socket).destroy();
    await gone;
    delete this.xmpp.write;
  }

  // Connects again; answers whether the stream was resumed: the library tells that by another event than of one that begins.
  async comeBack() {
    const { streamManagement, reconnect } = this.xmpp;
    const resumed = once(streamManagement, "resumed").then(() => true);
    const begun = once(this.xmpp, "online").then(() => false);
    const [outcome] = await Promise.all([Promise.race([resumed, begun]), reconnect.reconnect()]);
    return outcome;
  }
}

export async function newPhone(name, transport) {
  return new Phone(await newAccount(name), transport);
}
