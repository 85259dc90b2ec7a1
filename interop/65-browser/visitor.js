// Somebody with a browser of their own, on the chat page.

import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { DOMAIN, PASSWORD } from "./newcomers.js";

const SITE = `http://${DOMAIN}:${process.env.XMPP_HTTP_PORT}`;
const PATIENCE_MS = 60_000;
// As long as the server wants those to be that people choose.
const CHOSEN = "Correct Horse 7";
const PICTURES = fileURLToPath(new URL("pictures/", import.meta.url));
// What the page is called with for each kind of connection.
const QUERIES = { WebSocket: "", BOSH: "?bosh" };
export const KINDS = Object.keys(QUERIES);

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--headless=new", "--no-sandbox"] });

export const close = () => browser.close();

export class Visitor {
  // What the page asked for that is not of its own site, and what went wrong in it.
  strayed = [];
  wrong = [];
  // How its streams were carried.
  carried = new Set();

  // Opens the page in a browser that has never been there.
  static async arrive(user, kind) {
    const visitor = new Visitor();
    const context = await browser.newContext({ viewport: { width: 1100, height: 700 }, locale: "en-GB" });
    context.setDefaultTimeout(PATIENCE_MS);
    visitor.page = await context.newPage();
    visitor.user = user;
    visitor.bare = `${user}@${DOMAIN}`;
    visitor.#watch();
    await visitor.page.goto(`${SITE}/chat/${QUERIES[kind]}`);
    await visitor.page.locator("input[name=jid]").waitFor();
    return visitor;
  }

  // The same, with a login.
  static async logIn(user, kind) {
    const visitor = await Visitor.arrive(user, kind);
    await visitor.fillIn(user);
    return visitor;
  }

  #watch() {
    this.page.on("console", (message) => {
      // It shows every stanza that is an error: asking a room for a nickname that nobody has reserved is one.
      if (message.type() === "error" && !message.text().startsWith("<iq ")) this.wrong.push(message.text());
    });
    this.page.on("pageerror", (error) => this.wrong.push(String(error)));
    this.page.on("websocket", () => this.carried.add("WebSocket"));
    this.page.on("request", (request) => {
      const url = request.url();
      if (url.endsWith("/http-bind")) this.carried.add("BOSH");
      if (!url.startsWith(`${SITE}/`) && !/^(data|blob):/.test(url)) this.strayed.push(url);
    });
  }

  // Logs in with the form that is shown.
  async fillIn(user, password = PASSWORD) {
    await this.page.locator("input[name=jid]").fill(user);
    await this.page.locator("input[name=password]").fill(password);
    await this.page.locator("converse-login-form [type=submit]").click();
  }

  // Makes an account with the form that is shown for that.
  async register() {
    await this.page.locator("a.register-account").click();
    const form = this.page.locator("form#converse-register");
    await form.locator("input[name=username]").fill(this.user);
    await form.locator("input[name=password]").fill(CHOSEN);
    await form.locator("input[type=submit]").click();
  }

  // Whether it is there: its own name stands above its contacts.
  isIn() {
    return this.page.locator("converse-user-profile").getByText(this.bare).waitFor();
  }

  // What is open with somebody or in a room.
  with(address) {
    return new Talk(this, address);
  }

  // Logs in to the own archive, in another window of the same browser.
  async readArchive() {
    const archive = await this.page.context().newPage();
    await archive.goto(`${SITE}/archive/`);
    await archive.locator("input[name=name]").fill(this.user);
    await archive.locator("input[name=password]").fill(PASSWORD);
    await archive.locator("button").click();
    await this.#seesArchive(archive);
    await archive.close();
  }

  #seesArchive(archive) {
    return archive.getByText(this.bare).waitFor();
  }

  // What a script on the chat page gets of the archive that its reader sees: by asking for it, and by a look into a window with it.
  async reachForArchive() {
    const status = await this.page.evaluate(async () => (await fetch("/archive/")).status);
    const opens = this.page.context().waitForEvent("page");
    await this.page.evaluate(() => {
      window.opened = window.open("/archive/");
    });
    const archive = await opens;
    await this.#seesArchive(archive);
    const isOutOfReach = await this.page.evaluate(() => window.opened.closed);
    await archive.close();
    return { status, isOutOfReach };
  }

  // Leaves a picture of what is seen.
  async show(name) {
    await this.page.screenshot({ path: `${PICTURES}${name}.png` });
  }

  async leave() {
    await this.page.context().close();
  }
}

class Talk {
  constructor(visitor, address) {
    this.page = visitor.page;
    this.address = address;
    this.box = this.page.locator(`converse-chat[jid="${address}"], converse-muc[jid="${address}"]`);
  }

  // Opens it as its address in the page does.
  async open(kind = "chat") {
    await this.page.evaluate((hash) => {
      location.hash = hash;
    }, `converse/${kind}?jid=${this.address}`);
    await this.box.locator("textarea").waitFor();
  }

  // Opens what somebody else has begun, as people do: by its name in the list, once it is there. (The page may leave closed what is opened
  // by its address in the same moment in which its first message comes.)
  async answer() {
    await this.page.locator(`a.open-chat[data-jid="${this.address}"]`).first().click();
    await this.box.locator("textarea").waitFor();
  }

  async say(body) {
    await this.box.locator("textarea").fill(body);
    await this.box.locator("textarea").press("Enter");
  }

  // Returns once the message is there to be read.
  async hear(body) {
    await this.box.locator(".chat-msg__text").getByText(body, { exact: true }).first().waitFor();
  }

  // Sends a file.
  async send(file) {
    await this.box.locator("input[type=file]").setInputFiles(file);
  }

  // The width of the last picture that is seen here, once it has come.
  async widthOfPicture() {
    const picture = this.box.locator("img.chat-image").last();
    await picture.waitFor();
    return picture.evaluate(async (image) => {
      await image.decode();
      return image.naturalWidth;
    });
  }
}

// A picture as a browser makes it.
export async function newPicture({ page }) {
  const url = await page.evaluate(() => {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: 160, height: 100 });
    const brush = canvas.getContext("2d");
    const colours = brush.createLinearGradient(0, 0, 160, 100);
    for (const [at, colour] of [[0, "crimson"], [0.5, "gold"], [1, "teal"]]) colours.addColorStop(at, colour);
    brush.fillStyle = colours;
    brush.fillRect(0, 0, 160, 100);
    return canvas.toDataURL("image/png");
  });
  return { name: "sunset.png", mimeType: "image/png", buffer: Buffer.from(url.split(",")[1], "base64") };
}
