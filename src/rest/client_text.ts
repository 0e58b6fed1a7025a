/**
 * Writes the typed part of the TypeScript client from the OpenAPI document: one type for each named schema and for each
 * operation (client_types.d.ts), and where the operations are (client_places.ts). A test keeps both files fresh.
 * Bad case: a keyword of JSON Schema that is not known here; it is refused, so that no type is wider than the document.
 */
import type { JsonFields } from "./openapi.ts";

type Schema = Readonly<Record<string, unknown>>;
type Described = {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters: readonly { name: string; in: string; required: boolean; schema: Schema; description: string }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
};
type Content = Readonly<Record<string, { readonly schema: Schema }>>;

const HEAD = (what: string) => `/**
 * ${what}, generated from the OpenAPI document: do not edit.
 * Bad case: a document that changed since; the test that compares them names the command that renews this file.
 */
`;
const JSON_TYPE = "application/json";
/** Keywords that narrow values, not types. */
const NARROWING = ["pattern", "minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength", "default"];
const UNDERSTOOD = new Set([
  ...NARROWING,
  ...["$ref", "anyOf", "oneOf", "const", "enum", "type", "properties", "required", "additionalProperties"],
  ...["items", "prefixItems", "propertyNames", "description"],
]);

/** The texts of both files, not yet formatted. @throws RangeError for a schema that is not understood */
export function clientTexts(document: JsonFields): { types: string; places: string } {
  const { components, paths } = document as unknown as {
    components: { schemas: Readonly<Record<string, Schema>> };
    paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  };
  const types = Object.entries(components.schemas).map(
    ([name, schema]) => `${comment(schema, name)}export type ${name} = ${typeText(schema)};\n`,
  );
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({ path, method: method.toUpperCase(), described })),
  );
  const entries = operations.map(({ described }) => operationType(described)).join("\n");
  const places = operations.map(({ path, method, described }) => {
    const query = described.parameters.filter((one) => one.in === "query").map(({ name }) => name);
    return `${described.operationId}: { method: "${method}", path: "${path}", query: ${JSON.stringify(query)} },`;
  });
  const taken = `/** What each operation takes and answers. */\nexport type ApiOperations = {\n${entries}\n};\n`;
  const where = `/** Where each operation is. */\nexport const API_PLACES = {\n${places.join("\n")}\n} as const;\n`;
  return {
    types: [HEAD("Types of the REST API"), ...types, taken].join("\n"),
    places: `${HEAD("Where the operations of the REST API are")}\n${where}`,
  };
}

function operationType({ operationId, summary, parameters, requestBody, responses }: Described): string {
  const fields = parameters.map(({ name, required, schema }) => `${name}${required ? "" : "?"}: ${typeText(schema)};`);
  const body = requestBody?.content[JSON_TYPE]?.schema;
  const answers = Object.entries(responses)
    .filter(([status]) => status.startsWith("2"))
    .map(([, { content }]) => content?.[JSON_TYPE]?.schema)
    .filter((schema) => schema !== undefined);
  const taken = fields.length === 0 ? "Record<never, never>" : `{ ${fields.join(" ")} }`;
  const answer = [...new Set(answers.map(typeText))].join(" | ");
  const given = body === undefined ? "undefined" : typeText(body);
  return `/** ${summary}. */\n${operationId}: { parameters: ${taken}; body: ${given}; answer: ${answer} };`;
}

function typeText(schema: Schema): string {
  const unknown = Object.keys(schema).filter((keyword) => !UNDERSTOOD.has(keyword));
  if (unknown.length > 0) {
    throw new RangeError(`Cannot write a type: keywords that are not understood, was ${unknown.join(", ")}`);
  }
  if (typeof schema.$ref === "string") {
    return schema.$ref.split("/").at(-1) ?? "never";
  }
  const choices = (schema.anyOf ?? schema.oneOf) as readonly Schema[] | undefined;
  if (choices !== undefined) {
    return choices.map(typeText).join(" | ");
  }
  if ("const" in schema) {
    return JSON.stringify(schema.const);
  }
  if (Array.isArray(schema.enum)) {
    return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  }
  const types = Array.isArray(schema.type) ? (schema.type as unknown[]) : [schema.type];
  return types.map((type) => plainType({ ...schema, type })).join(" | ");
}

function plainType(schema: Schema): string {
  switch (schema.type) {
    case "string":
    case "boolean":
    case "null":
      return schema.type;
    case "number":
    case "integer":
      return "number";
    case "array":
      return arrayType(schema);
    case "object":
      return objectType(schema);
    default:
      throw new RangeError(`Cannot write a type: it must be one of JSON, was ${String(schema.type)}`);
  }
}

function arrayType({ prefixItems, items }: Schema): string {
  if (Array.isArray(prefixItems)) {
    return `[${(prefixItems as Schema[]).map(typeText).join(", ")}]`;
  }
  const item = typeText(items as Schema);
  return /[|{]/.test(item) ? `(${item})[]` : `${item}[]`;
}

function objectType({ properties, required, additionalProperties }: Schema): string {
  if (properties === undefined) {
    return `Record<string, ${typeText(additionalProperties as Schema)}>`;
  }
  const needed = new Set(required as readonly string[] | undefined);
  const fields = Object.entries(properties as Readonly<Record<string, Schema>>).map(
    ([name, schema]) => `${comment(schema, "")}${name}${needed.has(name) ? "" : "?"}: ${typeText(schema)};`,
  );
  return `{\n${fields.join("\n")}\n}`;
}

function comment({ description }: Schema, fallback: string): string {
  const text = typeof description === "string" ? description : fallback;
  return text === "" ? "" : `/** ${text}${/[.!?]$/.test(text) ? "" : "."} */\n`;
}
