/**
 * The twin: the whole kernel in TypeScript, writing the same records, counters, images and wire frames as the wasm
 * kernel, byte for byte. It runs wherever JavaScript runs, over a plain or a shared buffer.
 * Bad case: a host that puts two instances on one arena range; each instance has its own range and its own books.
 */
import type { Kernel, KernelAudit, KernelProducer } from "../kernel.ts";
import { Applier } from "./apply.ts";
import { Audit } from "./audit.ts";
import { Book } from "./book.ts";
import { clientFunctions, createState, type TwinState } from "./client.ts";
import { EventWriter } from "./delta.ts";
import { ImageCopy, loadImage } from "./image_load.ts";
import { forceLevel, rescale, retire, unsync } from "./lifecycle.ts";
import { Producer } from "./producer.ts";
import { createReader, pollReader, publish } from "./ring.ts";

export { type ClientKernel, createClientKernel } from "./client.ts";

/**
 * Makes a kernel.
 * @param buffer the linear memory; its length is a multiple of four and stays
 * @throws RangeError when its length is not a multiple of four
 */
export function createTwin(buffer: ArrayBufferLike): Kernel {
  const state = createState(buffer);
  const { memory, arena, replicas } = state;
  const copy = new ImageCopy();
  return {
    name: "twin",
    buffer,
    ...clientFunctions(state),
    ...producerFunctions(state),
    readerCreate: (segment, ring) => createReader(memory, arena, segment, ring),
    readerPoll: (reader, out, limit) => pollReader(memory, reader, out, limit),
    imageLoad: (replica, segment, entry) => loadImage(replicas, copy, replica, segment, entry),
  };
}

function producerFunctions({ memory, arena, books }: TwinState): KernelProducer & KernelAudit {
  const producer = new Producer(memory, arena, books);
  const writer = new EventWriter(producer, new Book());
  const applier = new Applier(producer, writer);
  return {
    ...auditFunctions(producer, writer),
    clockAnchor: (low, high) => producer.setAnchor(low, high),
    producerAttach: (segment) => producer.attach(segment),
    instrumentCreate: (name, nameLength) => producer.instruments.create(name, nameLength),
    instrumentFind: (name, nameLength) => producer.instruments.find(name, nameLength),
    outcomeAddress: () => producer.outcome(),
    apply: (decoder, frame, length, receivedAt) => applier.apply(decoder, frame, length, receivedAt),
    applySnapshot: (decoder, instrument, body, length, receivedAt) =>
      applier.applySnapshot(decoder, instrument, body, length, receivedAt),
    instrumentUnsync: (instrument, syncState, reason, receivedAt) => {
      producer.setReceived(receivedAt);
      unsync(producer, writer, instrument, { state: syncState, reason });
    },
    instrumentRetire: (instrument, receivedAt) => {
      producer.setReceived(receivedAt);
      retire(producer, writer, instrument);
    },
    instrumentRescale: (instrument, price, quantity, receivedAt) => {
      producer.setReceived(receivedAt);
      return rescale(producer, writer, instrument, { price, quantity });
    },
    publish: (now) => publish(producer, now),
  };
}

function auditFunctions(producer: Producer, writer: EventWriter): KernelAudit {
  const audit = new Audit(producer);
  return {
    watchCreate: (instrument) => producer.watches.create(instrument),
    watchOpen: (watch) => producer.watches.open(watch),
    watchClose: (watch) => producer.watches.close(watch),
    auditCompare: (watch, body, length) => audit.compare(watch, body, length),
    levelForce: (instrument, side, level, receivedAt) => {
      producer.setReceived(receivedAt);
      forceLevel(producer, writer, { instrument, side, level });
    },
  };
}
