/**
 * Tells a service manager (systemd, `Type=notify`) that the program is ready, that its main thread still turns, and that
 * it ends. Without a manager nothing is done. Bad case: the manager's socket cannot be reached; a line on stderr says so,
 * and the program goes on until the manager ends it.
 */
import { type DatagramSocket, openDatagramSocket } from "../mapping/mod.ts";

/** What a notice is made from; the defaults are those of this process. */
export type NoticeOptions = {
  readonly environment?: NodeJS.ProcessEnv;
  readonly pid?: number;
  readonly complain?: (text: string) => void;
};

/** A manager that listens. */
export type ServiceNotice = {
  /** The program ends. */
  stopping(): void;
};

/** A sign of life is given twice in the time after which the manager gives up. */
const SIGNS_PER_TIMEOUT = 2;
const MICROSECONDS_PER_MS = 1000;

/**
 * Says that the program is ready, and from then on that it lives. Child processes do not inherit the manager.
 * @returns undefined when no manager started this process
 */
export async function noticeService(options: NoticeOptions = {}): Promise<ServiceNotice | undefined> {
  const { environment = process.env, pid = process.pid, complain = complainToTerminal } = options;
  const { NOTIFY_SOCKET: address, WATCHDOG_USEC: microseconds, WATCHDOG_PID: watched } = environment;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) {
    delete environment[name];
  }
  if (address === undefined || address === "") {
    return undefined;
  }
  let socket: DatagramSocket;
  try {
    socket = await openDatagramSocket(address);
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error));
    return undefined;
  }
  const say = speaker(socket, complain);
  say("READY=1");
  const periodMs = Number(microseconds) / MICROSECONDS_PER_MS / SIGNS_PER_TIMEOUT;
  const isWatched = periodMs >= 1 && (watched === undefined || Number(watched) === pid);
  const timer = isWatched ? setInterval(() => say("WATCHDOG=1"), periodMs).unref() : undefined;
  return {
    stopping() {
      clearInterval(timer);
      say("STOPPING=1");
      socket.close();
    },
  };
}

/** Sends, and complains the first time that this fails. */
function speaker(socket: DatagramSocket, complain: (text: string) => void): (text: string) => void {
  let hasComplained = false;
  return (text) => {
    try {
      socket.send(text);
    } catch (error) {
      if (!hasComplained) {
        complain(error instanceof Error ? error.message : String(error));
      }
      hasComplained = true;
    }
  };
}

function complainToTerminal(text: string): void {
  process.stderr.write(`${text}\n`);
}
