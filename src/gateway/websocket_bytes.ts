/**
 * What a message costs on the wire beyond its own bytes, so that figures about bytes leave nothing out.
 * Bad case: the headers of TCP and TLS below, which depend on how messages fall into packets; they are in no figure.
 */

const SHORT_MAX = 125;
const MIDDLE_MAX = 65_535;

/** Bytes of an unmasked WebSocket frame. @param payload its bytes @returns 0 when there is no message */
export function framedBytes(payload: number): number {
  if (payload === 0) {
    return 0;
  }
  return payload + (payload <= SHORT_MAX ? 2 : payload <= MIDDLE_MAX ? 4 : 10);
}
