/**
 * What opens a broker's door, made for one test: certificates by openssl, nkeys and JWTs by the client's own keys.
 * Bad case: no openssl; the tests that need certificates are skipped by name.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { nkeys } from "@nats-io/transport-node";
import { optionalPart } from "./require.ts";

/** Whether certificates can be made. */
export const hasOpenssl = optionalPart("openssl", spawnSync("openssl", ["version"]).status === 0);

/** Files of a small authority, in a folder. */
export type Certificates = {
  readonly ca: string;
  /** Of the server, for 127.0.0.1. */
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
};

/** Makes an authority, a server's certificate and a client's. @param name of the authority */
export function makeCertificates(folder: string, name: string): Certificates {
  const path = (file: string) => join(folder, `${name}-${file}`);
  const openssl = (...words: string[]) => execFileSync("openssl", words, { stdio: "pipe" });
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  openssl("req", "-x509", ...curve, "-subj", `/CN=${name}`, "-keyout", path("ca.key"), "-out", path("ca.pem"));
  const issue = (who: string, extension: string) => {
    writeFileSync(path(`${who}.ext`), extension);
    openssl("req", ...curve, "-subj", `/CN=${who}`, "-keyout", path(`${who}.key`), "-out", path(`${who}.csr`));
    const by = ["-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial", "-days", "2"];
    const files = ["-in", path(`${who}.csr`), "-out", path(`${who}.pem`), "-extfile", path(`${who}.ext`)];
    openssl("x509", "-req", ...files, ...by);
    return { cert: path(`${who}.pem`), key: path(`${who}.key`) };
  };
  return {
    ca: path("ca.pem"),
    server: issue("server", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n"),
    client: issue("client", "extendedKeyUsage=clientAuth\n"),
  };
}

/** A user's nkey. */
export function makeUser(): { readonly publicKey: string; readonly seed: string } {
  const user = nkeys.createUser();
  return { publicKey: user.getPublicKey(), seed: new TextDecoder().decode(user.getSeed()) };
}

/** An operator, an account with JetStream and a user of it. */
export type Trust = {
  /** Lines of the server's configuration. */
  readonly settings: string;
  /** A credentials file. */
  readonly credentials: string;
};

/** Makes a chain of trust as the operator mode of a server wants it. */
export function makeTrust(): Trust {
  const [operator, system, account, user] = [
    nkeys.createOperator(),
    nkeys.createAccount(),
    nkeys.createAccount(),
    nkeys.createUser(),
  ];
  const names = [operator, system, account, user].map((pair) => pair.getPublicKey());
  const [operatorKey = "", systemKey = "", accountKey = "", userKey = ""] = names;
  const open = { subs: -1, data: -1, payload: -1 };
  const limits = { ...open, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const store = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const operatorJwt = sign(operator, { name: "operator", sub: operatorKey, nats: { type: "operator", version: 2 } });
  const accountJwt = (name: string, sub: string, more: object) =>
    sign(operator, { name, sub, nats: { type: "account", version: 2, limits: { ...limits, ...more } } });
  const userJwt = sign(account, { name: "user", sub: userKey, nats: { type: "user", version: 2, ...open } });
  const preload = [
    `${systemKey}: ${accountJwt("system", systemKey, {})}`,
    `${accountKey}: ${accountJwt("books", accountKey, store)}`,
  ];
  const seed = new TextDecoder().decode(user.getSeed());
  return {
    settings: `operator: ${operatorJwt}\nsystem_account: ${systemKey}\nresolver: MEMORY\nresolver_preload: {\n${preload.join("\n")}\n}`,
    credentials: [
      `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n`,
      `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
    ].join("\n"),
  };
}

function sign(issuer: ReturnType<typeof nkeys.createUser>, claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const full = { jti: "TEST", iat: Math.floor(Date.now() / 1000), iss: issuer.getPublicKey(), ...claims };
  const text = `${part({ typ: "JWT", alg: "ed25519-nkey" })}.${part(full)}`;
  return `${text}.${Buffer.from(issuer.sign(new TextEncoder().encode(text))).toString("base64url")}`;
}
