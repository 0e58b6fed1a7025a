/**
 * Follows one book from Node: `node src/client/examples/follow_node.mjs ws://127.0.0.1:8765/ws kraken:BTC-USD 10` prints ten changes.
 * Node has a WebSocket of its own from version 22 on; before, that of `ws` does.
 */
import { connect } from "alphapulse/client";
import { WebSocket } from "ws";

const [url = "ws://127.0.0.1:8765/ws", instrument = "kraken:BTC-USD", count = "10"] = process.argv.slice(2);
const client = connect(url, { WebSocket: globalThis.WebSocket ?? WebSocket });
let left = Number(count);

for await (const { state, version, hash, bbo, mid } of client.book(instrument)) {
  console.log(JSON.stringify({ state, version, hash, bid: bbo.bid, ask: bbo.ask, mid }));
  left -= 1;
  if (left === 0) {
    break;
  }
}
client.close();
