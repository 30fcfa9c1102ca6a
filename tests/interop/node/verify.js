// Verifies a checkpoint and inclusion proofs with the npm package @sigstore/verify.
//
//   node verify.js MODULES KEY FOLDER CASES
//
// The two files it uses are no public interface of the package, so its version is pinned exactly. It
// knows no consistency proofs and reads no tiles: CASES has proofs that were made from the folder's tiles.
"use strict";
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { createPublicKey } = require("node:crypto");

const [modules, key, folder, file] = process.argv.slice(2);
const part = (name) => require(join(modules, "@sigstore/verify/dist/tlog", name));
const { verifyCheckpoint } = part("checkpoint.js");
const { verifyMerkleInclusion } = part("merkle.js");

function authority(text) {
  const [name, hash, ...rest] = text.split("+"); // base64 may have a plus, too
  const raw = Buffer.from(rest.join("+"), "base64").subarray(1);
  const jwk = { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") };
  return {
    baseURL: name,
    logID: Buffer.from(hash, "hex"),
    publicKey: createPublicKey({ key: jwk, format: "jwk" }),
  };
}

try {
  const envelope = readFileSync(join(folder, "checkpoint"), "utf-8");
  const checkpoint = verifyCheckpoint({ inclusionProof: { checkpoint: { envelope } } }, [authority(key)]);
  const { Inclusion } = JSON.parse(readFileSync(file, "utf-8"));
  for (const { Index, Entry, Proof } of Inclusion) {
    const hashes = Proof.map((each) => Buffer.from(each, "base64"));
    const canonicalizedBody = Buffer.from(Entry, "base64");
    verifyMerkleInclusion({ canonicalizedBody, inclusionProof: { logIndex: `${Index}`, hashes } }, checkpoint);
  }
  console.log(`verified: ${Inclusion.length} entries of ${checkpoint.logSize}`);
} catch (error) {
  console.log(`NOT VERIFIED: ${error.message}`);
  process.exitCode = 1;
}
