/**
 * A batch of trade records on its way to the instruments that they belong to, each with its trades in order.
 * Bad case: a trade of an id that was retired by a rescale; it is shown with the exponents that it was recorded with.
 */
import { TRADE_BYTES, TRADE_INSTRUMENT_ID } from "../../assembly/layout.ts";
import type { Binding } from "./instrument.ts";
import type { Workspace } from "./workspace.ts";

/** Publishes records of any instruments. @param batch.records address of the first */
export function publishTrades(
  workspace: Workspace,
  batch: { records: number; count: number; bindingOf: (id: number) => Binding | undefined },
): void {
  const groups = new Map<Binding, number[]>();
  for (let index = 0; index < batch.count; index++) {
    const record = batch.records + index * TRADE_BYTES;
    const binding = batch.bindingOf(workspace.u32(record + TRADE_INSTRUMENT_ID));
    if (binding === undefined) {
      continue;
    }
    binding.instrument.trades.count += 1;
    const group = groups.get(binding);
    if (group === undefined) {
      groups.set(binding, [record]);
    } else {
      group.push(record);
    }
  }
  for (const [binding, records] of groups) {
    const { instrument } = binding;
    instrument.loadExponents();
    const shown = instrument.exponents(instrument.binding ?? binding);
    instrument.trades.publish(records, { recorded: instrument.exponents(binding), shown });
  }
}
