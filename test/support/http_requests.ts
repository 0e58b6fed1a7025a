/**
 * Requests as a transport hands them over, for tests that ask without one.
 * Bad case: a field that a transport fills and that is missing here; the compiler says so.
 */
import type { HttpRequest } from "../../src/gateway/transport.ts";

/** A request from this machine, without key and body. */
export function plainRequest(path: string, given: Partial<HttpRequest> = {}): HttpRequest {
  return {
    method: "GET",
    path,
    query: "",
    ifNoneMatch: "",
    contentType: "",
    address: "127.0.0.1",
    host: "127.0.0.1:8765",
    origin: "",
    forwardedFor: "",
    authorization: "",
    apiKey: "",
    body: new Uint8Array(0),
    isTooLong: false,
    ...given,
  };
}
