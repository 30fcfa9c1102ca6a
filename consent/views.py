"""The data subject's pages: invitation, notice, choices, home, withdrawal, who looked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import logout
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.actors import actor_of
from accounts.attempts import address_of, begin_attempt
from accounts.models import User
from accounts.permissions import require_permission
from accounts.sign_ins import sign_in_subject
from audit_log.models import Checkpoint
from audit_log.receipts import receipt_document
from audit_log.signing import verifier_key
from consent.errors import ConsentError, InvitationInvalid, SignInFailed
from consent.history import access_history, find_own_entry
from consent.invitations import find_invitation, redeem
from consent.models import (
    ConsentEvent,
    ConsentState,
    ConsentStatus,
    DataCategory,
    DataSubject,
    ErasureRequest,
    EventKind,
    Purpose,
)
from consent.receipts import consent_receipt, erasure_receipt
from consent.records import give_consent, notice_in_force, record_notice_shown, refuse_consent
from consent.sign_in import check_code, send_code
from consent.subject_forms import AddressForm, CodeForm
from consent.withdrawals import withdraw

SIGN_IN, UNKNOWN = "sign_in", "unknown"


def own_subject(request: HttpRequest) -> DataSubject:
    """The data subject who is signed in; 404 for anybody else."""
    user = request.user
    subject = DataSubject.objects.filter(user=user).first() if isinstance(user, User) else None
    if subject is None:
        raise Http404
    return subject


def own_state(request: HttpRequest, purpose_id: UUID) -> ConsentState:
    """The signed-in person's state in a purpose that has asked them; 404 otherwise."""
    state = (
        ConsentState.objects.select_related("purpose", "notice", "event")
        .filter(subject=own_subject(request), purpose_id=purpose_id)
        .first()
    )
    if state is None:
        raise Http404
    return state


def category_choices(purpose: Purpose) -> list[dict[str, Any]]:
    """The choices on the notice page, in the purpose's order; none is ticked."""
    labels = dict(DataCategory.choices)
    helps = {
        DataCategory.MEDIA: _("Needed to take part. Sealed on arrival, never shown to others."),
        DataCategory.EXPRESSION: _("What the face shows, in seven classes. Not what you feel."),
        DataCategory.BLENDSHAPES: _("How far muscles move, for instance the corners of the mouth."),
    }
    return [
        {
            "value": category,
            "label": labels[category],
            "description": helps[DataCategory(category)],
        }
        for category in purpose.categories
    ]


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
            shown = {"purpose": found.purpose, "invitation": found}
            return render(request, "consent/invitation.html", shown)
        user, found = redeem(token)
    except InvitationInvalid as error:
        context = {"status": 410, "code": error.code, "message": str(error)}
        return render(request, "error.html", context, status=410)
    logout(request)
    sign_in_subject(request, user)
    return redirect("consent_notice", found.purpose_id)


