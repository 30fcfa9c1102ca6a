"""Where a webhook may lead: never into a private network, whatever its name resolves to this time.

An address on the internet can be made to point at this machine or at its neighbours (server-side request
forgery). So the name is resolved once for each attempt, every address that it has is looked at, and the
connection is made to one of exactly those. Hosts of ``WEBHOOK_PRIVATE_HOSTS`` may be private.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from consent.errors import InvalidWebhook

Resolve = Callable[[str, int], list[str]]
Address = IPv4Address | IPv6Address
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
PORTS = {"https": 443, "http": 80}
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
HOST = re.compile(r"[a-z0-9.-]+|[0-9a-f:.]+")


@dataclass(frozen=True)
class Target:
    """Where one attempt goes: ``url`` names the checked address, ``host`` is what the server is called."""

    url: str
    host: str
    header: str


def resolve(host: str, port: int) -> list[str]:
    """Every address of a host, by the system's resolver; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def is_private_host(host: str) -> bool:
    """Whether the installation's owner has said that this host may be in a private network."""
    return host in settings.WEBHOOK_PRIVATE_HOSTS


def check_url(url: str) -> SplitResult:
    """The parts of an address that a webhook may have. Raises InvalidWebhook."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidWebhook(_("This is not an address.")) from None
    if not url.isascii() or not url.isprintable() or not HOST.fullmatch(host):
        raise InvalidWebhook(_("Expected an address such as https://lab.example.org/consentry."))
    if parts.username is not None or parts.fragment:
        raise InvalidWebhook(_("An address without a user name and without “#”, please."))
    if parts.scheme != "https" and not (parts.scheme == "http" and is_private_host(host)):
        raise InvalidWebhook(_("Only https: what is sent must be readable to its receiver alone."))
    check_literal(host)
    return parts


def check_literal(host: str) -> None:
    """Refuse at once what is written as a number and cannot be reached. Raises InvalidWebhook.

    Resolvers also read 2130706433, 0x7f.1 and 127.1 as addresses of this machine; nobody needs them.
    """
    try:
        address = ip_address(host)
    except ValueError:
        if NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
            raise InvalidWebhook(
                _("Write an address in numbers as four of them, or better use a name.")
            ) from None
        return
    if not is_allowed(address, private=is_private_host(host)):
        raise InvalidWebhook(_("This is an address in a private network."))


def target(url: str, attempt: int, resolve: Resolve = resolve) -> Target:
    """Resolve and check; raises InvalidWebhook for a forbidden address and OSError for an unknown name.

    ``attempt`` picks among several addresses, so that a later attempt tries another.
    """
    parts = check_url(url)
    host, port = str(parts.hostname), parts.port or PORTS[parts.scheme]
    found = [ip_address(each) for each in resolve(host, port)]
    if not found or not all(is_allowed(each, private=is_private_host(host)) for each in found):
        raise InvalidWebhook(_("This host has an address in a private network."))
    chosen = found[attempt % len(found)]
    literal = f"[{chosen}]" if chosen.version == 6 else str(chosen)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    named = f"[{host}]" if ":" in host else host
    header = named if port == PORTS[parts.scheme] else f"{named}:{port}"
    return Target(f"{parts.scheme}://{literal}:{port}{path}", host, header)


def is_allowed(address: Address, *, private: bool) -> bool:
    """Whether a connection may be made to it; link-local (where clouds keep secrets) never."""
    inner = embedded(address)
    if inner is not None:
        return is_allowed(inner, private=private)
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    if private and (address.is_private or address.is_loopback):
        return True
    strange = address.version == 6 and (address.is_site_local or address.teredo is not None)
    return address.is_global and not address.is_reserved and not strange


def embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address to which an IPv6 address leads: mapped, 6to4 or NAT64."""
    if isinstance(address, IPv4Address):
        return None
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
