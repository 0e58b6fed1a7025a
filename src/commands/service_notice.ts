/**
 * Tells a service manager (systemd, `Type=notify`) that the program is ready, what it does, that its main thread still
 * turns, and that it ends. Without a manager nothing is done. Bad case: the manager's socket cannot be reached; a line on stderr says so,
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
  /** What the program does now, in a few words; without effect once it ends. */
  status(text: string): void;
  /** The program ends. */
  stopping(): void;
};

/** A sign of life is given twice in the time after which the manager gives up. */
const SIGNS_PER_TIMEOUT = 2;
const MICROSECONDS_PER_MS = 1000;

/** That of this process. */
let own: Promise<ServiceNotice | undefined> | undefined;

/**
 * Says that the program is ready, and from then on that it lives. Child processes do not inherit the manager.
 * Without options it is said once, however often this is called.
 * @returns undefined when no manager started this process
 */
export function noticeService(options?: NoticeOptions): Promise<ServiceNotice | undefined> {
  if (options !== undefined) {
    return beginNotice(options);
  }
  own ??= beginNotice({});
  return own;
}

/** Says what this process does now; the first time also that it is ready. @param text a few words */
export function tellService(text: string): void {
  void noticeService().then((notice) => notice?.status(text));
}

async function beginNotice(options: NoticeOptions): Promise<ServiceNotice | undefined> {
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
  let isStopping = false;
  return {
    status(text) {
      if (!isStopping) {
        say(`STATUS=${text}`);
      }
    },
    stopping() {
      isStopping = true;
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