@require_permission("consent.give_consent")
@require_http_methods(["GET", "POST"])
def notice(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """The notice in layers and the separate, unticked choices."""
    state = own_state(request, purpose_id)
    actor, subject = actor_of(request), own_subject(request)
    shown = notice_in_force(state.purpose, get_language() or settings.LANGUAGE_CODE)
    error, chosen = "", list[str]()
    if request.method == "POST":
        try:
            if request.POST.get("decision") == "refuse":
                refuse_consent(actor, subject, shown)
                return redirect("consent_done", purpose_id)
            chosen = request.POST.getlist("categories")
            if request.POST.get("notice") != str(shown.id):
                error = _("The notice has changed since you opened it. Please read it again.")
            else:
                give_consent(actor, subject, shown, chosen)
                return redirect("consent_done", purpose_id)
        except ConsentError as refused:
            error = str(refused)
    else:
        record_notice_shown(actor, subject, shown)
    context = {
        "purpose": state.purpose,
        "notice": shown,
        "state": state,
        "choices": category_choices(state.purpose),
        "chosen": chosen,
        "error": error,
    }
    return render(request, "consent/notice.html", context, status=422 if error else 200)


@require_permission("consent.view_own_consents")
@require_GET
def done(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """What was decided, and the receipt."""
    state = own_state(request, purpose_id)
    if state.status not in {ConsentStatus.GIVEN, ConsentStatus.REFUSED} or state.event is None:
        return redirect("subject_home")
    given = state.status == ConsentStatus.GIVEN
    labels = dict(DataCategory.choices)
    context = {
        "purpose": state.purpose,
        "given": given,
        "granted": [labels[category] for category in state.categories],
        "declined": [
            labels[category]
            for category in state.purpose.categories
            if given and category not in state.categories
        ],
        "event": state.event,
        "valid_until": state.valid_until,
        "notice": state.notice,
        "receipt_url": reverse("consent_receipt", args=[state.event.id]),
        "upload_url": reverse("upload", args=[purpose_id]) if given else "",
    }
    return render(request, "consent/consent_done.html", context)


@require_permission("consent.withdraw_consent")
@require_http_methods(["GET", "POST"])
def withdraw_page(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """What will happen, in plain words, and one button."""
    state = own_state(request, purpose_id)
    if request.method == "POST":
        request_made = withdraw(actor_of(request), own_subject(request), state.purpose)
        return redirect("erasure", request_made.id)
    return render(request, "consent/withdraw.html", {"purpose": state.purpose, "state": state})


def own_erasure(request: HttpRequest, erasure_id: UUID) -> ErasureRequest:
    """One of the signed-in person's erasures; 404 otherwise."""
    found = (
        ErasureRequest.objects.select_related("purpose")
        .filter(pk=erasure_id, subject=own_subject(request))
        .first()
    )
    if found is None:
        raise Http404
    return found


@require_permission("consent.view_own_consents")
@require_GET
def erasure(request: HttpRequest, erasure_id: UUID) -> HttpResponse:
    """How far an erasure is."""
    found = own_erasure(request, erasure_id)
    context = {
        "erasure": found,
        "purpose": found.purpose,
        "progress_url": reverse("erasure", args=[found.id]),
        "receipt_url": reverse("erasure_receipt", args=[found.id]),
    }
    page = "erasure_progress" if request.headers.get("HX-Request") else "erasure"
    return render(request, f"consent/{page}.html", context)


def download(document: dict[str, Any], name: str) -> JsonResponse:
    """A JSON document to keep."""
    response = JsonResponse(document, json_dumps_params={"indent": 2})
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_permission("consent.view_own_consents")
@require_GET
def erasure_receipt_file(request: HttpRequest, erasure_id: UUID) -> HttpResponse:
    """The erasure receipt with its proofs."""
    return download(erasure_receipt(own_erasure(request, erasure_id)), "erasure-receipt.json")


@require_permission("consent.view_own_consents")
@require_GET
def consent_receipt_file(request: HttpRequest, event_id: UUID) -> HttpResponse:
    """The receipt of one consent event."""
    kinds = [EventKind.GIVEN, EventKind.REFUSED, EventKind.WITHDRAWN, EventKind.EXPIRED]
    event = (
        ConsentEvent.objects.select_related("purpose", "notice")
        .filter(pk=event_id, subject=own_subject(request), kind__in=kinds)
        .first()
    )
    if event is None:
        raise Http404
    return download(consent_receipt(event), "consent-receipt.json")


@require_permission("audit_log.view_own_entries")
@require_GET
def access(request: HttpRequest) -> HttpResponse:
    """Who looked, and why: every entry about me."""
    accesses = access_history(own_subject(request))
    only_looks = bool(request.GET.get("looks"))
    newest = Checkpoint.objects.order_by("-size").first()
    context = {
        "accesses": [a for a in accesses if a.is_look] if only_looks else accesses,
        "only_looks": only_looks,
        "checkpoint": newest,
        "verifier_key": verifier_key(),
        "verifier_url": reverse("verifier"),
    }
    return render(request, "consent/access_history.html", context)


@require_GET
def verifier(request: HttpRequest) -> HttpResponse:
    """The one-file verifier, for anybody."""
    path = settings.BASE_DIR / "tools" / "verify_access_log.py"
    response = HttpResponse(path.read_bytes(), content_type="text/x-python; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="verify_access_log.py"'
    return response


@require_permission("audit_log.view_own_entries")
@require_GET
def access_proof(request: HttpRequest, entry_id: UUID) -> HttpResponse:
    """One entry with its inclusion proof, to be checked with the one-file verifier."""
    found = find_own_entry(own_subject(request), entry_id)
    if found is None:
        raise Http404
    return download(receipt_document([found.entry_id]), f"access-{found.index}.json")


@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for the address and send a code; the answer is the same whether it is known or not."""
    form = AddressForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"]
        attempt = begin_attempt(account=email, address=address_of(request))
        subject = send_code(email)
        attempt.succeed()
        # The session is a row in the database: it may name an opaque id, never an address.
        request.session[SIGN_IN] = str(subject.id) if subject else UNKNOWN
        return redirect("subject_sign_in_code")
    return render(request, "consent/sign_in.html", {"form": form})


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
            known = None if who == UNKNOWN else UUID(who)
            user = check_code(known, form.cleaned_data["code"])
        except SignInFailed as failed:
            form.add_error("code", str(failed))
        else:
            attempt.succeed()
            del request.session[SIGN_IN]
            sign_in_subject(request, user)
            return redirect("subject_home")
    status = 422 if form.errors else 200
    return render(request, "consent/sign_in_code.html", {"form": form}, status=status)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect("front")
