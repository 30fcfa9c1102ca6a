"""The pages under test, beside three that stand for the rest of the installation."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.actors import actor_of
from accounts.models import Scope
from accounts.permissions import HasScope, require_permission


@require_permission("consent.open_purpose")
def open_purpose(request: HttpRequest) -> HttpResponse:
    return HttpResponse("for the DPO")


def home(request: HttpRequest) -> HttpResponse:
    icon = '<!doctype html><link rel="icon" href="data:,">'  # else a browser asks for one
    return HttpResponse(f"{icon}home of {actor_of(request).kind}")


class Results(APIView):
    permission_classes = [HasScope]
    scopes = {"GET": Scope.RESULTS_READ}

    def get(self, request: Request) -> Response:
        actor = actor_of(request)
        return Response({"actor": actor.log_name(), "purpose": str(actor.purpose_id)})

    def post(self, request: Request) -> Response:
        return Response({})


urlpatterns = [
    path("", home, name="front"),
    path("home/", home, name="home"),
    path("purposes/open/", open_purpose, name="open"),
    path("api/v1/results/", Results.as_view()),
    path("account/", include("accounts.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
]
