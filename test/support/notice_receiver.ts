/**
 * What a service manager would hear: a datagram socket that a Python process listens on, because Node cannot.
 * Bad case: no Python; the tests that need it skip.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const PYTHON = process.env.ALPHAPULSE_PYTHON ?? "python3";
const PROGRAM = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace("@", "\\0"))
print("listening", flush=True)
while True:
    print(s.recv(4096).decode(), flush=True)
`;

/** Somebody who listens. */
export type Receiver = { readonly heard: readonly string[]; close(): void };

/** Whether there is a Python. */
export function hasPython(): boolean {
  try {
    execFileSync(PYTHON, ["-c", ""], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Listens on a path, or on `@name` for a name without a file. */
export async function receiveNotices(address: string): Promise<Receiver> {
  const child = spawn(PYTHON, ["-c", PROGRAM, address], { stdio: ["ignore", "pipe", "inherit"] });
  const heard: string[] = [];
  const lines = createInterface({ input: child.stdout });
  await once(lines, "line");
  lines.on("line", (line) => heard.push(line));
  return { heard, close: () => void child.kill("SIGKILL") };
}
