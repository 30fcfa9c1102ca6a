"""The pages of signing in that differ from django-allauth's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal.auth import STATE_SESSION_KEY
from allauth.mfa.webauthn.internal.flows import signup_authenticator
from allauth.mfa.webauthn.views import AddWebAuthnView, LoginWebAuthnView
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.models import User
from accounts.second_factor import has_second_factor
from accounts.sign_ins import Step, record, signed_in_within
from audit_log.actions import Action
from audit_log.ways_in import own_page

CHALLENGED_AT = "accounts.challenged_at"
FIRST_PASSKEY_SECONDS = 1800
"""After signing in by a code or a link, which is when a notice is read first."""

View = Callable[..., HttpResponseBase]


def recorded(view: View) -> View:
    """Write down a change of second factors in the same transaction as the change itself."""

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = request.user
        if not isinstance(user, User) or request.method != "POST":
            return view(request, *args, **kwargs)
        with transaction.atomic():
            before = means_of(user)
            response = view(request, *args, **kwargs)
            after = means_of(user)
            if after != before:
                step = Step.REMOVE if before - after else Step.ADD
                record(user, Action.AUTHENTICATOR_CHANGE, step)
        return response

    return inner


def means_of(user: User) -> set[int]:
    """The person's second factors and passkeys; differs when one was added or removed."""
    return set(Authenticator.objects.filter(user=user).values_list("id", flat=True))


def not_here(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
    """A page of allauth's that this product does not have."""
    raise Http404


def operators_only(view: View) -> View:
    """Guard a page that has no meaning for a data subject."""

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if isinstance(request.user, User) and not request.user.is_operator:
            raise Http404
        return view(request, *args, **kwargs)

    return inner


def own_challenge(view: View) -> View:
    """Let a passkey's challenge be answered only on the page that made it.

    allauth keeps one for all pages: what a second factor was asked, mildly, could be answered as a sign-in
    by a passkey alone, also after the sign-in that it belonged to was given up.
    """

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        session = request.session
        if session.get(CHALLENGED_AT) != request.path:
            session.pop(STATE_SESSION_KEY, None)
        response = view(request, *args, **kwargs)
        if STATE_SESSION_KEY in session:
            session[CHALLENGED_AT] = request.path
        return response

    return inner


def must_sign_in_anew(request: HttpRequest) -> bool:
    """Whether this data subject's sign-in is long ago, and nothing else shows that it is still them."""
    user = request.user
    if not isinstance(user, User) or user.is_operator or has_second_factor(user):
        return False
    return not signed_in_within(request, FIRST_PASSKEY_SECONDS)


class PasskeySignInView(LoginWebAuthnView):  # type: ignore[misc]  # allauth ships no types
    """A passkey alone, from either sign-in page."""

    def form_invalid(self, form: Any) -> HttpResponse:
        """Back to the page it came from, and to what was wanted there, with what else can be done.

        allauth leads everybody to the page for operators, and speaks of a code.
        """
        referer = self.request.headers.get("Referer", "")
        door = own_page(self.request, referer) or reverse("account_login")
        onward = own_page(self.request, self.request.POST.get("next", ""))
        if onward and "next" not in QueryDict(urlsplit(door).query):
            door += ("&" if "?" in door else "?") + urlencode({"next": onward})
        operators = urlsplit(door).path == reverse("account_login")
        with override("en") if operators else nullcontext():
            messages.error(self.request, self.refusal(form, operators))
        return redirect(door)

    def refusal(self, form: Any, operators: bool) -> str:
        """Why it was refused, and another way in."""
        if form.has_error("credential", "too_many_login_attempts"):
            return str(form.errors["credential"][0])
        if operators:
            return _("Nobody can sign in with this passkey (any more). Use your password.")
        return _(
            "Nobody can sign in with this passkey (any more). Use a code, or ask the study for a new link."
        )


sign_in_with_passkey = PasskeySignInView.as_view()


class AddPasskeyView(AddWebAuthnView):  # type: ignore[misc]  # allauth ships no types
    """Add a passkey. Data subjects get no recovery codes: the e-mailed code is their way back."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send whoever has nothing yet that allauth could ask for to sign in anew, and back here."""
        if must_sign_in_anew(request):
            back = urlencode({"next": request.path, "again": "1"})
            return redirect(f"{reverse('subject_sign_in')}?{back}")
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def form_valid(self, form: Any) -> HttpResponse:
        """File the passkey; ``dispatch`` has made sure that the person signed in recently."""
        user = self.request.user
        if not isinstance(user, User) or user.is_operator:
            response: HttpResponse = super().form_valid(form)
            return response
        data = form.cleaned_data
        signup_authenticator(self.request, user, data["name"], data["credential"])
        return redirect("mfa_list_webauthn")


add_passkey = AddPasskeyView.as_view()
