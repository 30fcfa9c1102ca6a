"""Every address of the installation."""

from __future__ import annotations

from django.urls import include, path

from accounts.bundle_views import entry_bundle
from accounts.languages import choose_language
from config import schema_views, views
from config.docs_page import api_docs
from consent.policy_views import policy
from emotion import models_page

urlpatterns = [
    path("", views.front, name="front"),
    path("home/", views.home, name="home"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("retention/", policy, name="retention_policy"),
    path("models/", models_page.page, name="models"),
    path("account/", include("accounts.urls")),
    path("me/", include("consent.urls")),
    path("me/", include("emotion.urls")),
    path("operate/", include("emotion.operator_urls")),
    path("operate/", include("consent.operator_urls")),
    path("operate/", include("accounts.operator_urls")),
    path("log/tile/entries/<path:tile>", entry_bundle, name="log_entries"),
    path("", include("audit_log.urls")),
    path("i18n/setlang/", choose_language, name="set_language"),
    path("api/v1/schema/", schema_views.Schema.as_view(), name="api_schema"),
    path("api/v1/docs/", api_docs, name="api_docs"),
    path("api/v1/", include("accounts.api_urls")),
    path("api/v1/", include("consent.api_urls")),
    path("api/v1/", include("emotion.api_urls")),
]

handler400 = "config.views.bad_request"
handler403 = "config.views.forbidden"
handler404 = "config.views.not_found"
handler500 = "config.views.server_error"
