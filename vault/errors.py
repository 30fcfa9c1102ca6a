"""What the vault refuses or cannot do. Each class has a stable code; none holds plaintext."""

from __future__ import annotations


class VaultError(Exception):
    """Base of everything the vault raises."""

    code = "vault-error"


class KeyDestroyed(VaultError):
    """The key was destroyed, for ever: what it sealed can no longer be opened."""

    code = "key-destroyed"


class KeyMissing(VaultError):
    """The keystore has never heard of this key. It is not made again."""

    code = "key-missing"


class Tampered(VaultError):
    """The sealed bytes are not what was sealed, or were moved to another place."""

    code = "tampered"


class PermitMismatch(VaultError):
    """There is no permit, or it is for another data subject or purpose than the data at hand."""

    code = "permit-mismatch"


class UnitMismatch(VaultError):
    """The data key belongs to another erasure unit than the one that was named."""

    code = "unit-mismatch"


class ReceiptMissing(VaultError):
    """What was handed over is no durable log receipt."""

    code = "receipt-missing"


class ReceiptMismatch(VaultError):
    """The log entry behind the receipt tells of something else than the permit."""

    code = "receipt-mismatch"


class ReceiptTooOld(VaultError):
    """The log entry was written too long ago to stand for this access."""

    code = "receipt-too-old"


class KeystoreUnavailable(VaultError):
    """The keystore database cannot be reached, or has no epoch to wrap keys under."""

    code = "keystore-unavailable"


class DatabaseLost(VaultError):
    """One of the two databases is empty or gone, and the rest of the installation has a past."""

    code = "database-lost"


class RootKeyMissing(VaultError):
    """The key of an epoch that the keystore needs is not with the provider."""

    code = "root-key-missing"


class WrongRootKey(VaultError):
    """The provider has a key for the epoch, but not the one that the keystore was wrapped under."""

    code = "wrong-root-key"


class ProviderUnavailable(VaultError):
    """The server that holds the epoch keys does not answer, or refuses; it may later."""

    code = "key-provider-unavailable"


class InsecureKeyFile(VaultError):
    """A key or token file or its folder can be reached by others, or is no plain file of the right size."""

    code = "insecure-key-file"


class WrapsRemain(VaultError):
    """An epoch cannot be destroyed while keys are still wrapped under it."""

    code = "wraps-remain"


class BlobExists(VaultError):
    """A sealed blob is written once and never over another."""

    code = "blob-exists"


class StorageFull(VaultError):
    """The disk, or this user's share of it, is full: nothing was stored."""

    code = "storage-full"
