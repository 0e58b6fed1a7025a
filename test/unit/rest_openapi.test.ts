/**
 * The OpenAPI document: Redocly finds nothing wrong with it, and the committed types of the client are what it gives.
 * Bad case: a file that was not renewed; the failure names the command.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createConfig, lintFromString } from "@redocly/openapi-core";
import { describe, expect, it } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import { clientTexts } from "../../src/rest/client_text.ts";
import { openApiDocument, openApiText } from "../../src/rest/openapi.ts";
import { OPERATIONS } from "../../src/rest/operations.ts";
import { makeProblem, PROBLEMS, type ProblemCode, problemSchema } from "../../src/rest/problem.ts";

const FILES = { types: "src/rest/client_types.d.ts", places: "src/rest/client_places.ts" } as const;
const RENEW = "ALPHAPULSE_RENEW=rest npx vitest run test/unit/rest_openapi.test.ts";

function formatted(text: string, file: string): string {
  const biome = join(packageFolder(), "node_modules/.bin/biome");
  const run = spawnSync(biome, ["format", `--stdin-file-path=${file}`], { input: text, cwd: packageFolder() });
  expect(run.status, run.stderr.toString()).toBe(0);
  return run.stdout.toString();
}

describe("The OpenAPI document", () => {
  it("has nothing that Redocly's recommended rules find", async () => {
    const config = await createConfig({ extends: ["recommended-strict"] });
    const found = await lintFromString({ source: openApiText(), absoluteRef: "openapi.json", config });
    expect(found.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`)).toEqual([]);
  });

  it("is found wanting by the same rules when an operation loses its answers", async () => {
    const broken = openApiText().replace(/"operationId": "listExchanges",/, "");
    const config = await createConfig({ extends: ["recommended-strict"] });
    expect(await lintFromString({ source: broken, absoluteRef: "openapi.json", config })).not.toEqual([]);
  });

  it("gives the types of the client that are committed when they were renewed", () => {
    const texts = clientTexts(openApiDocument());
    for (const [name, file] of Object.entries(FILES) as [keyof typeof FILES, string][]) {
      const text = formatted(texts[name], file);
      if (process.env.ALPHAPULSE_RENEW === "rest") {
        writeFileSync(join(packageFolder(), file), text);
      }
      expect(readFileSync(join(packageFolder(), file), "utf8"), `renew it with: ${RENEW}`).toBe(text);
    }
  });

  it("names every operation of the table, its problems and its parameters", () => {
    type Described = { operationId: string; parameters: { name: string }[]; responses: object };
    const { paths } = openApiDocument() as unknown as { paths: Record<string, Record<string, Described>> };
    for (const [id, { path, method, parameters, problems }] of Object.entries(OPERATIONS)) {
      const described = paths[`/api/v1${path}`]?.[method.toLowerCase()];
      expect(described?.operationId).toBe(id);
      expect(described?.parameters.map(({ name }) => name)).toEqual(Object.keys(parameters));
      const statuses = Object.keys(described?.responses ?? {});
      expect(statuses).toEqual(expect.arrayContaining(problems.map((code) => String(PROBLEMS[code].status))));
    }
  });

  it("has a problem for every code", () => {
    for (const code of Object.keys(PROBLEMS) as ProblemCode[]) {
      expect(problemSchema.parse(makeProblem(code, { detail: "Cannot answer" })).status).toBe(PROBLEMS[code].status);
    }
  });
});

describe("The client's types", () => {
  it("are refused when the document says what they cannot", () => {
    const document = { components: { schemas: { Odd: { not: { type: "string" } } } }, paths: {} };
    expect(() => clientTexts(document)).toThrow(/not understood, was not/);
  });
});
