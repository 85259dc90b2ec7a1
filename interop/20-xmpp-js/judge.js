// Runs tests, each over some kinds of connection: one line `ok NAME` or `not ok NAME` per run, then `done N`.

// When an error answers a request faster than the library's own write completes, the library rejects a promise that it
// looks at only afterwards. The same error then reaches whoever made the request, so nothing is hidden by this.
process.on("unhandledRejection", () => {});

// Every test over every kind, for `judge`.
export function each(tests, kinds) {
  return kinds.flatMap((kind) => tests.map((test) => ({ test, kind })));
}

// Ends the process with the verdict on runs: functions with the kind of connection that they take. `cleanUp` is called before that.
export async function judge(runs, cleanUp = async () => {}) {
  let failed = 0;
  for (const { test, kind } of runs) {
    const name = `${test.name} over ${kind}`;
    try {
      await test(kind);
      console.log(`ok ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`not ok ${name}`);
      console.log(error.stack ?? error);
    }
  }
  await cleanUp();
  console.log(`done ${runs.length}`);
  process.exit(failed === 0 ? 0 : 1);
}
