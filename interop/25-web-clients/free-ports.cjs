// Prints two ports on which nobody listens, below those that the system gives to outgoing connections.
const { createServer } = require("node:net");

const isFree = (port) =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });

(async () => {
  const found = [];
  for (let port = 11_000 + (process.pid % 1500) * 2; found.length < 2; port += 1) {
    if (await isFree(port)) found.push(port);
  }
  console.log(found.join(" "));
})();
