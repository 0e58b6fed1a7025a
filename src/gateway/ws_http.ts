/**
 * Plain HTTP over node:http: reads a request, sends its answer at once, later, or part by part.
 * Bad case: a client that stands still in the middle of a long answer; its connection is cut after a while.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { dropParts, isParts, type PartSink, sendParts } from "./body_parts.ts";
import { type CollectedBody, FAILED_ANSWER, isBodyless, NO_BODY, RequestBody } from "./request_body.ts";
import { BODY_BYTES_MAX, type HttpAnswer, type ListenOptions, type RequestSource } from "./transport.ts";

const STALLED_MS = 10_000;

/** Reads the request and answers it. */
export function serveRequest(
  request: IncomingMessage,
  response: ServerResponse,
  { handlers, bodyBytesMax = BODY_BYTES_MAX }: Pick<ListenOptions, "handlers" | "bodyBytesMax">,
): void {
  const method = request.method ?? "GET";
  const head = {
    method,
    path: pathOf(request),
    ifNoneMatch: request.headers["if-none-match"] ?? "",
    contentType: request.headers["content-type"] ?? "",
    ...requestSource(request),
  };
  const reply = new NodeReply(response, method);
  const respond = (collected: CollectedBody) => reply.answer(handlers.request({ ...head, ...collected }));
  if (isBodyless(method)) {
    respond(NO_BODY);
    return;
  }
  const body = new RequestBody(bodyBytesMax);
  request.on("data", (chunk: Buffer) => {
    if (!body.add(chunk)) {
      request.destroy();
    }
  });
  request.on("end", () => respond(body.take()));
  // The client is gone before its request was whole: there is nobody to answer.
  request.on("error", () => reply.destroy());
}

/** The path as sent, without the query. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? "").split("?", 1)[0] ?? "";
}

/** From where and in whose name it comes. */
export function requestSource(request: IncomingMessage): RequestSource {
  const { headers, socket } = request;
  const [, ...query] = (request.url ?? "").split("?");
  return {
    query: query.join("?"),
    address: socket.remoteAddress ?? "",
    host: headers.host ?? "",
    origin: headers.origin ?? "",
    forwardedFor: String(headers["x-forwarded-for"] ?? ""),
    authorization: headers.authorization ?? "",
    apiKey: String(headers["x-api-key"] ?? ""),
  };
}

class NodeReply implements PartSink {
  readonly #response: ServerResponse;
  readonly #method: string;

  constructor(response: ServerResponse, method: string) {
    this.#response = response;
    this.#method = method;
  }

  get isGone(): boolean {
    return this.#response.destroyed;
  }

  answer(answer: HttpAnswer | Promise<HttpAnswer>): void {
    if (!(answer instanceof Promise)) {
      this.#send(answer);
      return;
    }
    answer.then(
      (late) => this.#send(late),
      () => this.#send(FAILED_ANSWER),
    );
  }

  write(part: Uint8Array): boolean {
    return this.#response.write(part.slice());
  }

  room(): Promise<void> {
    return new Promise((resolve) => {
      if (this.isGone) {
        resolve();
        return;
      }
      const resume = () => {
        this.#response.off("drain", resume);
        this.#response.off("close", resume);
        resolve();
      };
      this.#response.on("drain", resume);
      this.#response.on("close", resume);
    });
  }

  end(): void {
    this.#response.end();
  }

  destroy(): void {
    this.#response.destroy();
  }

  #send(answer: HttpAnswer): void {
    const { status, headers, body } = answer;
    const response = this.#response;
    if (this.isGone) {
      dropParts(body);
    } else if (isParts(body)) {
      response.writeHead(status, headers);
      if (this.#method === "HEAD") {
        dropParts(body);
        response.end();
        return;
      }
      response.setTimeout(STALLED_MS, () => response.destroy());
      void sendParts(body, this);
    } else {
      const bytes = Buffer.from(body);
      const length = status === 204 ? {} : { "content-length": bytes.byteLength };
      response.writeHead(status, { ...headers, ...length });
      response.end(this.#method === "HEAD" || status === 304 || status === 204 ? undefined : bytes);
    }
  }
}
