"""Asking people for consent, and where it stands. No program can give it."""

from __future__ import annotations

import secrets
from datetime import datetime

from consentry_client.asking import Id, as_json, ask, ask_page, moment, one
from consentry_client.flow import Flow, Request
from consentry_client.models import (
    Consent,
    ConsentReceipt,
    ConsentRequest,
    ConsentStatus,
    ErasureReceipt,
    Order,
)


def request_consent(
    subject: str, *, email: str = "", idempotency_key: str = ""
) -> Flow[ConsentRequest]:
    """File a person under your own reference and ask them; with an address an invitation goes there.

    With the same idempotency key nobody is asked twice, however often it is tried.
    """
    body = {"subject": subject} | ({"email": email} if email else {})
    return ask(
        ConsentRequest,
        Request(
            "POST",
            "consent-requests/",
            headers=under(idempotency_key),
            body=as_json(body),
        ),
    )


def consent_requests(
    page: str, *, status: ConsentStatus | None = None, order: Order = "newest"
) -> Flow[tuple[tuple[ConsentRequest, ...], str | None]]:
    """Everybody whom your purpose ever asked."""
    return ask_page(ConsentRequest, page, "consent-requests/", {"status": status, "order": order})


def consent_request(id: Id) -> Flow[ConsentRequest]:
    """How a question stands, by the opaque id of the person."""
    return ask(ConsentRequest, Request("GET", f"consent-requests/{one(id)}/"))


def resend_consent_request(id: Id, *, idempotency_key: str = "") -> Flow[ConsentRequest]:
    """Send a new letter with a new link; at most once a day, and never after an answer."""
    return ask(
        ConsentRequest,
        Request("POST", f"consent-requests/{one(id)}/resend/", headers=under(idempotency_key)),
    )


def cancel_consent_request(id: Id) -> Flow[ConsentRequest]:
    """Take the question back. Again changes nothing; after an answer it is refused."""
    return ask(ConsentRequest, Request("POST", f"consent-requests/{one(id)}/cancel/"))


def subjects(
    page: str,
    *,
    status: ConsentStatus | None = None,
    changed_after: datetime | None = None,
    order: Order | None = None,
) -> Flow[tuple[tuple[Consent, ...], str | None]]:
    """The people of your purpose by opaque ids; with ``changed_after`` in the order of the changes.

    To follow them, ask with a minute before the latest ``changed_at`` seen: one may come to light later.
    """
    filters = {"status": status, "changed_after": moment(changed_after), "order": order}
    return ask_page(Consent, page, "subjects/", filters)


def find_subject(subject: str) -> Flow[Consent]:
    """The consent of the person whom you call so; your reference never stands in an address."""
    return ask(Consent, Request("POST", "subjects/find/", body=as_json({"subject": subject})))


def subject(id: Id) -> Flow[Consent]:
    """The consent of a person by the opaque id of earlier answers."""
    return ask(Consent, Request("GET", f"subjects/{one(id)}/"))


def consent_receipts(
    page: str, id: Id, *, order: Order = "newest"
) -> Flow[tuple[tuple[ConsentReceipt, ...], str | None]]:
    """What happened to the consent of a person (by opaque id)."""
    return ask_page(ConsentReceipt, page, f"subjects/{one(id)}/consents/", {"order": order})


def erasure_receipts(
    page: str, id: Id, *, order: Order = "newest"
) -> Flow[tuple[tuple[ErasureReceipt, ...], str | None]]:
    """What was erased of a person (by opaque id) at the installation."""
    return ask_page(ErasureReceipt, page, f"subjects/{one(id)}/receipts/", {"order": order})


def under(idempotency_key: str) -> dict[str, str]:
    """The header that makes a request safe to repeat."""
    return {"idempotency-key": idempotency_key or secrets.token_urlsafe(24)}
