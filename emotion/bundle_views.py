"""The page from which a person takes everything about them in one study away."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.views import own_subject
from emotion.bundles import bundle, find_purpose
from emotion.errors import BundleInProgress

TOO_MANY = 429


@require_permission("emotion.export_own_data")
@require_http_methods(["GET", "POST"])
@never_cache
def own_bundle(request: HttpRequest, purpose_id: UUID) -> HttpResponseBase:
    """Say what will be in it; then make it while it is sent."""
    subject = own_subject(request)
    purpose = find_purpose(subject, purpose_id)
    error, status = "", 200
    if request.method == "POST":
        try:
            archive = bundle(actor_of(request), subject, purpose)
        except BundleInProgress as busy:
            error, status = str(busy), TOO_MANY
        else:
            return StreamingHttpResponse(
                archive,
                content_type="application/zip",
                headers={
                    "Content-Disposition": 'attachment; filename="consentry-data.zip"',
                    "Cache-Control": "no-store",
                },
            )
    context = {
        "purpose": purpose,
        "error": error,
        "back_url": reverse("subject_home"),
        "back_label": _("My studies"),
    }
    return render(request, "emotion/bundle.html", context, status=status)
