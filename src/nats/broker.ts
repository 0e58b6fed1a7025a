/**
 * The connection to the broker: credentials and TLS from the configuration, endless reconnecting, and the two streams,
 * made when they are missing. Bad case: a broker without JetStream, or one that forbids to make a stream; the error says so.
 */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import {
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  type NatsConnection,
  nanos,
  nkeyAuthenticator,
  nkeys,
} from "@nats-io/transport-node";
import type { Config } from "../config/mod.ts";
import { ConfigError, ConnectionError } from "../errors.ts";
import { STREAMS } from "./message.ts";

/** How to reach the broker and what it shall keep: the section `nats` of the configuration. */
export type NatsConfig = Config["nats"];

/** Messages that may be said of the connection. */
export type NatsLog = Record<"info" | "warn" | "error", (text: string) => void>;

/** A connection with what we use of it. */
export type Broker = {
  readonly connection: NatsConnection;
  readonly jetstream: JetStreamClient;
  readonly manager: JetStreamManager;
  /** Bytes of one message at most. */
  readonly payloadMax: number;
  /** Where the stream of records ended when we came. */
  readonly lastSequence: number;
};

const RECONNECT_MS = 250;
const PING_MS = 1000;
const PINGS_OUT = 3;
const REQUEST_MS = 3000;
/** Bytes of head and subject beside a payload. */
const PAYLOAD_MARGIN = 4096;
const SNAPSHOTS_PER_SUBJECT = 32;

/**
 * Connects and sees to the streams.
 * @param options.urls of one cluster @param options.name shown by the broker
 * @throws ConfigError when credentials cannot be read
 * @throws ConnectionError when nothing answers, it refuses us, or has no JetStream
 */
export async function openBroker(
  config: NatsConfig,
  options: { urls: readonly string[]; name: string; log: NatsLog },
): Promise<Broker> {
  const settings = {
    ...connectionOptions(config, options.urls),
    servers: options.urls.map(serverOf),
    name: options.name,
  };
  let connection: NatsConnection | undefined;
  try {
    connection = await connect(settings);
    const manager = await jetstreamManager(connection, { timeout: REQUEST_MS });
    const client = jetstream(connection, { timeout: REQUEST_MS });
    await ensureStreams(manager, config);
    const payloadMax = (connection.info?.max_payload ?? 1024 * 1024) - PAYLOAD_MARGIN;
    const { state } = await manager.streams.info(STREAMS.records.name);
    return { connection, jetstream: client, manager, payloadMax, lastSequence: state.last_seq };
  } catch (cause) {
    await connection?.close();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConnectionError(`Cannot use the broker: ${reason}, was ${options.urls.map(shownUrl).join(",")}`, {
      cause,
    });
  }
}

/**
 * Reads what a connection will need and forgets it, so that what cannot be used is known before anything is begun.
 * Bad case: a file that is taken away afterwards; whoever connects then meets it.
 * @param urls of one cluster
 * @throws ConfigError when credentials cannot be read or do not belong together
 */
export function checkCredentials(config: NatsConfig, urls: readonly string[]): void {
  connectionOptions(config, urls);
}

/**
 * Ends a connection: what was said is sent first, for the client writes to a socket that it has just ended otherwise.
 * @param patienceMs a broker that is away is not waited for any longer
 */
export async function closeBroker({ connection }: Broker, patienceMs: number): Promise<void> {
  const patience = new Promise<void>((resolve) => {
    setTimeout(resolve, patienceMs).unref();
  });
  await Promise.race([connection.flush().catch(() => undefined), patience]);
  await new Promise<void>((resolve) => {
    setImmediate(resolve);
  });
  await Promise.race([connection.close().catch(() => undefined), patience]);
}

/** Makes the streams that are missing; those that are there stay as somebody made them. */
export async function ensureStreams(manager: JetStreamManager, config: NatsConfig): Promise<void> {
  const common = {
    storage: config.storage,
    num_replicas: config.replicas,
    discard: "old" as const,
    allow_direct: true,
  };
  await ensureStream(manager, STREAMS.records.name, {
    ...common,
    subjects: [...STREAMS.records.subjects],
    max_age: nanos(config.historySeconds * 1000),
    max_bytes: config.historyBytesMax,
  });
  await ensureStream(manager, STREAMS.snapshots.name, {
    ...common,
    subjects: [...STREAMS.snapshots.subjects],
    max_msgs_per_subject: SNAPSHOTS_PER_SUBJECT,
    max_age: nanos(config.historySeconds * 1000),
    max_bytes: config.historyBytesMax,
  });
}

