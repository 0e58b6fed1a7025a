/**
 * Addresses of clients: IPv4 in IPv6 is IPv4, and an IPv6 client is known by its /64, which is what one household has.
 * Bad case: text that is no address; it counts as itself, so that it has a limit, too.
 */
import { isIP, isIPv4, isIPv6 } from "node:net";
import { isLoopback as isLoopbackText } from "../model/addresses.ts";

/** A network, or one address as the smallest of them. */
export type Network = { readonly address: string; readonly bits: number; readonly family: "ipv4" | "ipv6" };

const MAPPED =
  /^(?:0*:)*:?(?:0+:)*ffff:(?:(?<dotted>\d+\.\d+\.\d+\.\d+)|(?<high>[0-9a-f]{1,4}):(?<low>[0-9a-f]{1,4}))$/i;

/** An address in its shortest form: IPv4 in IPv6 as IPv4. */
export function plainAddress(address: string): string {
  if (!isIPv6(address)) {
    return address;
  }
  const { dotted, high, low } = MAPPED.exec(address)?.groups ?? {};
  if (dotted !== undefined) {
    return dotted;
  }
  if (high !== undefined && low !== undefined) {
    const value = Number.parseInt(high, 16) * 0x10000 + Number.parseInt(low, 16);
    return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
  }
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

/** What shares a limit with an address: itself, or the /64 of an IPv6 address. */
export function networkOf(address: string): string {
  const plain = plainAddress(address);
  if (!isIPv6(plain)) {
    return plain;
  }
  const [head = "", tail] = plain.split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - front.length - back.length;
  const groups = [...front, ...new Array<string>(zeros).fill("0"), ...back];
  return `${groups.slice(0, 4).join(":")}::/64`;
}

/** Reads `10.0.0.0/8`, `::1` and the like. @returns undefined when it is none */
export function readNetwork(text: string): Network | undefined {
  const [address = "", length, ...rest] = text.split("/");
  if (isIP(address) === 0 || rest.length > 0) {
    return undefined;
  }
  const family = isIPv4(address) ? "ipv4" : "ipv6";
  const bitsMax = family === "ipv4" ? 32 : 128;
  const bits = length === undefined ? bitsMax : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  return bits >= 0 && bits <= bitsMax ? { address, bits, family } : undefined;
}

/** An address or host name of this machine itself, also as IPv4 in IPv6. */
export function isLoopback(host: string): boolean {
  return isLoopbackText(plainAddress(host.replace(/^\[|\]$/g, "")));
}
