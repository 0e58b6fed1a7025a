/**
 * Datagrams to a Unix socket, which Node itself cannot send: a service says so that it is ready and that it lives. Nothing
 * is received and nothing waits. Bad case: nobody listens; the send fails with the system's reason and nothing else happens.
 */
import { MappingError } from "./errors.ts";
import { errorText } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const FAMILY_BYTES = 2;
const PATH_BYTES_MAX = 107;

/** A way to one socket. */
export type DatagramSocket = {
  /** Sends one datagram at once. @throws MappingError `failed` */
  send(text: string): void;
  close(): void;
};

/**
 * Opens a socket that sends to an address.
 * @param address a path, or `@name` for a name without a file
 * @throws MappingError `unsupported` where there is no such system or addon, `failed` when the address cannot be one
 */
export async function openDatagramSocket(address: string): Promise<DatagramSocket> {
  if (process.platform !== "linux") {
    throw new MappingError(`Cannot send datagrams: it needs Linux, was ${process.platform}`, { reason: "unsupported" });
  }
  const to = socketAddress(address);
  const { default: koffi } = await import("koffi");
  const library = koffi.load(null);
  const open = library.func("int socket(int domain, int type, int protocol)");
  const close = library.func("int close(int fd)");
  const sendto = library.func(
    "intptr_t sendto(int fd, const void *bytes, size_t count, int flags, const void *address, uint32_t addressBytes)",
  );
  const fd = Number(open(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (fd < 0) {
    throw new MappingError(`Cannot open a socket: ${errorText(koffi.errno())}, was ${address}`, { reason: "failed" });
  }
  return {
    send(text) {
      const bytes = new TextEncoder().encode(text);
      const sent = Number(sendto(fd, bytes, bytes.byteLength, MSG_DONTWAIT | MSG_NOSIGNAL, to, to.byteLength));
      if (sent !== bytes.byteLength) {
        const reason = errorText(koffi.errno());
        throw new MappingError(`Cannot send to a socket: ${reason}, was ${address}`, { reason: "failed" });
      }
    },
    close: () => void close(fd),
  };
}

/** A `struct sockaddr_un`, as long as it is used. A name without a file begins with a zero byte instead of `@`. */
function socketAddress(address: string): Uint8Array {
  const path = new TextEncoder().encode(address);
  const isFile = address.startsWith("/");
  if ((!isFile && !address.startsWith("@")) || path.byteLength > PATH_BYTES_MAX) {
    const wanted = `an absolute path or @name of at most ${PATH_BYTES_MAX} bytes`;
    throw new MappingError(`Cannot send to a socket: its address must be ${wanted}, was ${address}`, {
      reason: "failed",
    });
  }
  const bytes = new Uint8Array(FAMILY_BYTES + path.byteLength + (isFile ? 1 : 0));
  new DataView(bytes.buffer).setUint16(0, AF_UNIX, true);
  bytes.set(path, FAMILY_BYTES);
  if (!isFile) {
    bytes[FAMILY_BYTES] = 0;
  }
  return bytes;
}
