/**
 * More than one machine: a collector's segment goes to a NATS broker (`startPublisher`), and on other machines comes back
 * as a segment (`startReceiver`), merged from all collectors of an exchange. What travels is described in message.ts, what
 * happens when two collectors say the same in merged_instrument.ts. Bad case: see the files behind it.
 */
export { checkCredentials, type NatsConfig, type NatsLog } from "./broker.ts";
export type { ExchangeMerge } from "./exchange_merge.ts";
export type { MergeCounts } from "./merge_home.ts";
export { type NatsPublisher, type PublisherCounts, type PublisherOptions, startPublisher } from "./publisher.ts";
export { type NatsReceiver, type ReceiverCounts, type ReceiverOptions, startReceiver } from "./receiver.ts";
export { Workspace, type WorkspaceOptions } from "./workspace.ts";
