"""Where somebody unknown is sent to sign in, and where they come back to; the same for every room."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.http import escape_leading_slashes, url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def own_page(request: HttpRequest, address: str) -> str:
    """The path and query of an address of this host, or nothing."""
    try:
        hosts = {request.get_host()}
    except DisallowedHost:  # the page that says so has a language switch, too
        return ""
    if not url_has_allowed_host_and_scheme(address, hosts, require_https=request.is_secure()):
        return ""
    parts = urlsplit(address)
    if not parts.path.startswith("/"):
        return ""
    # A path of "//elsewhere" would be another host by itself.
    return escape_leading_slashes(parts._replace(scheme="", netloc="", fragment="").geturl())


def page_in_view(request: HttpRequest) -> str:
    """The page that somebody looks at, which they can open again: the one whose form was sent, not what
    takes the form; the one that asks by itself how things stand, not the part it asks for.
    """
    if request.headers.get("HX-Request"):
        shown = request.headers.get("HX-Current-URL", "")
    elif request.method in SAFE:
        return request.get_full_path()
    else:
        shown = request.headers.get("Referer", "")
    return own_page(request, shown) or resolve_url("home")


def ask_to_sign_in(request: HttpRequest, door: str = "account_login") -> HttpResponseBase:
    """Send whoever is unknown to a sign-in page and, after it, back to what they were looking at.

    What they wanted to do is not done, and that page says so.
    """
    undone = "" if request.method in SAFE else "?undone=1"
    answer = redirect_to_login(page_in_view(request), resolve_url(door) + undone)
    if request.headers.get("HX-Request"):  # else the sign-in page would land in a part of the page
        return HttpResponseClientRedirect(answer.url)
    return answer
