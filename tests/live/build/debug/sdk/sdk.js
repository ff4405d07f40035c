// The CloudEvents SDK as sender, asker and receiver. Arguments: the router's port, the port to listen on.
const http = require("http");
const { CloudEvent, HTTP, emitterFor, httpTransport } = require("cloudevents");

const [router, own] = process.argv.slice(2).map(Number);
const target = `http://127.0.0.1:${router}/v1/messages`;
const results = [];

function check(name, good, words) {
  results.push(good);
  console.log(`${good ? "ok" : "not ok"} ${results.length} - ${name}${good ? "" : `\n# ${words}`}`);
}

function post(message) {
  return new Promise((done, fail) => {
    const request = http.request(target, { method: "POST", headers: message.headers }, (reply) => {
      let body = "";
      reply.on("data", (chunk) => (body += chunk));
      reply.on("end", () => done({ status: reply.statusCode, headers: reply.headers, body }));
    });
    request.on("error", fail);
    request.end(message.body);
  });
}

async function main() {
  const got = [];
  const hook = http.createServer((request, reply) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      const event = HTTP.toEvent({ headers: request.headers, body });
      got.push({ event, mode: request.headers["ce-id"] ? "binary" : "structured" });
      if (event.messagetype !== "query") return reply.writeHead(202).end();
      const answer = HTTP.binary(new CloudEvent({ type: "com.example.answer", source: "/systems/hook", causationid: event.id,
        messagetype: "response", datacontenttype: "application/json", data: { doubled: event.data.n * 2 } }));
      reply.writeHead(200, answer.headers).end(answer.body);
    });
  });
  await new Promise((done) => hook.listen(own, "127.0.0.1", done));
  const make = (more) => new CloudEvent({ type: "com.example.hook.x", source: "/sdk", datacontenttype: "application/json",
    data: { n: 21 }, tenant: "acme", ...more });

  const binary = make({ id: "b1" });
  check("binary-mode-is-accepted", (await post(HTTP.binary(binary))).status === 202, "status");
  const structured = make({ id: "s1", subject: "with space and é" });
  check("structured-mode-is-accepted", (await post(HTTP.structured(structured))).status === 202, "status");
  for (let i = 0; i < 200 && got.length < 2; i++) await new Promise((done) => setTimeout(done, 20));
  const first = got.find((each) => each.event.id === "b1"), second = got.find((each) => each.event.id === "s1");
  check("what-was-sent-arrives", first && first.event.data.n === 21 && first.event.tenant === "acme", JSON.stringify(got));
  check("odd-characters-leave-structured", second && second.mode === "structured" && second.event.subject === structured.subject,
    JSON.stringify(second));
  const reply = await post(HTTP.binary(make({ id: "q1", messagetype: "query" })));
  const answer = reply.status === 200 && HTTP.toEvent({ headers: reply.headers, body: reply.body });
  check("a-query-is-answered", answer && answer.causationid === "q1" && answer.data.doubled === 42, JSON.stringify(reply));
  const emit = emitterFor(httpTransport(target));
  const emitted = await emit(make({ id: "e1" }));
  check("the-sdk-emitter-is-accepted", emitted !== undefined, "no result");
  hook.close();
  console.log(`1..${results.length}`);
  process.exit(results.every(Boolean) ? 0 : 1);
}

main().catch((problem) => {
  console.log(`Bail out! ${problem.stack}`);
  process.exit(1);
});
