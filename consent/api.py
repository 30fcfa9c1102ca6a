"""The API of consent: a client can ask for it, watch it and be refused; it can never give it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.actors import Actor, actor_of
from accounts.models import Scope
from accounts.permissions import HasScope
from consent.errors import InvalidPurpose, UnknownSubject
from consent.invitations import send_invitation
from consent.models import ConsentState, Purpose, PurposeState, SubjectReference
from consent.records import record_request
from consent.subjects import find_reference, register_subject


class ConsentRequestInput(serializers.Serializer[Any]):
    """Who is asked: the study's own reference, and the person's address if an invitation is to go out."""

    subject = serializers.CharField(max_length=120, help_text="Your own reference for this person.")
    email = serializers.EmailField(
        required=False, help_text="Sealed on arrival; the invitation goes to this address only."
    )


class SubjectInput(serializers.Serializer[Any]):
    """A person by the study's own reference."""

    subject = serializers.CharField(max_length=120, help_text="Your own reference for this person.")


class ConsentOutput(serializers.Serializer[Any]):
    """Where the consent of one person to your purpose stands."""

    id = serializers.UUIDField(help_text="Opaque id of this person in your purpose.")
    purpose = serializers.UUIDField()
    status = serializers.ChoiceField(
        choices=["requested", "given", "refused", "withdrawn", "expired"]
    )
    categories = serializers.ListField(child=serializers.CharField())
    valid_until = serializers.DateTimeField(allow_null=True)
    changed_at = serializers.DateTimeField()


class Problem(serializers.Serializer[Any]):
    """An error: RFC 9457 problem details with a stable code."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()


PROBLEMS = {
    401: OpenApiResponse(Problem, "No key, or not a live one."),
    403: OpenApiResponse(Problem, "The key lacks the scope."),
    404: OpenApiResponse(Problem, "It does not exist, or it is not yours."),
}


def own_purpose(actor: Actor) -> Purpose:
    """The one purpose that the client is bound to."""
    found = Purpose.objects.filter(pk=actor.purpose_id or UUID(int=0)).first()
    if found is None:
        raise UnknownSubject("There is no such purpose.")
    return found


def consent_of(reference: SubjectReference) -> dict[str, Any]:
    """The consent state of a filed person, by the purpose's opaque id."""
    state = ConsentState.objects.get(
        subject_id=reference.subject_id, purpose_id=reference.purpose_id
    )
    return {
        "id": reference.id,
        "purpose": reference.purpose_id,
        "status": state.status,
        "categories": state.categories,
        "valid_until": state.valid_until,
        "changed_at": state.changed_at,
    }


class ConsentRequests(APIView):
    """Ask a person for consent."""

    permission_classes = (HasScope,)
    scopes = {"POST": Scope.CONSENT_REQUEST}

    @extend_schema(
        operation_id="consent_requests_create",
        description="Ask a person for consent to your purpose. With an address the invitation is "
        "sent there; without, an operator hands it over. The link itself is never in the answer.",
        request=ConsentRequestInput,
        responses={201: ConsentOutput, 409: Problem, 422: Problem, **PROBLEMS},
    )
    def post(self, request: Request) -> Response:
        """File the person if they are new, record the request, send the invitation."""
        actor = actor_of(request)
        given = ConsentRequestInput(data=request.data)
        given.is_valid(raise_exception=True)
        purpose = own_purpose(actor)
        if purpose.state != PurposeState.OPEN:
            raise InvalidPurpose("This purpose is not open; nobody can be asked now.")
        email = given.validated_data.get("email", "")
        subject = register_subject(
            actor, purpose, reference=given.validated_data["subject"], email=email
        )
        if email:
            send_invitation(actor, subject, purpose)
        else:
            record_request(actor, subject, purpose, "operator")
        reference = SubjectReference.objects.get(subject=subject, purpose=purpose)
        return Response(consent_of(reference), status=status.HTTP_201_CREATED)


class Subjects(APIView):
    """Find a person by your own reference. It travels in the body, because addresses are logged."""

    permission_classes = (HasScope,)
    scopes = {"POST": Scope.SUBJECTS_READ}

    @extend_schema(
        operation_id="subjects_find",
        request=SubjectInput,
        responses={200: ConsentOutput, 422: Problem, **PROBLEMS},
    )
    def post(self, request: Request) -> Response:
        """The consent state of the person whom you call so."""
        actor = actor_of(request)
        given = SubjectInput(data=request.data)
        given.is_valid(raise_exception=True)
        found = find_reference(own_purpose(actor).id, given.validated_data["subject"])
        return Response(consent_of(found))


class SubjectDetail(APIView):
    """One person, by the opaque id that earlier answers gave."""

    permission_classes = (HasScope,)
    scopes = {"GET": Scope.SUBJECTS_READ}

    @extend_schema(operation_id="subjects_retrieve", responses={200: ConsentOutput, **PROBLEMS})
    def get(self, request: Request, reference_id: UUID) -> Response:
        """The consent state; a state makes no entry."""
        actor = actor_of(request)
        found = SubjectReference.objects.filter(pk=reference_id, purpose=own_purpose(actor)).first()
        if found is None:
            raise UnknownSubject("No data subject with this id in this purpose.")
        return Response(consent_of(found))
