"""How a data subject comes in and goes out: invitation, e-mailed code, sign-out."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.actors import actor_of
from accounts.attempts import address_of, begin_attempt, keyed_hash
from accounts.languages import settle_language
from accounts.models import User
from accounts.second_factor import has_second_factor
from accounts.sign_ins import sign_in_subject
from audit_log.ways_in import own_page
from consent.contacts import takes_codes
from consent.errors import InvitationInvalid, SignInFailed
from consent.invitations import find_invitation, redeem
from consent.links_back import may_be_asked
from consent.messages import has_address
from consent.models import ConsentState, DataSubject, Invitation
from consent.sign_in import check_code, send_code
from consent.subject_forms import AddressForm, CodeForm

SIGN_IN, NEXT = "sign_in", "sign_in_next"


def ways_back(subject: DataSubject) -> dict[str, bool]:
    """How this person can sign in again when the session has ended: by code, by passkey, or not.

    ``address``: whether one is filed, also one to which no code goes yet.
    """
    return {
        "code": takes_codes(subject),
        "address": has_address(subject),
        "passkey": subject.user is not None and has_second_factor(subject.user),
    }


@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Opening a link shows what it is; only the button uses it up (mail scanners open links too)."""
    if isinstance(request.user, User) and request.user.is_operator:
        logout_first = {"status": 403, "code": "sign-out-first"}
        message = _("You are signed in as staff. An invitation is for the person it was made for.")
        return render(request, "error.html", logout_first | {"message": message}, status=403)
    try:
        if request.method == "GET":
            found = find_invitation(token)
            shown = {"purpose": found.purpose, "invitation": found, "asks": asks(found)}
            return render(request, "consent/invitation.html", shown)
        user, found = redeem(token)
    except InvitationInvalid as error:
        context = {"status": 410, "code": error.code, "message": str(error)}
        return render(request, "error.html", context, status=410)
    logout(request)
    sign_in_subject(request, user)
    response = (
        redirect("consent_notice", found.purpose_id) if asks(found) else redirect("subject_home")
    )
    settle_language(request, user, response)
    return response


def asks(found: Invitation) -> bool:
    """Whether there is a question for whoever opens this link; else it leads back to their own page."""
    return may_be_asked(
        ConsentState.objects.select_related("purpose").get(
            subject=found.subject_id, purpose=found.purpose_id
        )
    )


def session_id_of(email: str, subject: DataSubject | None) -> str:
    """What the session keeps of the address until the code comes: an opaque id, never the address.

    An unknown address gets an id of the same shape, made from its keyed hash, so that each is counted
    on its own: one counter for all of them would tell, once full, which addresses are known.
    """
    return str(subject.id if subject else UUID(keyed_hash("sign-in", email)[:32]))


@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for the address and send a code; the answer is the same whether it is known or not.

    Whoever is signed in already goes home, unless what they want to do needs a sign-in shortly before.
    """
    again = "again" in request.GET
    if actor_of(request).kind == "subject" and not again:
        return redirect("subject_home")
    form = AddressForm(request.POST or None)
    onward = own_page(request, request.POST.get("next") or request.GET.get("next", ""))
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"]
        attempt = begin_attempt(account=email, address=address_of(request))
        subject = send_code(email)
        attempt.succeed()
        request.session[SIGN_IN] = session_id_of(email, subject)
        request.session[NEXT] = onward
        return redirect("subject_sign_in_code")
    context = {"form": form, "next": onward, "again": again}
    status = 422 if form.errors else 200
    return render(request, "consent/sign_in.html", context, status=status)


@require_http_methods(["GET", "POST"])
def sign_in_code(request: HttpRequest) -> HttpResponse:
    """Take the code."""
    who = request.session.get(SIGN_IN, "")
    if not who:
        return redirect("subject_sign_in")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        attempt = begin_attempt(account=who, address=address_of(request))
        try:
            user = check_code(UUID(who), form.cleaned_data["code"])
        except SignInFailed as failed:
            form.add_error("code", str(failed))
        else:
            attempt.succeed()
            onward = request.session.get(NEXT, "")
            # A new session, not the stranger's: nothing of what was asked before stays in it.
            request.session.flush()
            sign_in_subject(request, user)
            response = redirect(onward or "subject_home")
            settle_language(request, user, response)
            return response
    status = 422 if form.errors else 200
    return render(request, "consent/sign_in_code.html", {"form": form}, status=status)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    messages.success(request, _("You are signed out. This device can no longer open your pages."))
    return redirect("front")