async function ensureStream(
  manager: JetStreamManager,
  name: string,
  config: Parameters<JetStreamManager["streams"]["add"]>[0] extends infer Wanted ? Omit<Wanted, "name"> : never,
): Promise<void> {
  try {
    await manager.streams.info(name);
  } catch (error) {
    const isMissing = error instanceof Error && /not found/i.test(error.message);
    if (!isMissing) {
      throw error;
    }
    await manager.streams.add({ name, ...config } as Parameters<JetStreamManager["streams"]["add"]>[0]);
  }
}

function connectionOptions(config: NatsConfig, urls: readonly string[]): ConnectionOptions {
  const { tlsCaFile, tlsCertFile, tlsKeyFile, credentialsFile, nkeySeedFile, token } = config;
  const named = urls.map((text) => new URL(text)).find(({ username }) => username !== "");
  const user = config.user === "" ? decodeURIComponent(named?.username ?? "") : config.user;
  const password = config.password === "" ? decodeURIComponent(named?.password ?? "") : config.password;
  const wantsTls = config.tls || urls.some((text) => new URL(text).protocol === "tls:");
  if ((tlsCertFile === "") !== (tlsKeyFile === "")) {
    throw new ConfigError(
      `Cannot use nats: tls_cert_file and tls_key_file belong together, was "${tlsCertFile}" and "${tlsKeyFile}"`,
    );
  }
  const tls = {
    ...identityByAddress(urls),
    ...(tlsCaFile === "" ? {} : { ca: readText(tlsCaFile) }),
    ...(tlsCertFile === "" ? {} : { cert: readText(tlsCertFile), key: readText(tlsKeyFile) }),
  };
  return {
    maxReconnectAttempts: -1,
    // A broker whose users are being changed refuses for a while what it takes again later.
    ignoreAuthErrorAbort: true,
    reconnectTimeWait: RECONNECT_MS,
    reconnectJitter: RECONNECT_MS,
    pingInterval: PING_MS,
    maxPingOut: PINGS_OUT,
    timeout: REQUEST_MS,
    ...(tlsCaFile === "" && tlsCertFile === "" && !wantsTls ? {} : { tls }),
    ...(credentialsFile === "" ? {} : { authenticator: credentialsOf(credentialsFile) }),
    ...(nkeySeedFile === "" ? {} : { authenticator: seedOf(nkeySeedFile) }),
    ...(user === "" ? {} : { user, pass: password }),
    ...(token === "" ? {} : { token }),
  };
}

/** The client compares certificates with names alone, and with `localhost` where there is none. */
function identityByAddress(urls: readonly string[]) {
  const addresses = urls.map((text) => new URL(text).hostname.replace(/^\[|\]$/g, ""));
  if (!addresses.every((address) => isIP(address) !== 0)) {
    return {};
  }
  return {
    checkServerIdentity: (_: string, certificate: PeerCertificate): Error | undefined => {
      const errors = addresses.map((address) => checkServerIdentity(address, certificate));
      return errors.includes(undefined) ? undefined : errors[0];
    },
  };
}

/** Both are read again at every connect, so that they can be replaced while we run. */
function credentialsOf(path: string) {
  if (!/BEGIN NATS USER JWT[\s\S]*BEGIN USER NKEY SEED/.test(readText(path))) {
    throw new ConfigError(`Cannot use nats: credentials_file holds no JWT and seed of a user, was ${path}`);
  }
  return credsAuthenticator(() => readBytes(path));
}

function seedOf(path: string) {
  try {
    nkeys.fromSeed(trimmed(path)).clear();
  } catch (cause) {
    if (cause instanceof ConfigError) {
      throw cause;
    }
    throw new ConfigError(`Cannot use nats: nkey_seed_file holds no seed of an nkey, was ${path}`, { cause });
  }
  return nkeyAuthenticator(() => trimmed(path));
}

/** Host and port alone: the client logs addresses, and must not log what opens a door. */
function serverOf(text: string): string {
  const url = new URL(text);
  return `${url.hostname}:${url.port === "" ? "4222" : url.port}`;
}

function shownUrl(text: string): string {
  return `${new URL(text).protocol}//${serverOf(text)}`;
}

function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(`Cannot use nats: ${reason}, was ${path}`, { cause });
  }
}

function readText(path: string): string {
  return new TextDecoder().decode(readBytes(path));
}

function trimmed(path: string): Uint8Array {
  return new TextEncoder().encode(readText(path).trim());
}
