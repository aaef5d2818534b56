// Verifies one bundle with Sigstore's own JavaScript: node verify.cjs MODULES BUNDLE ROOT ARTIFACT IDENTITY ISSUER
const [modules, bundle, root, artifact, identity, issuer] = process.argv.slice(2);
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const load = createRequire(modules + "/");
const { bundleFromJSON } = load("@sigstore/bundle");
const { TrustedRoot } = load("@sigstore/protobuf-specs");
const { Verifier, toSignedEntity, toTrustMaterial } = load("@sigstore/verify");

const read = (file) => JSON.parse(readFileSync(file, "utf-8"));
const material = toTrustMaterial(TrustedRoot.fromJSON(read(root)));
const verifier = new Verifier(material, { tlogThreshold: 1, ctlogThreshold: 1, timestampThreshold: 1 });
const entity = toSignedEntity(bundleFromJSON(read(bundle)), readFileSync(artifact));
const signer = verifier.verify(entity, { subjectAlternativeName: identity, extensions: { issuer } });
console.log(signer.identity.subjectAlternativeName);
