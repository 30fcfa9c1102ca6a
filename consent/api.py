"""The API of people: how the consent of each stands. No name, no reference, no address."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.actors import Actor, actor_of
from accounts.etags import StateView
from accounts.lists import PAGING, Moment, OneOf, asked_for, page_of
from accounts.models import Scope
from accounts.pages import ByChange, ByTime, page
from accounts.permissions import HasScope
from accounts.problems import PROBLEMS, Problem
from consent.errors import NotThere
from consent.models import ConsentStatus, Purpose, SubjectReference
from consent.people import consent_json, find_consent, people_of
from consent.subjects import find_reference


class SubjectInput(serializers.Serializer[Any]):
    """A person by the study's own reference."""

    subject = serializers.CharField(max_length=120, help_text="Your own reference for this person.")


class ConsentOutput(serializers.Serializer[Any]):
    """Where the consent of one person to your purpose stands."""

    id = serializers.UUIDField(help_text="Opaque id of this person in your purpose.")
    purpose = serializers.UUIDField()
    status = serializers.ChoiceField(choices=ConsentStatus.values)
    categories = serializers.ListField(child=serializers.CharField())
    valid_until = serializers.DateTimeField(allow_null=True)
    changed_at = serializers.DateTimeField()


class StatusFilters(serializers.Serializer[Any]):
    """Which people to list."""

    status = OneOf(ConsentStatus.values, required=False)


class SubjectFilters(StatusFilters):
    """Which people to list, by when something changed."""

    changed_after = Moment(required=False, help_text="Not this moment itself.")


def own_purposes(actor: Actor) -> QuerySet[Purpose]:
    """The one purpose that the client is bound to, as a query."""
    return Purpose.objects.filter(pk=actor.purpose_id or UUID(int=0))


def own_purpose_id(actor: Actor) -> UUID:
    """The one purpose that the client is bound to. Raises NotThere for whoever is bound to none."""
    if actor.purpose_id is None:
        raise NotThere("There is no such purpose.")
    return actor.purpose_id


def own_purpose(actor: Actor) -> Purpose:
    """The one purpose that the client is bound to. Raises NotThere."""
    found = own_purposes(actor).first()
    if found is None:
        raise NotThere("There is no such purpose.")
    return found


def person_json(_request: Request, person: SubjectReference) -> dict[str, Any]:
    """A person as a row of the list."""
    return consent_json(person)


class SubjectList(StateView):
    """The people of your purpose."""

    permission_classes = (HasScope,)
    scopes = {"GET": Scope.SUBJECTS_READ}

    @extend_schema(
        operation_id="subjects_list",
        summary="List the people of your purpose",
        description="Everybody whom your purpose ever asked, newest first, by opaque ids; with "
        "`changed_after` in the order of the changes, the oldest first if `order` is left out. To "
        "follow changes turn all pages, then ask with `changed_after` a minute before the latest "
        "`changed_at` that you have seen: a change is dated before it is stored, so an earlier one "
        "may come to light a little later. A list makes no entry.",
        parameters=[*PAGING, SubjectFilters],
        responses={200: page_of(ConsentOutput), 304: None, 422: Problem, **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """One page of them."""
        purpose = own_purpose(actor_of(request))
        asked = asked_for(request, SubjectFilters)
        pages = ByChange if "changed_after" in asked else ByTime
        return page(request, people_of(purpose, asked), person_json, pages)


class Subjects(APIView):
    """Find a person by your own reference. It travels in the body, because addresses are logged."""

    permission_classes = (HasScope,)
    scopes = {"POST": Scope.SUBJECTS_READ}

    @extend_schema(
        operation_id="subjects_find",
        summary="Find a person by your own reference",
        description="The person whom you call so. The reference travels in the body, because "
        "addresses are written down by proxies.",
        request=SubjectInput,
        responses={200: ConsentOutput, 422: Problem, **PROBLEMS},
    )
    def post(self, request: Request) -> Response:
        """The consent state of the person whom you call so."""
        purpose_id = own_purpose_id(actor_of(request))
        given = SubjectInput(data=request.data)
        given.is_valid(raise_exception=True)
        found = find_reference(purpose_id, given.validated_data["subject"])
        return Response(find_consent(purpose_id, found.id))


class SubjectDetail(StateView):
    """One person, by the opaque id that earlier answers gave."""

    permission_classes = (HasScope,)
    scopes = {"GET": Scope.SUBJECTS_READ}

    @extend_schema(
        operation_id="subjects_retrieve",
        summary="Look at a person's consent",
        description="How the consent of one person stands. A state makes no entry: ask as often "
        "as you like.",
        responses={200: ConsentOutput, 304: None, **PROBLEMS},
    )
    def get(self, request: Request, reference_id: UUID) -> Response:
        """The consent state; a state makes no entry."""
        return Response(find_consent(own_purpose_id(actor_of(request)), reference_id))
