// One device of one person: an @xmpp/client session whose messages, presence and roster can be awaited.
// Used by all tests; node verifies the server's certificate against the CA that the `start` script names.

import { client, xml } from "@xmpp/client";
import { DOMAIN, Inbox, PASSWORD, PATIENCE_MS, withPatience } from "./newcomers.js";

export { DOMAIN, newAccount, newName } from "./newcomers.js";
export const STARTTLS = "STARTTLS";
export const DIRECT_TLS = "direct TLS";
export const TRANSPORTS = [STARTTLS, DIRECT_TLS];
export const OTHER = { [STARTTLS]: DIRECT_TLS, [DIRECT_TLS]: STARTTLS };

const SERVICES = {
  [STARTTLS]: `xmpp://${DOMAIN}:${process.env.XMPP_PORT}`,
  [DIRECT_TLS]: `xmpps://${DOMAIN}:${process.env.XMPP_TLS_PORT}`,
};

export class Device {
  #messages = new Inbox();
  #presences = new Inbox();
  #pushes = new Inbox();
  // The roster: items by address.
  contacts = new Map();

  // With `enter`, that is called with a function that logs in, once it is time to do so.
  constructor(user, resource, transport, password = PASSWORD, enter = undefined) {
    this.user = user;
    this.bare = `${user}@${DOMAIN}`;
    this.address = `${this.bare}/${resource}`;
    const login = this.login(password, enter);
    this.xmpp = client({ service: SERVICES[transport], domain: DOMAIN, resource, ...login });
    // A test that loses its connection is to fail, not to try again.
    this.xmpp.reconnect.stop();
    this.error = undefined;
    this.xmpp.on("error", (error) => {
      this.error = error;
    });
    this.xmpp.on("stanza", (stanza) => {
      if (stanza.is("message") && stanza.getChildText("body") !== null) this.#messages.put(stanza);
      if (stanza.is("presence")) this.#presences.put(stanza);
    });
    this.xmpp.on("nonza", (nonza) => {
      if (nonza.is("features")) this.features = nonza;
    });
    this.xmpp.iqCallee.set("jabber:iq:roster", "query", ({ element }) => {
      this.#note(element);
      this.#pushes.put(element);
      return true;
    });
    this.xmpp.iqCallee.get("urn:xmpp:ping", "ping", () => true);
  }

  // What the library is told about the login.
  login(password, enter) {
    const credentials = { username: this.user, password };
    return { ...credentials, credentials: enter && ((authenticate) => enter(() => authenticate(credentials))) };
  }

  // Connects and authenticates, without presence: nothing is delivered to this device yet.
  async logIn() {
    const address = await withPatience(this.xmpp.start(), `login of ${this.address}`);
    this.bound = address.toString();
    return this;
  }

  // Logs in, asks for the roster and sends presence. The answered ping proves that the server has handled it.
  async comeOnline() {
    await this.logIn();
    await this.fetchRoster();
    await this.show();
    await this.ping();
    return this;
  }

  // Closes the stream in order.
  async goOffline() {
    await withPatience(this.xmpp.stop(), `closing ${this.address}`);
  }

  async say(to, body) {
    await this.xmpp.send(xml("message", { to, type: "chat" }, xml("body", {}, body)));
  }

  // The next message that has a body.
  hear() {
    return this.#messages.take(() => true, `a message for ${this.address}`);
  }

  // Sends presence with these attributes and children.
  async show(attributes = {}, ...children) {
    await this.xmpp.send(xml("presence", attributes, ...children));
  }

  // The next presence of this type (undefined: available) from a bare or full address.
  see(sender, type) {
    const fits = ({ attrs }) => attrs.type === type && (attrs.from === sender || attrs.from.startsWith(`${sender}/`));
    return this.#presences.take(fits, `${type ?? "available"} of ${sender} for ${this.address}`);
  }

  // The presence that has come since the last look, without what was awaited.
  seen() {
    return this.#presences.empty();
  }

  // The answer's child; an error answer is thrown as StanzaError.
  request(payload, to = DOMAIN) {
    return this.xmpp.iqCaller.get(payload, to, PATIENCE_MS);
  }

  // As `request`, of type set.
  change(payload, to = this.bare) {
    return this.xmpp.iqCaller.set(payload, to, PATIENCE_MS);
  }

  // Returns once the server has answered a request to the own account, sent after everything else to it.
  async ping(to = this.bare) {
    await this.request(xml("ping", { xmlns: "urn:xmpp:ping" }), to);
  }

  // The roster, or undefined if nothing has changed since `ver`.
  async fetchRoster(ver = undefined) {
    const roster = await this.request(xml("query", { xmlns: "jabber:iq:roster", ver }), this.bare);
    if (roster) {
      this.contacts.clear();
      this.#note(roster);
    }
    return roster;
  }

  // Changes a roster item: its attributes, and the groups it is in.
  changeContact(attributes, ...groups) {
    const item = xml("item", attributes, ...groups.map((group) => xml("group", {}, group)));
    return this.change(xml("query", { xmlns: "jabber:iq:roster" }, item));
  }

  // The roster's item for `jid` as soon as it fits; undefined stands for one that is not there.
  async contact(jid, fits) {
    while (!fits(this.contacts.get(jid))) {
      const now = this.contacts.get(jid)?.toString() ?? "nothing";
      await this.#pushes.take(() => true, `another state of ${jid} than ${now} for ${this.address}`);
    }
    return this.contacts.get(jid);
  }

  #note(query) {
    this.version = query.attrs.ver ?? this.version;
    for (const item of query.getChildren("item")) {
      if (item.attrs.subscription === "remove") this.contacts.delete(item.attrs.jid);
      else this.contacts.set(item.attrs.jid, item);
    }
  }
}
