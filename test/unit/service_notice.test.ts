/**
 * Notices to a service manager: a real datagram socket that another program listens on, paths and names without a file.
 * Bad case: no Python; the receiver is written in it, and the tests say that they skip.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { noticeService } from "../../src/commands/service_notice.ts";
import { hasPython, type Receiver, receiveNotices } from "../support/notice_receiver.ts";
import { optionalPart } from "../support/require.ts";

const canReceive = optionalPart("Python", hasPython()) && process.platform === "linux";
const folder = mkdtempSync(join(tmpdir(), "alphapulse-notice-"));
const receivers: Receiver[] = [];

afterEach(() => {
  for (const receiver of receivers.splice(0)) {
    receiver.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

async function receive(address: string): Promise<readonly string[]> {
  const receiver = await receiveNotices(address);
  receivers.push(receiver);
  return receiver.heard;
}

describe.skipIf(!canReceive)("A service manager", () => {
  for (const address of [join(folder, "notify"), `@alphapulse-notice-${process.pid}`]) {
    it(`hears that the program is ready, lives and ends when it listens on ${address[0]}`, async () => {
      const heard = await receive(address);
      const environment = {
        NOTIFY_SOCKET: address,
        WATCHDOG_USEC: "40000",
        WATCHDOG_PID: String(process.pid),
        KEPT: "",
      };
      const notice = await noticeService({ environment });
      await vi.waitUntil(() => heard.length > 3, { timeout: 5000 });
      notice?.stopping();
      await vi.waitUntil(() => heard.includes("STOPPING=1"), { timeout: 5000 });
      expect([heard[0], ...new Set(heard.slice(1, -1)), heard.at(-1)]).toEqual(["READY=1", "WATCHDOG=1", "STOPPING=1"]);
      expect(environment).toEqual({ KEPT: "" });
    });
  }

  it("hears what the program does, until it ends", async () => {
    const address = `@alphapulse-status-${process.pid}`;
    const heard = await receive(address);
    const notice = await noticeService({ environment: { NOTIFY_SOCKET: address } });
    notice?.status("stands by for kraken");
    notice?.stopping();
    notice?.status("collects kraken");
    await vi.waitUntil(() => heard.includes("STOPPING=1"), { timeout: 5000 });
    expect(heard).toEqual(["READY=1", "STATUS=stands by for kraken", "STOPPING=1"]);
  });

  it("hears no sign of life when it watches another process", async () => {
    const address = `@alphapulse-unwatched-${process.pid}`;
    const heard = await receive(address);
    const environment = { NOTIFY_SOCKET: address, WATCHDOG_USEC: "2000", WATCHDOG_PID: "1" };
    const notice = await noticeService({ environment });
    await new Promise((resolve) => setTimeout(resolve, 50));
    notice?.stopping();
    await vi.waitUntil(() => heard.includes("STOPPING=1"), { timeout: 5000 });
    expect(heard).toEqual(["READY=1", "STOPPING=1"]);
  });
});

describe.skipIf(process.platform !== "linux")("A notice", () => {
  it("is nothing when no manager started the program", async () => {
    expect(await noticeService({ environment: {} })).toBe(undefined);
    expect(noticeService()).toBe(noticeService());
  });

  it("is complained about once when nobody listens", async () => {
    const said: string[] = [];
    const environment = { NOTIFY_SOCKET: join(folder, "nobody"), WATCHDOG_USEC: "2000" };
    const notice = await noticeService({ environment, complain: (text) => said.push(text) });
    await new Promise((resolve) => setTimeout(resolve, 20));
    notice?.stopping();
    expect(said).toEqual([expect.stringMatching(/^Cannot send to a socket: ENOENT: .*nobody$/)]);
  });

  it("is complained about when the address can be no socket's", async () => {
    const said: string[] = [];
    for (const address of ["vsock:2:1234", `/${"x".repeat(120)}`]) {
      await noticeService({ environment: { NOTIFY_SOCKET: address }, complain: (text) => said.push(text) });
    }
    expect(said).toEqual([expect.stringContaining("must be an absolute path"), expect.stringContaining("107 bytes")]);
  });
});
