"""What the operators' templates need to show opaque ids and log names readably."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts.models import ApiClient, User
from accounts.operators import operators
from consent.models import Purpose

register = template.Library()

SHORT = 8


@register.filter
def listed(value: Any) -> str:
    """A value of an entry's detail in one line: of several, one after the other."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@register.filter
def with_commands(text: str) -> SafeString:
    """A text whose commands stand between backticks, as the terminal shows them, with them as code."""
    parts = enumerate(str(text).split("`"))
    return format_html_join(
        "",
        "{}",
        ((format_html("<code>{}</code>", part) if at % 2 else part,) for at, part in parts),
    )


@register.filter
def short(value: UUID | str | bytes | None) -> str:
    """The end of an opaque id or tag: a UUIDv7 begins with its time, so its end tells rows apart."""
    if not value:
        return ""
    text = value.hex() if isinstance(value, bytes) else str(value).replace("-", "")
    return text[-SHORT:]


@register.filter
def hexadecimal(value: bytes | None) -> str:
    """Bytes as lower-case hexadecimal."""
    return value.hex() if value else ""


@register.filter
def item(values: dict[Any, Any], key: Any) -> Any:
    """A value of a dictionary, or an empty string."""
    return values.get(key, "")


@register.simple_tag
def purpose_names(ids: Iterable[UUID | None] | None = None) -> dict[UUID, str]:
    """Id → name of the given purposes, or of all; one query."""
    found = Purpose.objects.order_by("name")
    if ids is not None:
        found = found.filter(pk__in={key for key in ids if key})
    return dict(found.values_list("id", "name"))


@register.simple_tag
def acting_names() -> dict[str, str]:
    """Log name → who that is, for every operator and API client; two queries."""
    people = operators().order_by("email").values_list("id", "email")
    clients = ApiClient.objects.order_by("name").values_list("id", "name")
    return {f"operator:{key}": email for key, email in people} | {
        f"client:{key}": name for key, name in clients
    }


@register.simple_tag
def names_of(entries: Iterable[Any]) -> dict[str, dict[Any, str]]:
    """For the entries of one page: log name of the actor → who that is, and purpose id → its name.

    Operators and API clients are named, also operators whose accounts an entry is about; a data subject
    is a tag and stays one. Three queries.
    """
    rows = list(entries)
    ids: dict[str, set[str]] = {"operator": set(), "client": set()}
    for row in rows:
        sort, _colon, value = row.actor.partition(":")
        if sort in ids:
            ids[sort].add(value)
        if account := row.detail().get("operator"):
            ids["operator"].add(account)
    names: dict[Any, str] = {"anonymous": _("not signed in")}
    for key, email in User.objects.filter(pk__in=ids["operator"]).values_list("id", "email"):
        names[f"operator:{key}"] = email
    for key, name in ApiClient.objects.filter(pk__in=ids["client"]).values_list("id", "name"):
        names[f"client:{key}"] = name
    for row in rows:
        sort, _colon, value = row.actor.partition(":")
        if sort == "subject":
            names[row.actor] = _("data subject %(tag)s") % {"tag": value[-SHORT:]}
        elif sort == "system":
            names[row.actor] = _("system: %(name)s") % {"name": value}
    return {"actors": names, "purposes": purpose_names([row.purpose_id for row in rows])}
