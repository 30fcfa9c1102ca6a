"""Pages on which colleagues vouch for an operator's training."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actors import actor_of
from accounts.errors import InvalidCertificate, UnknownCertificate
from accounts.models import User
from accounts.permissions import require_permission
from accounts.training import (
    LONGEST,
    certificates_of,
    record_certificate,
    with_training,
    withdraw_certificate,
)
from audit_log.paging import page_of

UNPROCESSABLE = 422
A_YEAR = timedelta(days=365)


class CertificateForm(forms.Form):
    """What somebody was taught, and until when that counts."""

    title = forms.CharField(
        label=gettext_lazy("Training"),
        max_length=120,
        help_text=gettext_lazy(
            "What was taught: what the numbers mean, how often they are wrong and for whom, and what "
            "must not be concluded from them."
        ),
    )
    last_day = forms.DateField(
        label=gettext_lazy("Last day on which it counts"),
        help_text=gettext_lazy("Two years at most."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def end(self) -> datetime:
        """The end of the last day, where the operator is."""
        return timezone.make_aware(datetime.combine(self.cleaned_data["last_day"], time.max))


def in_a_year() -> dict[str, object]:
    """What the form proposes."""
    return {"last_day": timezone.localdate() + A_YEAR}


@require_permission("accounts.certify_training")
@require_safe
def training(request: HttpRequest) -> HttpResponse:
    """Everybody who works here, and until when their training counts."""
    return render(request, "operators/training.html", {"page": page_of(request, with_training())})


def find(operator_id: UUID) -> User:
    """The operator; 404 when there is none who works here."""
    found = with_training().filter(pk=operator_id).first()
    if found is None:
        raise Http404
    return found


@require_permission("accounts.certify_training")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def operator_training(request: HttpRequest, operator_id: UUID) -> HttpResponse:
    """One operator's certificates, and a form for the next."""
    operator = find(operator_id)
    form, status = CertificateForm(request.POST or None, initial=in_a_year()), 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                record_certificate(
                    actor_of(request),
                    operator.id,
                    title=form.cleaned_data["title"],
                    valid_until=form.end(),
                )
            except InvalidCertificate as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("The training of %s is written down.") % operator.email)
                return redirect("operate_operator_training", operator.id)
    today = timezone.localdate()
    form.fields["last_day"].widget.attrs |= {
        "min": today.isoformat(),
        "max": (today + LONGEST - timedelta(days=1)).isoformat(),
    }
    context = {
        "operator": operator,
        "form": form,
        "certificates": certificates_of(operator.id).select_related("recorded_by"),
        "is_me": operator.pk == request.user.pk,
        "now": timezone.now(),
    }
    return render(request, "operators/operator_training.html", context, status=status)


@require_permission("accounts.certify_training")
@require_POST
def certificate_withdraw(request: HttpRequest, certificate_id: UUID) -> HttpResponse:
    """Let a certificate count no longer."""
    try:
        certificate = withdraw_certificate(actor_of(request), certificate_id)
    except UnknownCertificate:
        raise Http404 from None
    messages.success(request, _("The certificate counts no longer."))
    return redirect("operate_operator_training", certificate.operator_id)
