"""Operators' second factors and webhooks' secrets at rest; nothing about a data subject.

The key is the installation's own and the label is another than that of records, so this module can
open no record, and no record key can open a credential.
"""

from __future__ import annotations

import base64
import binascii

from vault import keys
from vault.aead import Label, encode_fields, seal, unseal
from vault.errors import Tampered
from vault.models import ServiceKey, ServiceUse


def seal_credential(label: str, data: bytes) -> str:
    """``data`` sealed for the place that ``label`` names, as URL-safe base64."""
    row, key = _credential_key()
    sealed = seal(Label.CREDENTIAL, key, row.id, encode_fields([label.encode()]), data)
    return base64.urlsafe_b64encode(sealed).decode("ascii")


def open_credential(label: str, sealed: str) -> bytes:
    """The credential again; raises Tampered when it was changed or belongs to another label."""
    try:
        raw = base64.b64decode(sealed.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise Tampered("expected a sealed credential in URL-safe base64") from None
    row, key = _credential_key()
    return unseal(Label.CREDENTIAL, key, row.id, encode_fields([label.encode()]), raw)


def _credential_key() -> tuple[ServiceKey, bytes]:
    """The installation's credential key, which ``setup.ensure_root`` made."""
    rows = ServiceKey.objects.filter(use=ServiceUse.CREDENTIAL, purpose_id=None)
    return keys.open_key(rows.all)
