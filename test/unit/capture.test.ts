/**
 * Captures: what is written is read back byte for byte; what is broken is refused with file and line.
 * Bad case: a recording cut by a crash; the lines before the cut are still there.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type CaptureLine,
  CaptureWriter,
  type CaptureWriterOptions,
  captureTime,
  captureTimeNs,
  parseCaptureLine,
  readCapture,
} from "../../src/capture/mod.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "alphapulse-capture-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const HEADER = '{"t":"header","exchange":"kraken"}';

function file(name: string, text: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, name.endsWith(".gz") && typeof text === "string" ? gzipSync(text) : text);
  return path;
}

async function lines(path: string): Promise<CaptureLine[]> {
  const found: CaptureLine[] = [];
  for await (const { line } of readCapture(path)) {
    found.push(line);
  }
  return found;
}

async function refusal(path: string): Promise<string> {
  return await lines(path).then(
    () => "not refused",
    (error: Error) => `${error.name}: ${error.message.replace(folder, "")}`,
  );
}

function writer(options: Partial<CaptureWriterOptions> = {}): CaptureWriter {
  return new CaptureWriter({
    folder,
    exchange: "kraken",
    startedAtNs: 1_783_465_157_917_000_000n,
    partBytesMax: 1_000_000,
    backlogBytesMax: 1_000_000,
    onFailure: (error) => {
      throw error;
    },
    ...options,
  });
}

describe("readCapture", () => {
  it("gives every line with its place, whether compressed, plain, or without a last newline", async () => {
    const text = `${HEADER}\n{"t":"recv","ts":"1.5","data":"{\\"a\\":4.9e-7}"}`;
    for (const path of [file("a.jsonl.gz", `${text}\n`), file("b.jsonl", text)]) {
      expect(await lines(path)).toEqual([
        { t: "header", exchange: "kraken" },
        { t: "recv", ts: "1.5", data: '{"a":4.9e-7}' },
      ]);
    }
    const { value } = await readCapture(join(folder, "b.jsonl")).next();
    expect(value).toMatchObject({ number: 1, path: join(folder, "b.jsonl") });
  });

  it("puts lines together that are longer than a chunk", async () => {
    const data = "x".repeat(300_000);
    const path = file(
      "long.jsonl.gz",
      `${HEADER}\n${JSON.stringify({ t: "recv", data })}\n${JSON.stringify({ t: "send", data: "y" })}\n`,
    );
    expect((await lines(path)).map((line) => String("data" in line ? line.data : "").length)).toEqual([0, 300_000, 1]);
  });

  it("names file and line when something is broken", async () => {
    const broken: [string, string, RegExp][] = [
      [
        "json.jsonl.gz",
        `${HEADER}\n{"t":"recv","data":"x"}\n{oops\n`,
        /^ConfigError: Cannot read .json\.jsonl\.gz:3: no JSON, was \{oops$/,
      ],
      ["kind.jsonl", `${HEADER}\n{"t":"guess"}\n`, /:2: t: /],
      ["data.jsonl", `${HEADER}\n{"t":"recv","data":7}\n`, /:2: data: .*string/],
      ["time.jsonl", `${HEADER}\n{"t":"recv","data":"","ts":"1.23e5"}\n`, /:2: ts: Unix seconds/],
      ["first.jsonl", `{"t":"recv","data":"x"}\n`, /:1: a capture begins with a header, was a line of type recv$/],
      ["empty.jsonl.gz", "", /:1: a capture begins with a header, was an empty file$/],
      ["blank.jsonl", `${HEADER}\n\n`, /:2: no JSON/],
    ];
    for (const [name, text, expected] of broken) {
      expect(await refusal(file(name, text))).toMatch(expected);
    }
  });

  it("names file and line when the gzip is broken or cut, after the lines before", async () => {
    const text = `${HEADER}\n${'{"t":"recv","data":"abc"}\n'.repeat(5000)}`;
    const cut = file("cut.jsonl.gz", text);
    truncateSync(cut, readFileSync(cut).length - 10);
    const seen: number[] = [];
    const read = async () => {
      for await (const { number } of readCapture(cut)) {
        seen.push(number);
      }
    };
    await expect(read()).rejects.toThrow(/cut\.jsonl\.gz:\d+: unexpected end of file/);
    expect(seen.length).toBeGreaterThan(4000);
    expect(await refusal(file("bad.jsonl.gz", Buffer.from("no gzip at all")))).toMatch(
      /bad\.jsonl\.gz:1: incorrect header check/,
    );
    expect(await refusal(join(folder, "absent.jsonl.gz"))).toMatch(/absent\.jsonl\.gz:1: ENOENT/);
  });
});

describe("capture times", () => {
  it("keep every nanosecond when written and read", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 9_999_999_999_999_999_999n }), (unixNs) => {
        expect(captureTimeNs(captureTime(unixNs))).toBe(unixNs);
      }),
    );
  });

  it("take fewer digits as they stand, and none as unknown", () => {
    expect(captureTimeNs("1617647602.623478")).toBe(1_617_647_602_623_478_000n);
    expect(captureTimeNs("7")).toBe(7_000_000_000n);
    expect(captureTimeNs(undefined)).toBeUndefined();
  });
});

describe("parseCaptureLine", () => {
  it("reads back any text byte for byte when it was written as JSON", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (data) => {
        const line = parseCaptureLine(JSON.stringify({ t: "recv", data }), "x:1");
        expect("data" in line ? line.data : undefined).toBe(data);
      }),
    );
  });
});

describe("CaptureWriter", () => {
  it("writes what the reader reads, in order, with times and connection", async () => {
    const capture = writer();
    const { path = "" } = capture;
    capture.connect("wss://x/v2", 1_000_000_001n, "0");
    capture.send('{"method":"subscribe"}', 2_000_000_000n, "0");
    capture.receive(Buffer.from('{"qty":0.00005100,"ü":"€"}'), 2_500_000_000n, { connection: "0", isBinary: false });
    capture.receive(Buffer.from([0, 255]), 2_600_000_000n, { connection: "0", isBinary: true });
    capture.http("https://x/depth", 3_000_000_000n, Buffer.from('{"lastUpdateId":1}'));
    await capture.close();
    expect(path).toBe(join(folder, "kraken_20260707T225917Z_001.jsonl.gz"));
    expect(await lines(path)).toEqual([
      { t: "header", exchange: "kraken", source: "alphapulse", startedAtNs: "1783465157917000000", part: 1 },
      { t: "connect", ts: "1.000000001", conn: "0", url: "wss://x/v2" },
      { t: "send", ts: "2.000000000", conn: "0", data: '{"method":"subscribe"}' },
      { t: "recv", ts: "2.500000000", conn: "0", data: '{"qty":0.00005100,"ü":"€"}' },
      { t: "recv", ts: "2.600000000", conn: "0", data: "AP8=", encoding: "base64" },
      { t: "http", ts: "3.000000000", url: "https://x/depth", data: '{"lastUpdateId":1}' },
    ]);
  });

  it("can be read up to the last flush when the program dies", async () => {
    const capture = writer();
    capture.send("before", 1n, "0");
    capture.flush();
    const { path = "" } = capture;
    await expect.poll(() => readFileSync(path).length).toBeGreaterThan(40);
    capture.send("after", 2n, "0");
    const seen: CaptureLine[] = [];
    const read = async () => {
      for await (const { line } of readCapture(path)) {
        seen.push(line);
      }
    };
    await expect(read()).rejects.toThrow(/unexpected end of file/);
    expect(seen.map((line) => ("data" in line ? line.data : line.t))).toEqual(["header", "before"]);
    await capture.close();
  });

  it("begins another part when one is large enough, and loses no line between", async () => {
    const capture = writer({ partBytesMax: 2000 });
    const sent: string[] = [];
    for (let index = 0; index < 300; index++) {
      const text = `${index} ${Math.sin(index)} ${Math.cos(index)}`;
      sent.push(text);
      capture.send(text, 1n, "0");
      if (index % 20 === 0) {
        capture.flush();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    await capture.close();
    const parts = readdirSync(folder).sort();
    expect(parts.length).toBeGreaterThan(1);
    await expect.poll(async () => (await refusal(join(folder, parts[0] ?? ""))) === "not refused").toBe(true);
    const read = (await Promise.all(parts.map((part) => lines(join(folder, part))))).flat();
    expect(read.flatMap((line) => (line.t === "send" ? [line.data] : []))).toEqual(sent);
    expect(read.flatMap((line) => (line.t === "header" ? [line.part] : []))).toEqual(
      parts.map((_, index) => index + 1),
    );
  });

  it("stops with an error and disturbs nobody when the disk cannot follow", async () => {
    const failures: string[] = [];
    const capture = writer({ backlogBytesMax: 100_000, onFailure: (error) => failures.push(error.message) });
    for (let index = 0; index < 50; index++) {
      capture.receive(Buffer.alloc(50_000, "x"), 1n, { connection: "0", isBinary: false });
    }
    expect(failures).toEqual([
      expect.stringMatching(/^Cannot record to .*: the disk cannot follow, was \d+ bytes behind$/),
    ]);
    expect(capture.path).toBeUndefined();
    await capture.close();
  });

  it("never overwrites: a file that is there stops the recording", async () => {
    const failures: string[] = [];
    file("kraken_20260707T225917Z_001.jsonl.gz", "mine");
    const before = readFileSync(join(folder, "kraken_20260707T225917Z_001.jsonl.gz"));
    const capture = writer({ onFailure: (error) => failures.push(error.message) });
    await expect.poll(() => failures).toEqual([expect.stringMatching(/EEXIST/)]);
    await capture.close();
    expect(readFileSync(join(folder, "kraken_20260707T225917Z_001.jsonl.gz"))).toEqual(before);
  });

  it("refuses a folder that cannot be", () => {
    file("plain", "x");
    expect(() => writer({ folder: join(folder, "plain", "deeper") })).toThrow(/ENOTDIR/);
    expect(() => mkdirSync(join(folder, "plain"))).toThrow(/EEXIST/);
  });
});
