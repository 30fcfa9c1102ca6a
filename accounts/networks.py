"""From where a client's keys are accepted: IPv4 and IPv6 networks; an empty list is anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.attempts import address_of
from accounts.errors import InvalidClient

AT_MOST = 20


def known_networks(given: Iterable[str]) -> list[str]:
    """The networks as they are kept: each once, in the usual notation, a single address as /32 or /128.

    Raises InvalidClient for more than 20, and for what is no network, saying which and what is wrong.
    """
    found: dict[str, None] = {}
    for number, text in enumerate((each.strip() for each in given), 1):
        if text:
            found[known_network(text, number)] = None
    if len(found) > AT_MOST:
        raise InvalidClient(
            _("At most %(most)d networks; %(got)d came.") % {"most": AT_MOST, "got": len(found)}
        )
    return list(found)


def known_network(text: str, number: int) -> str:
    """One network; ``number`` is the line that it stands in."""
    try:
        return str(ip_network(text))
    except ValueError:
        pass
    try:
        wider = ip_network(text, strict=False)
    except ValueError:
        raise InvalidClient(
            _(
                "Line %(number)d: expected an address or network such as 192.0.2.7, 192.0.2.0/24 or "
                "2001:db8::/32; something else came."
            )
            % {"number": number}
        ) from None
    raise InvalidClient(
        _("Line %(number)d: a network begins at its first address; did you mean %(wider)s?")
        % {"number": number, "wider": wider}
    )


def within(networks: Iterable[str], request: HttpRequest) -> bool:
    """Whether a request comes from one of these networks. Who cannot be placed is in none of them."""
    wanted = [ip_network(each) for each in networks]
    if not wanted:
        return True
    address = sender(request)
    return address is not None and any(address in network for network in wanted)


def sender(request: HttpRequest) -> IPv4Address | IPv6Address | None:
    """The address that a request comes from, as the installation's own proxies have written it.

    ``X-Forwarded-For`` is believed from its end only, and no further than ``TRUSTED_PROXIES`` says: what a
    client writes into it itself stands before that. An IPv4 address in IPv6's clothes is the IPv4 one.
    """
    try:
        found = ip_address(address_of(request))
    except (
        ValueError,
        ImproperlyConfigured,
    ):  # a socket without addresses; fewer proxies than said
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found
