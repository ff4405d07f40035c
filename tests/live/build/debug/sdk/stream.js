// Stream v1 over the package `ws`: a client in a page of code. It asks over a session and prints `ok` for the right answer.
const { WebSocket } = require("ws");

const HELLO = 1, WELCOME = 2, MSG = 4, ACK = 5, PING = 10, PONG = 11;
const socket = new WebSocket(`ws://127.0.0.1:${process.argv[2]}/v1/ws`, ["intertie.v1"]);

function send(type, payload) {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(payload.length, 0);
  head[4] = type;
  socket.send(Buffer.concat([head, payload]));
}

function fail(words) {
  console.log(words);
  process.exit(1);
}

socket.on("error", (why) => fail(why));
socket.on("close", (code) => code !== 1000 && fail(`closed with ${code}`));
socket.on("open", () => {
  if (socket.protocol !== "intertie.v1" || socket.extensions !== "") fail(socket.protocol + socket.extensions);
  send(HELLO, Buffer.from(JSON.stringify({ client: "ws/8", system: "crm", enc: ["json"] })));
});
socket.on("message", (frame, isBinary) => {
  const payload = frame.subarray(8);
  if (!isBinary || frame.readUInt32BE(0) !== payload.length) fail("not one frame in a message");
  if (frame[4] === PING) send(PONG, payload);
  if (frame[4] === WELCOME) {
    const head = Buffer.alloc(16);
    head.writeBigUInt64BE(1n, 0);
    send(MSG, Buffer.concat([head, Buffer.from(JSON.stringify({
      specversion: "1.0", id: "q1", source: "/systems/crm", type: "com.example.price", messagetype: "query", target: "pricing", data: { sku: 1 } }))]));
  }
  if (frame[4] === MSG) {
    const event = JSON.parse(payload.subarray(16));
    if (event.causationid !== "q1" || event.data.price !== 7) fail(payload.toString());
    const ack = Buffer.alloc(12);
    ack.writeBigUInt64BE(1n, 0);
    send(ACK, ack);
    socket.close(1000);
    console.log("ok");
  }
});
