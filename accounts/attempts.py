"""Failed sign-ins, counted without writing down who or where.

Both the account that was typed and the network address appear only as an HMAC under the
installation's secret key: a bare hash of an e-mail or IP address is guessed in no time. The account
is counted whether it exists or not, so the answer tells nothing.

An attempt is counted before it is checked and taken back when it succeeds; many attempts sent at
once can therefore not slip past the limit together.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address

from allauth.core.internal.httpkit import get_client_ip
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.errors import TooManyAttempts
from accounts.models import FailedLogin

WINDOW = timedelta(minutes=15)
ACCOUNT_LIMIT = 5
ADDRESS_LIMIT = 50
HOST_BITS = 64  # of an IPv6 address: what a connection may fill as it likes


def keyed_hash(kind: str, value: str) -> str:
    """HMAC-SHA256 of a value under the secret key, separated by kind, in hexadecimal."""
    message = f"attempts|{kind}|{value.strip().lower()}".encode()
    return hmac.new(settings.SECRET_KEY.encode(), message, sha256).hexdigest()


def address_of(request: HttpRequest) -> str:
    """The network address of the browser, behind the number of proxies in the settings."""
    return str(get_client_ip(request) or "")


def hash_of_address(address: str) -> str:
    """What a network address is counted under: whoever has one address of IPv6 has its whole /64."""
    try:
        found = ip_address(address)
    except ValueError:
        return keyed_hash("address", address)
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or ip_address(int(found) >> HOST_BITS << HOST_BITS)
    return keyed_hash("address", str(found))


@dataclass(frozen=True)
class Attempt:
    """One counted attempt; it stays counted as failed unless it is taken back."""

    row_ids: tuple[int, ...]

    def succeed(self) -> None:
        """Take the attempt back."""
        FailedLogin.objects.filter(id__in=self.row_ids).delete()


def begin_attempt(*, account: str, address: str) -> Attempt:
    """Count an attempt to sign in to ``account`` from the network ``address``.

    Raises TooManyAttempts, and counts nothing, when either has failed too often within the last
    15 minutes (5 times for an account, 50 for a network address, or for a /64 of IPv6).
    """
    now = timezone.now()
    limits = {
        keyed_hash("account", account): ACCOUNT_LIMIT,
        hash_of_address(address): ADDRESS_LIMIT,
    }
    with transaction.atomic():
        FailedLogin.objects.filter(at__lt=now - WINDOW).delete()
        rows = [FailedLogin.objects.create(keyed_hash=key, at=now) for key in limits]
    attempt = Attempt(tuple(row.id for row in rows))
    # Counted after the commit: each of several attempts at once sees those of the others.
    for key, limit in limits.items():
        failures = FailedLogin.objects.filter(keyed_hash=key, at__gte=now - WINDOW).order_by("at")
        if failures.count() > limit:
            oldest = failures[0].at
            attempt.succeed()
            message = _("Too many failed attempts. Try again in 15 minutes.")
            raise TooManyAttempts(message, first=is_first_refusal(key, oldest))
    return attempt


def is_first_refusal(key: str, since: datetime) -> bool:
    """Whether this limit refuses for the first time since these failures; remembers that it did."""
    mark = keyed_hash("refused", key)
    if FailedLogin.objects.filter(keyed_hash=mark, at__gte=since).exists():
        return False
    FailedLogin.objects.create(keyed_hash=mark, at=timezone.now())
    return True
