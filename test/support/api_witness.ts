/**
 * Asks a running gateway's REST API over real sockets, and judges every answer by the OpenAPI document that it serves:
 * status, media type and schema. Bad case: a status that the document does not name for the operation; it is an error here.
 */
import { request as send } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Ajv, ValidateFunction } from "ajv";
import { packageFolder } from "../../src/assets.ts";

/** JSON Schema 2020-12, which OpenAPI 3.1 speaks; ajv has it in a file of its own. */
const { Ajv2020 } = createRequire(join(packageFolder(), "package.json"))("ajv/dist/2020.js") as {
  Ajv2020: typeof Ajv;
};

/** What to ask beside the path. */
export type Asking = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
};

/** What came back. */
export type ApiAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** Parsed where it is JSON. */
  readonly value: Record<string, unknown>;
};

type Response = { readonly content?: Readonly<Record<string, { readonly schema: { readonly $ref: string } }>> };
type Described = { readonly responses: Readonly<Record<string, Response>> };
/** The parts of the document that are looked at. */
export type ApiDocument = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
};

const ANSWER_MS = 15_000;
/** The document itself, and the explorer. */
const UNDESCRIBED = /^\/api\/v1\/(openapi\.json|docs)/;
const PROBLEM = "#/components/schemas/Problem";

/** Asks one server. */
export class ApiWitness {
  readonly document: ApiDocument;
  readonly #port: number;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });

  constructor(port: number, document: ApiDocument) {
    this.#port = port;
    this.document = document;
    this.#ajv.addSchema(document, "api");
  }

  /** Reads the document of a server on this machine. */
  static async open(port: number): Promise<ApiWitness> {
    const { status, text } = await ask(port, "/api/v1/openapi.json", {});
    if (status !== 200) {
      throw new Error(`Cannot read the document: was ${status}`);
    }
    return new ApiWitness(port, JSON.parse(text) as ApiDocument);
  }

  /** Asks, and judges the answer. @param path as it is sent, query included @throws Error when the document says otherwise */
  async ask(path: string, asking: Asking = {}): Promise<ApiAnswer> {
    const answer = await ask(this.#port, path, asking);
    const fault = this.#fault(path, asking.method ?? "GET", answer);
    if (fault !== undefined) {
      throw new Error(`Cannot accept ${asking.method ?? "GET"} ${path} → ${answer.status}: ${fault}`);
    }
    return answer;
  }

  #fault(path: string, method: string, answer: ApiAnswer): string | undefined {
    const described = this.#operation(path.split("?")[0] ?? "", method);
    const isBodyless = method === "HEAD" || answer.status === 204 || answer.status === 304;
    if (isBodyless) {
      return answer.text === "" ? undefined : "a body where none may be";
    }
    if (described === undefined && answer.status === 200) {
      return UNDESCRIBED.test(path) ? undefined : "an answer that the document does not describe";
    }
    const response = described?.responses[answer.status];
    if (described !== undefined && response === undefined && ![405].includes(answer.status)) {
      return "the document does not name this status";
    }
    const [[type, reference] = ["application/problem+json", PROBLEM]] = Object.entries(response?.content ?? {}).map(
      ([name, { schema }]) => [name, schema.$ref] as const,
    );
    if (!(answer.headers["content-type"] ?? "").startsWith(type)) {
      return `the type must be ${type}, was ${answer.headers["content-type"]}`;
    }
    const validate = this.#ajv.getSchema(`api${reference}`) as ValidateFunction | undefined;
    if (validate === undefined) {
      return `there is no schema ${reference}`;
    }
    return validate(answer.value)
      ? undefined
      : `${JSON.stringify(validate.errors?.slice(0, 3))} in ${answer.text.slice(0, 300)}`;
  }

  #operation(path: string, method: string): Described | undefined {
    const parts = path.split("/");
    const matching = Object.entries(this.document.paths).filter(([template]) => {
      const wanted = template.split("/");
      return wanted.length === parts.length && wanted.every((part, at) => part.startsWith("{") || part === parts[at]);
    });
    const [best] = matching.sort(([one], [other]) => one.split("{").length - other.split("{").length);
    return best?.[1][method.toLowerCase()];
  }
}

/** Sends a request whose path goes out as it stands. */
export function ask(port: number, path: string, { method = "GET", headers = {}, body }: Asking): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
    const options = { host: "127.0.0.1", port, path, method, headers: { ...length, ...headers }, timeout: ANSWER_MS };
    const sent = send(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = /json/.test(response.headers["content-type"] ?? "") && text !== "";
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers as Record<string, string>,
          text,
          value: isJson ? (JSON.parse(text) as Record<string, unknown>) : {},
        });
      });
    });
    sent.on("timeout", () => sent.destroy(new Error(`Cannot wait any longer for an answer: was ${path}`)));
    sent.on("error", reject);
    sent.end(body);
  });
}
