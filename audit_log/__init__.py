"""The append-only access log: entries, Merkle tree, checkpoints and proofs.

It knows no roles and no people: names in it are tags, made elsewhere under keys that can die."""
