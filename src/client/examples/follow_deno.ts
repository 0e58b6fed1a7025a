/**
 * Follows one book and its trades from Deno:
 * `deno run --allow-net src/client/examples/follow_deno.ts ws://127.0.0.1:8765/ws kraken:BTC-USD 10` prints ten changes.
 * Outside of this repository the import is `npm:alphapulse/client`; here deno.json says where it stands.
 */
import { connect } from "alphapulse/client";

const [url = "ws://127.0.0.1:8765/ws", instrument = "kraken:BTC-USD", count = "10"] = Deno.args;
const client = connect(url);
client.trades(instrument).on((trade) => console.log(JSON.stringify({ trade: [trade.aggressor, trade.price] })));
let left = Number(count);

for await (const { state, version, hash, bbo, mid } of client.book(instrument)) {
  console.log(JSON.stringify({ state, version, hash, bid: bbo.bid, ask: bbo.ask, mid }));
  left -= 1;
  if (left === 0) {
    break;
  }
}
client.close();
