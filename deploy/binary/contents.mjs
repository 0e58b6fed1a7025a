/**
 * What is inside the standalone binary, for those who must know: the packages that were bundled with their licences, and a
 * bill of materials (CycloneDX 1.5). Packages are read off the bundler's own list of files, so that nothing is named that
 * is not inside. Bad case: a package without a licence text; that is an error here, not a gap in the file.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const LICENCE_FILE = /^(licen[sc]e|copying|notice)([.-].*)?$/i;
const ACCEPTED = new Set(["MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "0BSD", "Unlicense"]);
/** Where package.json names another licence than the text beside it. */
const LICENCE_BY_TEXT = { "uWebSockets.js": "Apache-2.0" };
/** Packages whose licence text lies in another one of theirs. */
const TEXT_ELSEWHERE = {
  "@assemblyscript/loader": "assemblyscript",
  "@koromix/koffi-linux-x64": "koffi",
  "@koromix/koffi-linux-arm64": "koffi",
};

/**
 * The packages that bundled files belong to.
 * @param root of the repository @param options.inputs bundled files, relative to it @param options.more names besides
 * @returns by name: name, version, licence and the texts of their licences
 */
export function packagesOf(root, { inputs, more }) {
  const bundled = inputs.flatMap((path) => /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []);
  return [...new Set([...bundled, ...more])].sort().map((name) => readPackage(root, name));
}

function readPackage(root, name) {
  const folder = join(root, "node_modules", name);
  const { version, license, name: published } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const texts = readLicences(join(root, "node_modules", TEXT_ELSEWHERE[name] ?? name));
  const licence = LICENCE_BY_TEXT[name] ?? license;
  if (!ACCEPTED.has(licence)) {
    throw new Error(`Cannot ship ${name}: its licence is none of ${[...ACCEPTED].join(", ")}, was ${licence}`);
  }
  if (texts.length === 0) {
    throw new Error(`Cannot ship ${name}: it brings no licence text, was ${folder}`);
  }
  return { name, published, version, licence, texts };
}

function readLicences(folder) {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => LICENCE_FILE.test(name)) : [];
  return names.sort().map((name) => readFileSync(join(folder, name), "utf8").trim());
}

/** The texts that the licences demand to go along. */
export function licenceText(root, { packages, nodeLicence }) {
  const ours = readFileSync(join(root, "LICENSE"), "utf8").trim();
  const parts = packages.map(({ name, version, licence, texts }) => [`${name} ${version} (${licence})`, ...texts]);
  const all = [["AlphaPulse", ours], ...parts, [`Node.js ${process.versions.node}`, nodeLicence.trim()]];
  return `${all.map((part) => part.join("\n\n")).join(`\n\n${"=".repeat(78)}\n\n`)}\n`;
}

/** The bill of materials as text: equal contents give equal text. */
export function billOfMaterials({ about, packages, sum, name }) {
  const components = packages.map(({ name: own, published, version, licence }) => ({
    type: "library",
    "bom-ref": `pkg:npm/${purlName(published)}@${version}`,
    name: own,
    version,
    licenses: [{ license: { id: licence } }],
    purl: `pkg:npm/${purlName(published)}@${version}`,
  }));
  const node = {
    type: "platform",
    "bom-ref": `pkg:generic/node@${about.node}`,
    name: "node",
    version: about.node,
    licenses: [{ license: { id: "MIT" } }],
    purl: `pkg:generic/node@${about.node}`,
  };
  const ours = `pkg:npm/alphapulse@${about.version}`;
  const document = {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    serialNumber: `urn:uuid:${uuidOf(sum)}`,
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": ours,
        name: "alphapulse",
        version: about.version,
        purl: ours,
        hashes: [{ alg: "SHA-256", content: sum }],
        properties: [
          { name: "alphapulse:file", value: name },
          { name: "alphapulse:commit", value: about.commit },
        ],
      },
    },
    components: [...components, node],
    dependencies: [{ ref: ours, dependsOn: [...components, node].map((component) => component["bom-ref"]) }],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function purlName(name) {
  return name.replace(/^@/, "%40");
}

/** A name-based UUID of the file's own hash. */
function uuidOf(sum) {
  const hex = createHash("sha256").update(`alphapulse ${sum}`).digest("hex");
  const variant = ((Number.parseInt(hex[16], 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
