"""The API of consent requests: asking, watching, asking once more, taking the question back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.actors import actor_of
from accounts.etags import StateView
from accounts.lists import PAGING, asked_for, page_of
from accounts.models import Scope
from accounts.pages import page
from accounts.permissions import HasScope
from accounts.problems import PROBLEMS, Problem, codes
from consent.api import ConsentOutput, StatusFilters, own_purpose
from consent.asking import ask, ask_again, take_back
from consent.models import Purpose, SubjectReference
from consent.people import asking_json, find_person, people_of, with_letters
from consent.request_keys import once

ASKING = (
    "invalid-purpose",
    "already-answered",
    "asked-often-enough",
    "asked-too-soon",
    "invalid-idempotency-key",
    "idempotency-mismatch",
    "idempotency-in-progress",
)
"""With which a question is refused, the first one as well as another letter."""
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="1 to 128 characters of your choice. For a day the same key with the same request "
    "finds what was done instead of doing it again.",
)


class ConsentRequestInput(serializers.Serializer[Any]):
    """Who is asked: the study's own reference, and the person's address if an invitation is to go out."""

    subject = serializers.CharField(max_length=120, help_text="Your own reference for this person.")
    email = serializers.EmailField(
        required=False, help_text="Sealed on arrival; the invitation goes to this address only."
    )


class ConsentRequestOutput(ConsentOutput):
    """A person who was asked, and how. Whether they opened the link or read the notice is not told."""

    asked_at = serializers.DateTimeField(
        allow_null=True, help_text="When they were asked last, by whomever."
    )
    letter_sent_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When the newest letter left; null while it waits, and when an operator hands "
        "the link over.",
    )
    link_until = serializers.DateTimeField(
        allow_null=True,
        help_text="Until when the newest link works unless it was used, which is not told; null: none "
        "works.",
    )
    letters_left = serializers.IntegerField(help_text="How many more letters you may have sent.")
    next_letter_not_before = serializers.DateTimeField(
        allow_null=True, help_text="From when on the next letter may be sent."
    )


def asked_people(purpose: Purpose) -> QuerySet[SubjectReference]:
    """The people of a purpose with how they were asked."""
    return with_letters(people_of(purpose), purpose)


def shown(_request: Request, person: SubjectReference) -> dict[str, Any]:
    """A person as a row of the list."""
    return asking_json(person)


class ConsentRequests(StateView):
    """Ask a person for consent, and list who was asked."""

    permission_classes = (HasScope,)
    scopes = {"GET": Scope.CONSENT_REQUEST, "POST": Scope.CONSENT_REQUEST}

    @extend_schema(
        operation_id="consent_requests_list",
        summary="List who was asked",
        description="Everybody whom your purpose ever asked, newest first. A list makes no entry.",
        parameters=[*PAGING, StatusFilters],
        responses={200: page_of(ConsentRequestOutput), 304: None, 422: Problem, **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """Opaque ids, states and times; no name, no reference, no address."""
        purpose = own_purpose(actor_of(request))
        asked = asked_for(request, StatusFilters)
        return page(request, with_letters(people_of(purpose, asked), purpose), shown)

    @extend_schema(
        operation_id="consent_requests_create",
        summary="Ask a person for consent",
        description="Ask a person for consent to your purpose. With an address the invitation is "
        "sent there and nobody else sees it; without, an operator hands a link over. The link "
        "itself is never in the answer.",
        parameters=[IDEMPOTENCY_KEY],
        request=ConsentRequestInput,
        responses={
            201: ConsentRequestOutput,
            **dict.fromkeys((400, 409, 422, 429), Problem),
            **PROBLEMS,
        },
        extensions=codes("reference-taken", "invalid-reference", *ASKING),
    )
    def post(self, request: Request) -> Response:
        """File the person if they are new, record the request, send the invitation."""
        actor = actor_of(request)
        given = ConsentRequestInput(data=request.data)
        given.is_valid(raise_exception=True)
        purpose = own_purpose(actor)
        reference, email = given.validated_data["subject"], given.validated_data.get("email", "")
        made = once(
            actor,
            request.headers.get("Idempotency-Key"),
            ["ask", reference, email],
            lambda: ask(actor, purpose, reference, email).id,
        )
        person = find_person(asked_people(purpose), made)
        return Response(asking_json(person), status=status.HTTP_201_CREATED)


class ConsentRequestDetail(StateView):
    """One question to one person."""

    permission_classes = (HasScope,)
    scopes = {"GET": Scope.CONSENT_REQUEST}

    @extend_schema(
        operation_id="consent_requests_retrieve",
        description="How a question stands. A state makes no entry: ask again as often as you "
        "like.",
        responses={200: ConsentRequestOutput, 304: None, **PROBLEMS},
    )
    def get(self, request: Request, reference_id: UUID) -> Response:
        """The question by the opaque id of the person."""
        purpose = own_purpose(actor_of(request))
        return Response(asking_json(find_person(asked_people(purpose), reference_id)))


class Resending(APIView):
    """Ask a person once more."""

    permission_classes = (HasScope,)
    scopes = {"POST": Scope.CONSENT_REQUEST}

    @extend_schema(
        operation_id="consent_requests_resend",
        description="Send a new letter with a new link to the address that is filed; the old link "
        "works no more. At most once a day and three times after the first letter, letters of "
        "operators counted; never after an answer.",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses={
            200: ConsentRequestOutput,
            **dict.fromkeys((400, 409, 422, 429), Problem),
            **PROBLEMS,
        },
        extensions=codes("question-taken-back", "no-address", *ASKING),
    )
    def post(self, request: Request, reference_id: UUID) -> Response:
        """A new letter; the answer is the question as it stands then."""
        actor = actor_of(request)
        purpose = own_purpose(actor)
        person = find_person(people_of(purpose), reference_id)

        def send() -> UUID:
            ask_again(actor, person.subject, purpose)
            return person.id

        once(actor, request.headers.get("Idempotency-Key"), ["resend", str(person.id)], send)
        return Response(asking_json(find_person(asked_people(purpose), person.id)))


class Cancelling(APIView):
    """Take a question back."""

    permission_classes = (HasScope,)
    scopes = {"POST": Scope.CONSENT_REQUEST}

    @extend_schema(
        operation_id="consent_requests_cancel",
        description="Take the question back: the link works no more, a letter that waits is "
        "thrown away, and nobody is asked until you ask anew by `POST consent-requests/`. The "
        "person sees it. Doing it again changes nothing; after an answer it is refused.",
        request=None,
        responses={200: ConsentRequestOutput, 409: Problem, **PROBLEMS},
        extensions=codes("already-answered"),
    )
    def post(self, request: Request, reference_id: UUID) -> Response:
        """The question as it stands then."""
        actor = actor_of(request)
        purpose = own_purpose(actor)
        person = find_person(people_of(purpose), reference_id)
        take_back(actor, person.subject, purpose)
        return Response(asking_json(find_person(asked_people(purpose), person.id)))
