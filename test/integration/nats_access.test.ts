/**
 * Every way into a broker, against a real one: certificates, names, tokens, nkeys, credentials files. What is right reads
 * and writes; what is wrong says so in one sentence without the secret, and is tried again.
 * Bad case: a broker that forgets us for a while; who was connected comes back by itself.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openBroker } from "../../src/nats/broker.ts";
import { hasOpenssl, makeCertificates, makeTrust, makeUser } from "../support/nats_credentials.ts";
import { hasNatsServer } from "../support/nats_server.ts";
import { atEnd, freshFolder, PATIENCE } from "./mapped_rig.ts";
import { Elsewhere, gatewayFrom, Machine, natsConfig, startBroker, startExchanges } from "./nats_rig.ts";

const SECRET = "hunter2-of-the-test";

/** Connects and writes; the broker ends with the test. */
async function use(url: string, settings: Record<string, unknown> = {}): Promise<boolean> {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const broker = await openBroker(natsConfig(settings), { urls: [url], name: "test", log });
  atEnd(() => broker.connection.close());
  const { seq } = await broker.jetstream.publish("alphapulse.v1.kraken.X.delta", "x");
  return seq > 0;
}

/** What it says when it cannot. */
async function refusal(url: string, settings: Record<string, unknown> = {}): Promise<string> {
  return await use(url, settings).then(
    () => "it could",
    (error: Error) => `${error.constructor.name}: ${error.message}`,
  );
}

function fileOf(text: string): string {
  const path = join(freshFolder(), "secret");
  writeFileSync(path, text);
  return path;
}

