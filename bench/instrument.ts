/**
 * One instrument on a workbench without an exchange around it, and the cheapest record that the kernel writes: the empty
 * one that says that a book is not synced any more. Bad case: an instrument that is not synced; it writes no such record.
 */
import {
  ASSURANCE_SEQUENCE,
  INSTRUMENT_STATE,
  REASON_GAP,
  STATE_RESYNCING,
  STATE_SYNCED,
  TRADING_OPEN,
} from "../assembly/layout.ts";
import { InstrumentBlock } from "../src/sync/instrument_block.ts";
import { reserveBytes, type Workbench } from "./workbench.ts";

const SCRATCH_BYTES = 256;
const IMAGE_LEVELS = 64;

/** Opens an instrument with known exponents and an empty book. */
export function openInstrument(bench: Workbench, native: string): InstrumentBlock {
  const ground = {
    kernel: bench.producer,
    view: bench.view,
    segment: bench.segment,
    scratch: reserveBytes(bench, `name of ${native}`, SCRATCH_BYTES),
    imageEvery: bench.config.deltaCapacity,
    wallNs: (receivedAt: number) => BigInt(Math.round(receivedAt)),
  };
  const exponents = { priceExponent: 2, quantityExponent: 8 };
  return new InstrumentBlock(ground, {
    native,
    canonical: native,
    assurance: ASSURANCE_SEQUENCE,
    depth: 0,
    ...exponents,
    tradingStatus: TRADING_OPEN,
    imageLevels: IMAGE_LEVELS,
  });
}

/** Writes one empty record behind the tail. @param address of the instrument's block */
export function writeEmptyRecord({ producer, view }: Workbench, address: number): void {
  view.setUint32(address + INSTRUMENT_STATE, STATE_SYNCED, true);
  producer.instrumentUnsync(address, STATE_RESYNCING, REASON_GAP, 0);
}
