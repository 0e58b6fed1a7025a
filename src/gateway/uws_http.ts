/**
 * Plain HTTP over uWebSockets.js: reads a request, sends its answer at once, later, or part by part.
 * Bad case: a client that goes away before its answer; the native response must never be touched after that, whatever is
 * still under way for it.
 */
import type { HttpRequest as NativeRequest, HttpResponse as NativeResponse } from "uWebSockets.js";
import { dropParts, isParts, type PartSink, sendParts } from "./body_parts.ts";
import { statusText } from "./http_status.ts";
import { type CollectedBody, FAILED_ANSWER, isBodyless, NO_BODY, RequestBody } from "./request_body.ts";
import { BODY_BYTES_MAX, type HttpAnswer, type ListenOptions, type RequestSource } from "./transport.ts";

/** Reads the request and answers it. To be called where the native request is valid. */
export function serveRequest(
  response: NativeResponse,
  request: NativeRequest,
  { handlers, bodyBytesMax = BODY_BYTES_MAX }: Pick<ListenOptions, "handlers" | "bodyBytesMax">,
): void {
  const method = request.getCaseSensitiveMethod().toUpperCase();
  const head = {
    method,
    path: request.getUrl(),
    ifNoneMatch: request.getHeader("if-none-match"),
    contentType: request.getHeader("content-type"),
    ...requestSource(response, request),
  };
  const reply = new UwsReply(response, method);
  const respond = (collected: CollectedBody) => reply.answer(handlers.request({ ...head, ...collected }));
  if (isBodyless(method)) {
    respond(NO_BODY);
    return;
  }
  const body = new RequestBody(bodyBytesMax);
  response.onData((chunk, isLast) => {
    if (!body.add(new Uint8Array(chunk))) {
      response.close();
    } else if (isLast) {
      respond(body.take());
    }
  });
}

/** From where and in whose name it comes. */
export function requestSource(response: NativeResponse, request: NativeRequest): RequestSource {
  return {
    query: request.getQuery(),
    address: new TextDecoder().decode(response.getRemoteAddressAsText()),
    host: request.getHeader("host"),
    origin: request.getHeader("origin"),
    forwardedFor: request.getHeader("x-forwarded-for"),
    authorization: request.getHeader("authorization"),
    apiKey: request.getHeader("x-api-key"),
  };
}

/** Sends a whole answer; the response must be open. */
export function sendWhole(response: NativeResponse, answer: HttpAnswer & { body: string | Uint8Array }): void {
  response.cork(() => {
    writeHead(response, answer);
    response.end(answer.body);
  });
}

class UwsReply implements PartSink {
  isGone = false;
  readonly #response: NativeResponse;
  readonly #method: string;
  #resume: () => void = () => undefined;

  constructor(response: NativeResponse, method: string) {
    this.#response = response;
    this.#method = method;
    // Without this an exception of ours would end the process without a word about where it came from.
    response.onAborted(() => {
      this.isGone = true;
      this.#resume();
    });
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
    let hasRoom = false;
    this.#response.cork(() => {
      hasRoom = this.#response.write(part);
    });
    return hasRoom;
  }

  room(): Promise<void> {
    return this.isGone
      ? Promise.resolve()
      : new Promise((resolve) => {
          this.#resume = resolve;
        });
  }

  end(): void {
    this.#response.cork(() => this.#response.end());
  }

  destroy(): void {
    if (!this.isGone) {
      this.#response.close();
    }
  }

  #send(answer: HttpAnswer): void {
    if (this.isGone) {
      dropParts(answer.body);
      return;
    }
    const response = this.#response;
    if (answer.status === 304 || answer.status === 204 || this.#method === "HEAD") {
      response.cork(() => this.#sendHead(answer));
      dropParts(answer.body);
    } else if (isParts(answer.body)) {
      response.onWritable(() => {
        this.#resume();
        return true;
      });
      response.cork(() => writeHead(response, answer));
      void sendParts(answer.body, this);
    } else {
      sendWhole(response, { ...answer, body: answer.body });
    }
  }

  #sendHead(answer: HttpAnswer): void {
    writeHead(this.#response, answer);
    if (this.#method === "HEAD" && answer.status !== 304 && !isParts(answer.body)) {
      // Given to endWithoutBody as an argument, the length leaves the response unfinished and ends the process.
      this.#response.writeHeader("content-length", String(Buffer.byteLength(answer.body)));
    }
    this.#response.endWithoutBody();
  }
}

function writeHead(response: NativeResponse, { status, headers }: HttpAnswer): void {
  response.writeStatus(`${status} ${statusText(status)}`);
  for (const [name, value] of Object.entries(headers)) {
    response.writeHeader(name, value);
  }
}
