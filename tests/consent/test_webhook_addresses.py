"""Where a webhook may lead, and where not."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from consent.errors import InvalidWebhook
from consent.webhook_addresses import check_url, is_allowed, target

REFUSED = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254",
    "0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "::", "::1", "fe80::1",
    "fc00::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::7f00:1",
    "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "2001:0:7f00:1::",
]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_no_private_address_is_allowed(address: str) -> None:
    assert not is_allowed(ip_address(address), private=False)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(ip_address(address), private=False)


def test_a_host_that_may_be_private_is_still_not_link_local(settings: Any) -> None:
    assert is_allowed(ip_address("10.0.0.1"), private=True)
    for address in ("169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "0.0.0.0"):
        assert not is_allowed(ip_address(address), private=True)


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0177.0.0.1", "127.1", "0x7f.0.0.1", "[::1]", "[::ffff:7f00:1]", "localhost"],
)
def test_other_spellings_of_this_machine_are_refused(host: str) -> None:
    with pytest.raises((InvalidWebhook, OSError)):
        target(f"https://{host}/", 0)


@pytest.mark.parametrize(
    "url",
    [
        "http://lab.example.org/", "ftp://lab.example.org/", "https://me:pw@lab.example.org/",
        "https://lab.example.org/#a", "https:///x", "https://lab.example.org:port/", "lab",
        "https://lab.example.org\\@10.0.0.1/", "https://la b.example.org/", "https://läb.example/",
        "https://lab.example.org/\r\nHost: x", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_wrong_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidWebhook):
        check_url(url)


@pytest.mark.parametrize("address", REFUSED)
def test_no_private_address_is_even_taken(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(InvalidWebhook):
        check_url(f"https://{host}/")


@pytest.mark.parametrize(
    "host",
    [
        "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.0.0.1", "127.0.0.1.", "0x7f.1", "1.0x",
        "[fe80::1%25eth0]",
    ],
)  # fmt: skip
def test_no_odd_number_is_even_taken(host: str) -> None:
    with pytest.raises(InvalidWebhook):
        check_url(f"https://{host}/")


@pytest.mark.parametrize(
    "host", ["93.184.216.34", "[2606:2800:220:1::1]", "0x7f.example.org", "1.example"]
)
def test_public_numbers_and_names_with_digits_are_taken(host: str) -> None:
    assert check_url(f"https://{host}/").hostname


def test_the_connection_goes_to_exactly_the_address_that_was_checked() -> None:
    public = target("https://lab.example.org:8443/a?b=c", 0, lambda *_: ["93.184.216.34"])
    assert (public.url, public.host, public.header) == (
        "https://93.184.216.34:8443/a?b=c", "lab.example.org", "lab.example.org:8443",
    )  # fmt: skip
    both = ["2606:2800:220:1::1", "93.184.216.34"]
    urls = [target("https://lab.example.org/", n, lambda *_: both).url for n in range(2)]
    assert urls == ["https://[2606:2800:220:1::1]:443/", "https://93.184.216.34:443/"]
    with pytest.raises(InvalidWebhook):
        target("https://lab.example.org/", 0, lambda *_: ["93.184.216.34", "10.0.0.1"])
