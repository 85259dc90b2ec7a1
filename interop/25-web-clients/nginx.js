// nginx in front of the server, with the lines that the documentation has for it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

const { PROXY_PORT, WEB_PAGE, XMPP_DATA, XMPP_HTTP_PORT } = process.env;
const TRIES = 300;

// What administrators are told to write.
async function lines() {
  const page = await readFile(WEB_PAGE, "utf8");
  const block = page.match(/```nginx\n([^`]*)```/)[1];
  return block.replaceAll("127.0.0.1:5280", `127.0.0.1:${XMPP_HTTP_PORT}`);
}

const configuration = async (folder) => `daemon off;
master_process off;
pid ${folder}/pid;
error_log stderr warn;
events {}
http {
    access_log off;
    client_body_temp_path ${folder}/body;
    proxy_temp_path ${folder}/proxy;
    fastcgi_temp_path ${folder}/fastcgi;
    uwsgi_temp_path ${folder}/uwsgi;
    scgi_temp_path ${folder}/scgi;
    server {
        listen 127.0.0.1:${PROXY_PORT} ssl;
        server_name localhost;
        ssl_certificate ${XMPP_DATA}/certificate.pem;
        ssl_certificate_key ${XMPP_DATA}/certificate.key;
${await lines()}
    }
}
`;

// Whether somebody listens there.
export async function listens(port) {
  const socket = connect({ host: "127.0.0.1", port });
  const answer = once(socket, "connect").then(() => true);
  const found = await answer.catch(() => false);
  socket.destroy();
  return found;
}

// Starts a program that ends with this one, whatever happens, and waits until `check` holds.
export async function start(name, options, check) {
  const program = spawn(name, options, { stdio: ["ignore", "ignore", "inherit"] });
  process.once("exit", () => program.kill("SIGKILL"));
  for (let tries = 0; tries < TRIES; tries += 1) {
    if (program.exitCode !== null) throw new Error(`${name} has ended with ${program.exitCode}`);
    if (await check()) return program;
    await setTimeout(100);
  }
  throw new Error(`${name} is not there`);
}

// Ends a program of ours.
export async function end(program) {
  if (program.exitCode !== null) return;
  const gone = once(program, "exit");
  program.kill("SIGTERM");
  await gone;
}

// Starts it; answers a function that stops it.
export async function startNginx() {
  const folder = await mkdtemp(join(tmpdir(), "nginx-"));
  const file = join(folder, "nginx.conf");
  await writeFile(file, await configuration(folder));
  const program = await start("/usr/sbin/nginx", ["-p", folder, "-c", file, "-e", "stderr"], () => listens(PROXY_PORT));
  return async () => {
    await end(program);
    await rm(folder, { recursive: true });
  };
}
