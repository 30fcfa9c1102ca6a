"""Who you are, your keys, your purpose, your webhook, and what the access log says that you did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from consentry_client.asking import Id, as_json, ask, ask_page, moment, one
from consentry_client.flow import Answer, Flow, Request
from consentry_client.models import (
    Delivery,
    Key,
    LogEntry,
    Me,
    NewKey,
    Order,
    Purpose,
    Webhook,
    WebhookSecret,
)


def me() -> Flow[Me]:
    """The API client whose key this is: its purpose, scopes, end and limits."""
    return ask(Me, Request("GET", "client/"))


def live_keys() -> Flow[tuple[Key, ...]]:
    """Your live keys, at most two."""
    return ask(tuple[Key, ...], Request("GET", "client/keys/"))


def make_key(*, expires_at: datetime | None = None) -> Flow[NewKey]:
    """Make a second key; it stands in this answer alone. Never repeated by itself."""
    body = {"expires_at": moment(expires_at)} if expires_at else {}
    return ask(NewKey, Request("POST", "client/keys/", body=as_json(body), safe_to_repeat=False))


def revoke_key(prefix: str) -> Flow[None]:
    """Take back the key that you do not use any more; not the one of this very client."""
    if not prefix.isalnum() or not prefix.isascii():
        raise ValueError("a prefix is what stands between cns_ and the next _")
    yield Request("DELETE", f"client/keys/{prefix}/", safe_to_repeat=False)


def purposes(page: str) -> Flow[tuple[tuple[Purpose, ...], str | None]]:
    """The purposes that your key opens: one."""
    return ask_page(Purpose, page, "purposes/", {})


def purpose(id: Id) -> Flow[Purpose]:
    """Your purpose as its notice tells it."""
    return ask(Purpose, Request("GET", f"purposes/{one(id)}/"))


def log_entry(id: Id) -> Flow[LogEntry]:
    """An entry of the access log in which you acted, with its receipt."""
    return ask(LogEntry, Request("GET", f"log-entries/{one(id)}/"))


def log_entry_proof(id: Id) -> Flow[str]:
    """The inclusion proof alone, as C2SP tlog-proof."""
    request = Request("GET", f"log-entries/{one(id)}/proof/", headers={"accept": "text/plain, */*"})
    answer: Answer = yield request
    return answer.content.decode()


def webhook() -> Flow[Webhook]:
    """Where you are told, and of what."""
    return ask(Webhook, Request("GET", "webhook/"))


def put_webhook(url: str, *, types: Sequence[str] | None = None) -> Flow[WebhookSecret]:
    """Say where you are told, and of what. A new address gets a new secret, shown in this answer alone."""
    body = {"url": url} | ({"types": list(types)} if types is not None else {})
    return ask(WebhookSecret, Request("PUT", "webhook/", body=as_json(body), safe_to_repeat=False))


def delete_webhook() -> Flow[None]:
    """Be told nothing more there."""
    yield Request("DELETE", "webhook/", safe_to_repeat=False)


def rotate_webhook_secret() -> Flow[WebhookSecret]:
    """A new secret, shown in this answer alone; the ones before stay valid for a day."""
    return ask(WebhookSecret, Request("POST", "webhook/rotate-secret/", safe_to_repeat=False))


def webhook_deliveries(
    page: str, *, type: str | None = None, state: str | None = None, order: Order = "newest"
) -> Flow[tuple[tuple[Delivery, ...], str | None]]:
    """What you were told, and what waits."""
    return ask_page(
        Delivery, page, "webhook/deliveries/", {"type": type, "state": state, "order": order}
    )


def replay_webhook(id: Id) -> Flow[Delivery]:
    """Have something sent once more, under the same id."""
    return ask(
        Delivery,
        Request("POST", f"webhook/deliveries/{one(id)}/replay/", safe_to_repeat=False),
    )
