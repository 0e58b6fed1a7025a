/**
 * The AsyncAPI document: the committed file is what the schemas give, it is valid AsyncAPI 3, and its schemas judge like
 * those of the server. Bad case: a file that was not renewed; the failure names the command.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import { asyncApiDocument } from "../../src/wire/asyncapi.ts";
import { CLIENT_EXAMPLES, SERVER_EXAMPLES } from "../../src/wire/examples.ts";
import { CLIENT_SCHEMAS } from "../../src/wire/messages.ts";
import { SERVER_SCHEMAS } from "../../src/wire/server_schemas.ts";

const FILE = join(packageFolder(), "src/wire/asyncapi.json");
const RENEW =
  "ALPHAPULSE_RENEW=asyncapi npx vitest run test/unit/wire_asyncapi.test.ts && npx biome format --write src/wire/asyncapi.json";

function text(): string {
  return `${JSON.stringify(asyncApiDocument(), undefined, 2)}\n`;
}

/** Compiles a schema of the document. @returns whether a value is accepted, and why not */
function judge(schema: object): (value: unknown) => string {
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  const accepts = ajv.compile(schema);
  return (value) => (accepts(value) ? "" : ajv.errorsText(accepts.errors));
}

function payloadOf(name: string): object {
  const { components } = asyncApiDocument() as { components: { messages: Record<string, { payload: object }> } };
  const payload = components.messages[name]?.payload;
  if (payload === undefined) {
    throw new Error(`Cannot find a message of the document, was ${name}`);
  }
  return payload;
}

describe("The AsyncAPI document", () => {
  it("equals the committed file when that was renewed", () => {
    if (process.env.ALPHAPULSE_RENEW === "asyncapi") {
      writeFileSync(FILE, text());
    }
    expect(JSON.parse(readFileSync(FILE, "utf8")), `renew it with: ${RENEW}`).toEqual(asyncApiDocument());
  });

  it("is valid by the JSON schema of AsyncAPI 3.0", () => {
    const specification = createRequire(join(packageFolder(), "package.json"))(
      "@asyncapi/specs/schemas/3.0.0-without-$id.json",
    ) as object;
    const document = asyncApiDocument();
    expect(judge(specification)(document)).toBe("");
    expect(judge(specification)({ ...document, operations: { broken: { action: "shout" } } })).not.toBe("");
  });

  it("has only references that lead somewhere", () => {
    const document = asyncApiDocument();
    const references = [...text().matchAll(/"\$ref": "#\/([^"]+)"/g)].map(([, path = ""]) => path);
    expect(references.length).toBeGreaterThan(40);
    for (const path of references) {
      const target = path.split("/").reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], document);
      expect(target, path).toBeDefined();
    }
  });

  it("names every message of both directions", () => {
    const { components } = asyncApiDocument() as { components: { messages: object } };
    const clients = Object.keys(CLIENT_SCHEMAS).map((op) => `request_${op}`);
    expect(Object.keys(components.messages)).toEqual([...clients, ...Object.keys(SERVER_SCHEMAS), "binaryFrame"]);
  });

  it.each(SERVER_EXAMPLES.map((message) => [message.type, message]))("judges %s like the server", (type, message) => {
    const fault = judge(payloadOf(type));
    expect(fault(message)).toBe("");
    expect(fault({ ...message, unheardOf: 1 })).not.toBe("");
    for (const field of Object.keys(message)) {
      expect(fault({ ...message, [field]: { wrong: 1 } }), field).not.toBe("");
    }
  });

  it.each(CLIENT_EXAMPLES.map((message) => [message.op, message]))("judges %s like the server", (op, message) => {
    const fault = judge(payloadOf(`request_${op}`));
    expect(fault(message)).toBe("");
    expect(fault({ ...message, unheardOf: 1 })).not.toBe("");
    expect(CLIENT_SCHEMAS[op].safeParse(message).success).toBe(true);
  });
});
