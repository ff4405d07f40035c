// The package `ws` as a system that is dialled, and as a session that asks it. Prints the port that it listens on, then
// takes the router's port from its input. Messages of more than 1 KiB leave it deflated.
const { WebSocket, WebSocketServer } = require("ws");
const readline = require("readline");

const passed = new Set(); // by name: a router may open several connections
function check(name, good, words) {
  if (good) passed.add(name);
  console.log(`${good ? "ok" : "not ok"} ${name}${good ? "" : ": " + words}`);
}
const made = (id, more) => JSON.stringify({ specversion: "1.0", id, source: "/ws", type: "com.example.feed.ask", ...more });
const deflate = { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 1024 };

const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: deflate, handleProtocols: (all) =>
  all.has("cloudevents.json") && "cloudevents.json" });
server.on("listening", () => console.log(server.address().port));
server.on("connection", (socket) => {
  check("the router offers permessage-deflate", socket.extensions.includes("permessage-deflate"), socket.extensions);
  socket.on("message", (data) => {
    const event = JSON.parse(data);
    socket.send(made("r-" + event.id, { messagetype: "response", causationid: event.id, data: event.data }));
  });
});

readline.createInterface({ input: process.stdin }).once("line", (port) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/ws`, ["cloudevents.json"], { perMessageDeflate: deflate });
  const long = "an answer that deflates well ".repeat(2000);
  socket.on("error", (why) => check("it connects", false, why));
  socket.on("open", () => {
    check("it agrees on all", socket.protocol === "cloudevents.json" && socket.extensions.includes("permessage-deflate"),
      socket.protocol + " " + socket.extensions);
    socket.ping("there?");
    socket.send(made("q1", { messagetype: "query", data: long }));
  });
  socket.on("pong", (data) => check("a ping is answered", data.toString() === "there?", data));
  socket.on("message", (data) => {
    const event = JSON.parse(data);
    check("a long answer comes back", event.causationid === "q1" && event.data === long, data.toString().slice(0, 300));
    socket.close(1000);
  });
  socket.on("close", (code) => {
    check("its close is answered", code === 1000, code);
    console.log(`done ${passed.size}`);
  });
});
