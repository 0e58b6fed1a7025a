/**
 * Which addresses are this machine's own, judged by their text alone: of clients that reach a gateway, of targets of a load.
 * Bad case: a name that only resolves to a loopback address; it counts as another machine's.
 */
const LOOPBACK_V4 = /^127(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;

/** An address or host name of this machine itself. @param host in its shortest form, IPv6 also in brackets */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || LOOPBACK_V4.test(host);
}
