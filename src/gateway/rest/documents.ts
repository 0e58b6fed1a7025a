/**
 * The OpenAPI document and the explorer: everything comes from here, nothing from elsewhere, so that it works without a
 * network and under a policy that lets nothing else in.
 * Bad case: the explorer was not built; its page is missing and the document is still there.
 */
import { createHash } from "node:crypto";
import { openApiText } from "../../rest/openapi.ts";
import { DOCS_PATH, OPENAPI_PATH } from "../../rest/operations.ts";
import type { StaticFiles } from "../static_files.ts";
import type { HttpAnswer, HttpRequest } from "../transport.ts";
import { jsonAnswer, matchesTag, problemAnswer, unchangedAnswer } from "./answers.ts";

const TAG_LENGTH = 22;
/** Folder of the explorer among the files of the page. */
const FOLDER = "/explorer";
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The documents of one gateway. */
export class Documents {
  readonly #files: StaticFiles | undefined;
  /** The OpenAPI document, made when somebody asks first. */
  #openApi: { readonly tag: string; readonly bytes: Uint8Array } | undefined;

  constructor(files: StaticFiles | undefined) {
    this.#files = files;
  }

  /** Answers a request for one of them. */
  answer(request: HttpRequest): HttpAnswer {
    return request.path === OPENAPI_PATH ? this.#document(request) : this.#explorer(request);
  }

  #document(request: HttpRequest): HttpAnswer {
    const { tag, bytes } = this.#openApi ?? makeDocument();
    this.#openApi = { tag, bytes };
    return matchesTag(request.ifNoneMatch, tag) ? unchangedAnswer(tag) : jsonAnswer(bytes, { etag: tag });
  }

  #explorer({ path, ifNoneMatch }: HttpRequest): HttpAnswer {
    const name = path === DOCS_PATH ? "/index.html" : path.slice(DOCS_PATH.length);
    const file = this.#files?.answer({ path: `${FOLDER}${name}`, ifNoneMatch });
    if (file === undefined) {
      const detail = "Cannot find the page; if it is the explorer itself, it was not built: run `npm run build`";
      return problemAnswer("not_found", { detail, instance: path.slice(0, 256) });
    }
    return { ...file, headers: { ...file.headers, "content-security-policy": POLICY } };
  }
}

function makeDocument(): { tag: string; bytes: Uint8Array } {
  const bytes = new TextEncoder().encode(openApiText());
  return { tag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, TAG_LENGTH)}"`, bytes };
}
