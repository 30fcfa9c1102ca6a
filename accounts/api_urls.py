"""Addresses of the API of a client about itself."""

from __future__ import annotations

from django.urls import path

from accounts import api

urlpatterns = [
    path("client/", api.Self.as_view(), name="api_client"),
    path("client/keys/", api.Keys.as_view(), name="api_client_keys"),
    path("client/keys/<slug:prefix>/", api.KeyDetail.as_view(), name="api_client_key"),
]
