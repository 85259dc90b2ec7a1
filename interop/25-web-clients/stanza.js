// A person with stanza.

import { once } from "node:events";
import stanza from "stanza";
import { Person, UPLOADS } from "./person.js";

export class Stanza extends Person {
  static title = "stanza";

  async enter() {
    const transports = { websocket: false, bosh: false, [this.transport.toLowerCase()]: this.url };
    const login = { jid: this.bare, credentials: { username: this.user, password: this.password } };
    this.client = stanza.createClient({ ...login, transports, autoReconnect: false });
    // It would take it although it cannot be bound to TLS; pages in browsers are not offered it.
    this.client.sasl.disable("SCRAM-SHA-256-PLUS");
    this.client.sasl.disable("SCRAM-SHA-1-PLUS");
    this.client.on("message", ({ from, body, archive }) => archive || this.note({ from, body }));
    const refused = new Promise((_, reject) => this.client.once("auth:failed", () => reject(new Error("not-authorized"))));
    const begun = once(this.client, "session:started");
    this.client.connect();
    // It ends its stream with the first answer that says so, and stumbles over what the answers before that still bring.
    this.stumbled = new Promise((resolve) => this.client.transport.on("error", resolve));
    await Promise.race([begun, refused]);
    this.client.sendPresence();
    await this.client.ping(this.bare);
  }

  async leave() {
    // Over BOSH it is not always said to be disconnected, because of that.
    const gone = Promise.race([once(this.client, "disconnected"), once(this.client, "stream:end"), this.stumbled]);
    this.client.disconnect();
    await this.soon(gone, "the end");
  }

  async say(to, body, type = "chat") {
    this.client.sendMessage({ to, type, body });
  }

  async join(room, nick) {
    await this.soon(this.client.joinRoom(room, nick), `a place in ${room}`);
  }

  async open(room) {
    await this.client.configureRoom(room, {});
  }

  async history(other) {
    const { results } = await this.client.searchHistory({ with: other });
    return results.map(({ item }) => item.message.body);
  }

  async slot(name, size, mediaType) {
    const { jid } = await this.client.getUploadService();
    if (jid !== UPLOADS) throw new Error(`the service is ${jid}`);
    const { upload, download } = await this.client.getUploadSlot(jid, { name, size, mediaType });
    const fields = (upload.headers ?? []).map(({ name, value }) => [name, value]);
    return { put: upload.url, get: download, fields: Object.fromEntries(fields) };
  }

  async breakDown() {
    const gone = once(this.client, "disconnected");
    this.client.transport.socket.terminate();
    await this.soon(gone, "the end of the connection");
  }

  // Connects again; answers whether the stream was resumed.
  async comeBack() {
    const resumed = once(this.client, "stream:management:resumed").then(() => true);
    const begun = once(this.client, "session:started").then(() => false);
    this.client.connect();
    return this.soon(Promise.race([resumed, begun]), "the way back");
  }
}
