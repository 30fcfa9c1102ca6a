"""The Kantara Initiative's Consent Receipt 1.1, made from the same history as the consent record.

That form knows one moment, a yes; so it exists for the events that set what is consented to, and for no
other. It has fields that this product does not know (a telephone number): they are there and empty.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from consent.consent_record import SETS_CATEGORIES, History, notice_url
from consent.models import ControllerKind, DataCategory, Sector, category_label

VERSION = "KI-CR-v1.1.0"
METHODS = {
    "web": "web form",
    "assent": "web form: a guardian's consent, then the child's own assent",
    "paper": "paper form signed by the person, entered and attested by an operator",
}


def has_kantara_form(kind: str) -> bool:
    """Whether there is anything that this form could say about an event."""
    return kind in SETS_CATEGORIES


def kantara_receipt(history: History, receipt_id: UUID, public_key: str) -> dict[str, Any]:
    """The receipt of the history's last event; times are seconds since 1970 in UTC."""
    event, purpose = history.events[-1], history.purpose
    return {
        "version": VERSION,
        "jurisdiction": purpose.jurisdiction,
        "consentTimestamp": int(event.at.timestamp()),
        "collectionMethod": METHODS.get(event.method, event.method),
        "consentReceiptID": str(receipt_id),
        "publicKey": public_key,
        "language": event.language,
        "piiPrincipalId": history.principal,
        "piiControllers": [
            {
                "piiController": party.name,
                "onBehalf": party.kind == ControllerKind.PROCESSOR,
                "contact": party.contact,
                "address": {"streetAddress": party.address},
                "email": party.contact if "@" in party.contact else "",
                "phone": "",
            }
            for party in history.parties
        ],
        "policyUrl": notice_url(history, event),
        "services": [
            {
                "service": purpose.name,
                "purposes": [of_category(history, category) for category in event.categories],
            }
        ],
        "sensitive": True,
        "spiCat": ["Biometric"],
    }


def of_category(history: History, category: str) -> dict[str, Any]:
    """One data category as a purpose of its own, since each was a choice of its own."""
    purpose, event = history.purpose, history.events[-1]
    ends = _("at your withdrawal")
    if event.valid_until:
        ends += _(", at the latest %(when)s") % {"when": event.valid_until.isoformat()}
    return {
        "purpose": purpose.description,
        "purposeCategory": [str(Sector(purpose.sector).label)],
        "consentType": "EXPLICIT",
        "piiCategory": [category_label(category, purpose.takes)],
        "primaryPurpose": category == DataCategory.MEDIA,
        "termination": ends,
        "thirdPartyDisclosure": bool(purpose.recipient_list),
        "thirdPartyName": "; ".join(purpose.recipient_list),
    }
