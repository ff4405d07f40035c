// A WebSocket server that echoes, made with npm's ws:  node ws_echo.js FOLDER PORT   (FOLDER has node_modules)
const { createRequire } = require("node:module");
const { WebSocketServer } = createRequire(process.argv[2] + "/")("ws");

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[3]), perMessageDeflate: false });
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on("error", () => socket.terminate());
});
