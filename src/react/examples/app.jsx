/**
 * A React page with two books of one instrument, its trades and the state of the connection. `?instrument=` and `?gateway=`
 * as in page.html. Bundle it with anything that knows JSX.
 */
import { AlphaPulseProvider, useBbo, useConnection, useOrderBook, useTrades } from "alphapulse/react";
import { createRoot } from "react-dom/client";

const wishes = new URLSearchParams(location.search);
const instrument = wishes.get("instrument") ?? "kraken:BTC-USD";
const url = `ws://${wishes.get("gateway") ?? location.host}/ws`;

/** How often each component rendered: at frame rate, not at tick rate. */
const renders = { ladder: 0, trades: 0 };
globalThis.renders = renders;

function App() {
  return (
    <AlphaPulseProvider url={url}>
      <ConnectionLine />
      <h1>{instrument}</h1>
      <BestPrices />
      <Ladder levels={10} />
      <Tape />
    </AlphaPulseProvider>
  );
}

function ConnectionLine() {
  const { state, reason } = useConnection();
  return <p role="status" id="connection" data-state={state}>{`${state} ${reason}`}</p>;
}

function BestPrices() {
  const bbo = useBbo(instrument);
  return <p id="bbo">{bbo === undefined ? "…" : `${bbo.bid?.[0] ?? "–"} / ${bbo.ask?.[0] ?? "–"}`}</p>;
}

function Ladder({ levels }) {
  renders.ladder += 1;
  const { state, version, bids, asks, mid } = useOrderBook(instrument, { levels });
  return (
    <table id="ladder" data-state={state} data-version={version} data-mid={mid}>
      <tbody>
        {bids.map(([price, quantity], rank) => (
          <tr key={price}>
            <td>{quantity}</td>
            <td>{price}</td>
            <td>{asks[rank]?.[0]}</td>
            <td>{asks[rank]?.[1]}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Tape() {
  renders.trades += 1;
  const trades = useTrades(instrument, { limit: 20 });
  return (
    <ol id="tape">
      {trades.map(({ id, aggressor, price, quantity }) => (
        <li key={id}>{`${aggressor} ${quantity} at ${price}`}</li>
      ))}
    </ol>
  );
}

createRoot(document.getElementById("root")).render(<App />);