describe.skipIf(!hasNatsServer)("a broker", () => {
  it.skipIf(!hasOpenssl)("is used over TLS when both sides show a certificate of the authority", async () => {
    const folder = freshFolder();
    const [ours, others] = [makeCertificates(folder, "ours"), makeCertificates(folder, "others")];
    const { cert, key } = ours.server;
    const tls = `tls { cert_file: "${cert}", key_file: "${key}", ca_file: "${ours.ca}", verify: true }`;
    const { url } = await startBroker({ settings: tls });
    const right = {
      "nats.tls_ca_file": ours.ca,
      "nats.tls_cert_file": ours.client.cert,
      "nats.tls_key_file": ours.client.key,
    };
    expect(await use(url, right)).toBe(true);
    expect(await use(url.replace("nats:", "tls:"), right)).toBe(true);
    const wrong = { "nats.tls_cert_file": others.client.cert, "nats.tls_key_file": others.client.key };
    const anonymous = { "nats.tls_ca_file": ours.ca };
    const shown = /, was (nats|tls):\/\/127\.0\.0\.1:\d+$/;
    for (const settings of [{ ...right, ...wrong }, anonymous, { ...right, "nats.tls_ca_file": others.ca }, {}]) {
      const said = await refusal(url, settings);
      expect(said).toMatch(/^ConnectionError: Cannot use the broker: .+, was (nats|tls):/);
      expect(said).toMatch(shown);
    }
    expect(await refusal(url, { "nats.tls_cert_file": ours.client.cert })).toMatch(
      /^ConfigError: .*tls_cert_file and tls_key_file belong together/,
    );
    expect(await refusal(url, { "nats.tls_ca_file": join(folder, "absent.pem") })).toMatch(/^ConfigError: .*ENOENT/);
  });

  it("is not given a password when TLS is asked for and it has none", async () => {
    const { url } = await startBroker({ settings: `authorization { user: "ap", password: "${SECRET}" }` });
    const named = { "nats.user": "ap", "nats.password": SECRET };
    expect(await use(url, named)).toBe(true);
    expect(await refusal(url, { ...named, "nats.tls": true })).toMatch(/^ConnectionError: .*TLS/i);
    expect(await refusal(url.replace("nats:", "tls:"), named)).toMatch(/^ConnectionError: .*TLS/i);
  });

  it("takes a token, an nkey and a credentials file, and refuses others without telling them", async () => {
    const user = makeUser();
    const byToken = await startBroker({ settings: `authorization { token: "${SECRET}" }` });
    expect(await use(byToken.url, { "nats.token": SECRET })).toBe(true);
    const byKey = await startBroker({ settings: `authorization { users: [ { nkey: ${user.publicKey} } ] }` });
    expect(await use(byKey.url, { "nats.nkey_seed_file": fileOf(`${user.seed}\n`) })).toBe(true);
    const [trust, stranger] = [makeTrust(), makeTrust()];
    const byFile = await startBroker({ settings: trust.settings });
    expect(await use(byFile.url, { "nats.credentials_file": fileOf(trust.credentials) })).toBe(true);

    const wrong = [
      await refusal(byToken.url, { "nats.token": `${SECRET}-not` }),
      await refusal(byToken.url),
      await refusal(byKey.url, { "nats.nkey_seed_file": fileOf(makeUser().seed) }),
      await refusal(byFile.url, { "nats.credentials_file": fileOf(stranger.credentials) }),
    ];
    for (const said of wrong) {
      expect(said).toMatch(/^ConnectionError: Cannot use the broker: .*authorization.*, was nats:\/\/127.0.0.1:\d+$/i);
      expect(said).not.toContain(SECRET);
    }
    const malformed = [
      await refusal(byKey.url, { "nats.nkey_seed_file": fileOf(SECRET) }),
      await refusal(byFile.url, { "nats.credentials_file": fileOf(SECRET) }),
    ];
    expect(malformed[0]).toMatch(/^ConfigError: Cannot use nats: nkey_seed_file holds no seed of an nkey, was \//);
    expect(malformed[1]).toMatch(/^ConfigError: Cannot use nats: credentials_file holds no JWT and seed/);
    expect(malformed.join()).not.toContain(SECRET);
  });

  it("is come back to when it refused us for a while, and no program tells its secret", async () => {
    const settings = (password: string) => `authorization { user: "ap", password: "${password}" }`;
    const broker = await startBroker({ settings: settings(SECRET) });
    const emulator = await startExchanges(["kraken"]);
    const [machine, other] = [new Machine(emulator), new Machine(emulator)];
    const flags = ["--set=nats.user=ap", `--set=nats.password=${SECRET}`, "--log-level=trace"];
    const programs = [machine.publish("kraken", broker.url, flags), gatewayFrom(broker.url, flags)];
    const address = broker.url.replace("nats://", `nats://ap:${SECRET}-not@`);
    programs.push(other.publish("kraken", address, ["--log-level=trace"]), gatewayFrom(address, ["--log-level=trace"]));
    const elsewhere = await Elsewhere.start(broker.url, { "nats.user": "ap", "nats.password": SECRET });
    await expect.poll(() => Object.keys(elsewhere.hashes).length, PATIENCE).toBe(2);
    await broker.kill();
    broker.settings = settings("another");
    await broker.start();
    await expect.poll(() => programs[0]?.stderr(), PATIENCE).toMatch(/Authorization Violation/);
    // Twice is when a client gives up that was not told to go on.
    await expect.poll(() => elsewhere.receiver.connection.attempts, PATIENCE).toBeGreaterThan(2);
    await expect.poll(() => Object.keys(elsewhere.hashes), PATIENCE).toEqual([]);
    await broker.kill();
    broker.settings = settings(SECRET);
    await broker.start();
    await expect.poll(() => Object.keys(elsewhere.hashes).length, PATIENCE).toBe(2);
    await expect.poll(() => programs[3]?.stderr(), PATIENCE).toMatch(/Cannot use the broker: .*; trying again/);
    expect(programs.map(({ child }) => child.exitCode)[3]).toBe(null);
    const told = programs.map(({ stdout, stderr }) => stdout() + stderr()).join("\n");
    expect(told).not.toContain(SECRET);
  }, 90_000);
});
