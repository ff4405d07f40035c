// The library of Standard Webhooks as a receiver. Arguments: the router's port, the port to listen on, two secrets that sign, one that doesn't.
const http = require("http");
const { Webhook } = require("standardwebhooks");

const [router, own] = process.argv.slice(2, 4).map(Number);
const [first, second, other] = process.argv.slice(4);

function believes(secret, body, headers) {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

async function main() {
  const got = {}, failed = [];
  const check = (name, good) => good || failed.push(name);
  const hook = http.createServer((request, reply) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      got[request.url] = { body: Buffer.concat(parts).toString(), headers: request.headers };
      reply.writeHead(204).end();
    });
  });
  await new Promise((done) => hook.listen(own, "127.0.0.1", done));
  for (const system of ["data", "whole"]) {
    const answer = await fetch(`http://127.0.0.1:${router}/v1/systems/${system}/messages`, {
      method: "POST", headers: { "content-type": "application/cloudevents+json" },
      body: JSON.stringify({ specversion: "1.0", id: system, source: "/sdk", type: "com.example.hook", data: { text: "hé", n: 1 } }) });
    check(`${system}-is-taken`, answer.status === 202);
  }
  for (let i = 0; i < 250 && Object.keys(got).length < 2; i++) await new Promise((done) => setTimeout(done, 20));
  for (const path of ["/binary", "/structured"]) {
    const { body, headers } = got[path] || { body: "", headers: {} };
    check(`${path}-is-believed-with-the-first`, believes(first, body, headers));
    check(`${path}-is-believed-with-the-second`, believes(second, body, headers));
    check(`${path}-is-not-with-another`, !believes(other, body, headers));
    check(`${path}-is-not-when-it-was-changed`, !believes(first, body + " ", headers));
    check(`${path}-is-not-under-another-name`, !believes(first, body, { ...headers, "webhook-id": "msg_x" }));
    check(`${path}-is-not-when-it-is-old`, !believes(first, body, { ...headers, "webhook-timestamp": String(Math.floor(Date.now() / 1000) - 400) }));
  }
  hook.close();
  failed.forEach((name) => console.log(`# not ok: ${name}`));
  process.exit(failed.length ? 1 : 0);
}

main();
