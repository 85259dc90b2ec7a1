// Runs tests over both kinds of connection: one line `ok NAME` or `not ok NAME` per test, then `done N`.

import { DIRECT_TLS, STARTTLS } from "./device.js";

// When an error answers a request faster than the library's own write completes, the library rejects a promise that it
// looks at only afterwards. The same error then reaches whoever made the request, so nothing is hidden by this.
process.on("unhandledRejection", () => {});

// Ends the process with the verdict on functions that take the kind of connection.
export async function judge(tests) {
  let failed = 0;
  for (const transport of [STARTTLS, DIRECT_TLS]) {
    for (const test of tests) {
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
  console.log(`done ${tests.length * 2}`);
  process.exit(failed === 0 ? 0 : 1);
}
