/**
 * The twin: the whole kernel in TypeScript, writing the same records, counters, images and wire frames as the wasm
 * kernel, byte for byte. It runs wherever JavaScript runs, over a plain or a shared buffer.
 * Bad case: a host that puts two instances on one arena range; each instance has its own range and its own books.
 */
import { LEVEL_PRICE, LEVEL_QUANTITY } from "../../../assembly/layout.ts";
import type {
  Kernel,
  KernelAudit,
  KernelBook,
  KernelFrame,
  KernelHistogram,
  KernelHistory,
  KernelProducer,
  KernelReader,
  KernelText,
} from "../kernel.ts";
import { Applier } from "./apply.ts";
import { Audit } from "./audit.ts";
import { Book } from "./book.ts";
import { type ClientFunctions, clientFunctions, createState, type TwinState } from "./client.ts";
import { crc32 } from "./crc32.ts";
import { EventWriter } from "./delta.ts";
import { encodeConflated } from "./frame_conflated.ts";
import { createBuffer, takeFrame } from "./frame_encode.ts";
import { encodeBbo, encodeSnapshot, encodeTrades } from "./frame_encode_parts.ts";
import { levelHash } from "./hash.ts";
import { recordNanoseconds, recordSpans } from "./histogram.ts";
import { Histories } from "./history_walk.ts";
import { ImageCopy, loadImage } from "./image_load.ts";
import { forceLevel, rescale, retire, unsync } from "./lifecycle.ts";
import { fieldOf } from "./memory.ts";
import { Producer } from "./producer.ts";
import { formatDecimal, parseDecimal } from "./quantize.ts";
import { applyRecord } from "./record.ts";
import { createReader, pollReader, publish } from "./ring.ts";
import { followView } from "./view.ts";

export { type ClientKernel, createClientKernel } from "./client.ts";

/**
 * Makes a kernel.
 * @param buffer the linear memory; its length is a multiple of four and stays
 * @throws RangeError when its length is not a multiple of four
 */
export function createTwin(buffer: ArrayBufferLike): Kernel {
  const state = createState(buffer);
  return {
    name: "twin",
    buffer,
    ...clientFunctions(state),
    ...textFunctions(state),
    ...bookFunctions(state),
    ...readerFunctions(state),
    ...histogramFunctions(state),
    ...streamFunctions(state),
    ...producerFunctions(state),
  };
}

function textFunctions({ memory }: TwinState): KernelText {
  const { words } = memory;
  return {
    parseDecimal: (text, length, out) => parseDecimal(memory, text, length, out),
    formatDecimal: (value, exponent, out) => formatDecimal(memory, value, exponent, out),
    levelHash: (side, level) =>
      levelHash(
        side,
        fieldOf(words, level, LEVEL_PRICE),
        fieldOf(words, level, LEVEL_PRICE + 4),
        fieldOf(words, level, LEVEL_QUANTITY),
        fieldOf(words, level, LEVEL_QUANTITY + 4),
      ) >>> 0,
    crc32: (address, length) => crc32(memory.bytes, address, address + length),
  };
}

function bookFunctions({ books }: TwinState): Omit<KernelBook, keyof ClientFunctions> {
  return {
    bookCreate: () => books.create(),
    bookClear: (book) => books.get(book).clear(),
    bookTruncate: (book, side, depth) => books.get(book).truncate(side, depth),
    bookCanScale: (book, pricePower, quantityPower) => (books.get(book).canScale(pricePower, quantityPower) ? 1 : 0),
    bookScale: (book, pricePower, quantityPower) => (books.get(book).scale(pricePower, quantityPower) ? 0 : 1),
  };
}

function readerFunctions({ memory, arena, replicas }: TwinState): Omit<KernelReader, keyof ClientFunctions> {
  const copy = new ImageCopy();
  return {
    readerCreate: (segment, ring) => createReader(memory, arena, segment, ring),
    readerPoll: (reader, out, limit) => pollReader(memory, reader, out, limit),
    replicaBegin: (replica) => replicas.begin(replica),
    replicaApply: (replica, record) => applyRecord(replicas, replica, record),
    imageLoad: (replica, segment, entry) => loadImage(replicas, copy, replica, segment, entry),
  };
}

function histogramFunctions({ memory }: TwinState): KernelHistogram {
  return {
    histogramRecord: (histogram, nanoseconds) => recordNanoseconds(memory, histogram, nanoseconds),
    histogramSpans: (histogram, records, count, anchorLow, anchorHigh, now) =>
      recordSpans(memory, histogram, { records, count, anchorLow, anchorHigh, now }),
  };
}

function streamFunctions({
  memory,
  arena,
  replicas,
}: TwinState): KernelHistory & Omit<KernelFrame, keyof ClientFunctions> {
  const histories = new Histories(memory, arena);
  return {
    historyCreate: (replica, entries) => histories.create(replica, entries),
    historyRelease: (replica) => histories.release(replica),
    historyReach: (replica) => histories.reach(replica),
    historyChanges: (replica, fromLow, fromHigh, out, limit) =>
      histories.changes(replica, fromLow, fromHigh, out, limit),
    conflatedEncode: (replica, fromLow, fromHigh, out, limit) =>
      encodeConflated(replicas, histories, replica, { fromLow, fromHigh, out, limit }),
    viewFollow: (view, base, depth) => followView(replicas, histories, { view, base, depth }),
    frameBufferCreate: (replica, bytes) => createBuffer(memory, arena, replica, bytes),
    frameTake: (replica, check) => takeFrame(memory, replica, check),
    snapshotEncode: (replica, out, limit) => encodeSnapshot(replicas, replica, out, limit),
    tradesEncode: (alias, trades, count, out, limit) => encodeTrades(memory, alias, trades, count, out, limit),
    bboEncode: (replica, out) => encodeBbo(replicas, replica, out),
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
