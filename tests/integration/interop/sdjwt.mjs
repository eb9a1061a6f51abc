// @sd-jwt/core over standard input and output: one JSON request in, one JSON answer out. All cryptography is Node's own.
//
//   {"do": "verify", "alg", "jwk", "message"}                               → {"payload", "header"}
//   {"do": "issue", "alg", "jwk" (private), "kid", "payload", "frame"}      → {"message"}
//   {"do": "present", "alg", "message", "frame"}                            → {"message"}
//
// A refusal is {"error"}.
import { createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify } from "node:crypto";
import { SDJwtInstance } from "@sd-jwt/core";

const SUITES = {
  ES256: { hash: "sha-256", digest: "sha256", signed: "sha256" },
  ES384: { hash: "sha-384", digest: "sha384", signed: "sha384" },
  EdDSA: { hash: "sha-256", digest: "sha256", signed: null },
};
const DIGESTS = { "sha-256": "sha256", "sha-384": "sha384" };

class Evidence extends SDJwtInstance {
  type = "dc+sd-jwt";
}

function instance({ alg, jwk }) {
  const suite = SUITES[alg];
  const form = (key) => ({ key, dsaEncoding: "ieee-p1363" });
  const salts = [];
  return Object.assign(
    new Evidence({
      signAlg: alg,
      hashAlg: suite.hash,
      hasher: (data, name) => createHash(DIGESTS[name]).update(data).digest(),
      saltGenerator: () => salts.shift() ?? randomBytes(16).toString("base64url"),
      signer: (data) => sign(suite.signed, Buffer.from(data), form(createPrivateKey({ key: jwk, format: "jwk" }))).toString("base64url"),
      verifier: (data, mark) =>
        verify(suite.signed, Buffer.from(data), form(createPublicKey({ key: jwk, format: "jwk" })), Buffer.from(mark, "base64url")),
    }),
    { salts },
  );
}

// `sd_all` is a digest of the disclosures, which the library makes with the payload: so it is issued twice with equal salts.
async function issue(request) {
  const { alg, kid, payload, frame } = request;
  const suite = SUITES[alg];
  const salts = Array.from({ length: 64 }, () => randomBytes(16).toString("base64url"));
  const once = async (sdAll) => {
    const issuer = instance(request);
    issuer.salts.push(...salts);
    return issuer.issue({ ...payload, sd_all: sdAll }, frame, { header: { kid } });
  };
  const draft = await once("");
  const tail = draft.slice(draft.indexOf("~") + 1);
  const digest = createHash(suite.digest).update(tail).digest("hex");
  return { message: await once(`${suite.hash}:${digest}`) };
}

const ACTIONS = {
  verify: async (request) => instance(request).verify(request.message),
  issue,
  present: async (request) => ({ message: await instance(request).present(request.message, request.frame) }),
};

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const request = JSON.parse(Buffer.concat(chunks).toString("utf8"));
let answer;
try {
  answer = await ACTIONS[request.do](request);
} catch (error) {
  answer = { error: String(error) };
}
process.stdout.write(JSON.stringify(answer));
