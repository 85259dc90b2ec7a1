// @xmpp/client against the server: one line `ok NAME` or `not ok NAME` per test, then `done N`.

import * as accounts from "./accounts.js";
import * as chat from "./chat.js";
import * as contacts from "./contacts.js";
import { DIRECT_TLS, STARTTLS } from "./device.js";
import * as queries from "./queries.js";

const TESTS = [chat, contacts, accounts, queries].flatMap((subject) => subject.TESTS);

// When an error answers a request faster than the library's own write completes, the library rejects a promise that it
// looks at only afterwards. The same error then reaches whoever made the request, so nothing is hidden by this.
process.on("unhandledRejection", () => {});

let failed = 0;
for (const transport of [STARTTLS, DIRECT_TLS]) {
  for (const test of TESTS) {
    const name = `${test.name} over ${transport}`;
    try {
      await test(transport);
      console.log(`ok ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`not ok ${name}`);
      console.log(error.stack ?? error);
    }
  }
}
console.log(`done ${TESTS.length * 2}`);
process.exit(failed === 0 ? 0 : 1);
