/**
 * The peers of the benchmark check out the books that they are said to check out: equal to ours level for level on the
 * captures, or different in the way that the report names. On the twin, so that no build is needed.
 * Bad case: captures that are not there; these tests skip, and the end of the run says so.
 */
import { describe, expect, it } from "vitest";
import { CAPTURED_SOURCES, readCaptured } from "../../bench/captured_streams.ts";
import { Engine } from "../../bench/engine.ts";
import { openCcxt } from "../../bench/peers/ccxt.ts";
import { openPeers, PeerRun, peerStream } from "../../bench/peers/run.ts";
import { capturesPresent } from "../support/captures.ts";

/** Enough for updates after every snapshot. */
const FRAMES = 3000;

async function engineOf(id: string): Promise<Engine> {
  const source = CAPTURED_SOURCES.find((candidate) => candidate.id === id);
  if (source === undefined) {
    throw new RangeError(`Cannot read a capture: no such id, was ${id}`);
  }
  const engine = new Engine("twin", await readCaptured(source, FRAMES));
  engine.reset();
  engine.verify("book", engine.run("book"));
  return engine;
}

/** What each peer ends in, by name: `equal`, the difference, or why there is none. */
async function outcomes(engine: Engine): Promise<Record<string, string>> {
  const peers = await openPeers(peerStream(engine));
  return Object.fromEntries(
    peers.map((peer) =>
      "missing" in peer ? [peer.name, peer.missing] : [peer.name, new PeerRun(peer, engine).compare() ?? "equal"],
    ),
  );
}

const ALL_EQUAL = { "tardis-dev": "equal", ccxt: "equal", "ccxt, its client": "equal", "plain Map": "equal" };

describe.skipIf(!capturesPresent())("peers on captured frames", () => {
  it.each(["coinbase_exchange", "binance_btcusdt", "binance_10pairs", "binance_us"])(
    "every peer checks out our books of %s",
    async (id) => {
      expect(await outcomes(await engineOf(id))).toEqual(ALL_EQUAL);
    },
  );

  it("of Kraken's version 2 ccxt and the plain Map check out our books, and tardis-dev says that it has no decoder", async () => {
    const engine = await engineOf("kraken_v2");
    expect(await outcomes(engine)).toEqual({ ...ALL_EQUAL, "tardis-dev": "it decodes Kraken's version 1 only" });
  });

  it("of Kraken's version 1 the plain Map checks out our books, and ccxt says that it has no decoder", async () => {
    const engine = await engineOf("kraken_v1");
    const found = await outcomes(engine);
    expect(found).toMatchObject({
      ccxt: "it decodes Kraken's version 2 only",
      "ccxt, its client": "it decodes Kraken's version 2 only",
      "plain Map": "equal",
    });
    expect(found["tardis-dev"]).toContain("sides differ");
  });

  it("ccxt with its checksum option on throws at Kraken's first frame, so it is measured with it off", async () => {
    const opened = await openCcxt(peerStream(await engineOf("kraken_v2")), { way: "handleMessage", verifies: true });
    expect(() => ("missing" in opened ? undefined : opened.reset())).toThrow(TypeError);
  });

  it("a peer that misses a frame does not pass", async () => {
    const engine = await engineOf("binance_us");
    const [tardis] = await openPeers(peerStream(engine));
    if (tardis === undefined || "missing" in tardis) {
      throw new Error("Cannot test a peer: tardis-dev is missing");
    }
    const run = new PeerRun(tardis, engine);
    expect(run.compare()).toBeUndefined();
    tardis.reset();
    const texts = engine.list("book").frames.map(({ text }) => text);
    expect(() => run.verify(tardis.run(texts.slice(0, -1)))).toThrow("Cannot trust tardis-dev: the books");
  });
});
