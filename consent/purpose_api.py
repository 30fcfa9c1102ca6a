"""The API of purposes: what a client shows a person before it asks, and nothing of how a study is run."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actors import Actor, actor_of
from accounts.addresses import address
from accounts.etags import StateView
from accounts.lists import PAGING, NoFilters, asked_for, page_of
from accounts.pages import page
from accounts.permissions import HasLiveKey
from accounts.problems import NO_KEY, Problem
from consent.api import own_purposes
from consent.errors import NotThere
from consent.models import DataCategory, Notice, Purpose, PurposeState
from consent.notice_pages import Choice, choices_of, page_in

NOT_THERE = OpenApiResponse(Problem, "It does not exist, or it is not yours.")
PREPARING = "preparing"
STATES = {PurposeState.OPEN: "open", PurposeState.CLOSED: "closed"}


class OrganisationOutput(serializers.Serializer[Any]):
    """An organisation that answers for the purpose, or works for one that does."""

    kind = serializers.ChoiceField(choices=["controller", "joint-controller", "processor"])
    name = serializers.CharField()
    address = serializers.CharField()
    contact = serializers.CharField()


class CategoryOutput(serializers.Serializer[Any]):
    """One box of the notice. Never tick one for a person, and never ask for more than one at once."""

    category = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    needed = serializers.BooleanField(help_text="Whether nobody can take part without it.")


class RetentionOutput(serializers.Serializer[Any]):
    """How long what is kept."""

    media_days = serializers.IntegerField(
        allow_null=True, help_text="How long a photograph or film may stay at most."
    )
    media_kept = serializers.BooleanField(
        help_text="Whether it stays after its analysis, with all but the person's head covered."
    )
    result_days = serializers.IntegerField(allow_null=True)
    consent_days = serializers.IntegerField(help_text="When a consent ends by itself.")


class FactOutput(serializers.Serializer[Any]):
    """One line of what everybody should know at a glance."""

    term = serializers.CharField()
    text = serializers.CharField()


class NoticeTextOutput(serializers.Serializer[Any]):
    """The notice in one language, to the letter."""

    language = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    glance = FactOutput(many=True)
    text = serializers.CharField()
    choices = CategoryOutput(many=True)
    change = serializers.CharField(help_text="What is new since the version before; else empty.")
    sha256 = serializers.CharField(help_text="Of the whole page; consents name it.")


class NoticeOutput(serializers.Serializer[Any]):
    """The notice in force."""

    version = serializers.IntegerField()
    published_at = serializers.DateTimeField()
    texts = NoticeTextOutput(many=True)


class PurposeOutput(serializers.Serializer[Any]):
    """A purpose as its notice tells it."""

    id = serializers.UUIDField()
    url = serializers.URLField()
    name = serializers.CharField()
    description = serializers.CharField()
    necessity = serializers.CharField(help_text="Why it takes faces.")
    state = serializers.ChoiceField(
        choices=[PREPARING, *STATES.values()], help_text="People are asked only while it is open."
    )
    opened_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(
        allow_null=True, help_text="Of a closed one: when everything that is left is erased."
    )
    photographs = serializers.BooleanField(help_text="Whether photographs are taken in.")
    films = serializers.BooleanField(help_text="Whether films are taken in.")
    moments_a_second = serializers.IntegerField(
        allow_null=True, help_text="How densely a film is read; 0: every picture."
    )
    categories = CategoryOutput(many=True)
    retention = RetentionOutput()
    minimum_age = serializers.IntegerField(help_text="From which age people say yes alone.")
    children = serializers.BooleanField(help_text="Whether younger ones take part with a guardian.")
    organisations = OrganisationOutput(many=True)
    officer_contact = serializers.CharField()
    authority = serializers.CharField()
    recipients = serializers.ListField(child=serializers.CharField())
    notice = NoticeOutput(allow_null=True)


def with_notices(actor: Actor) -> QuerySet[Purpose]:
    """The one purpose that the client is bound to, with what its notice tells."""
    return own_purposes(actor).prefetch_related("controllers", "notices")


def category_json(choice: Choice) -> dict[str, Any]:
    """A data category in the words of a notice."""
    return {
        "category": choice.value,
        "name": choice.label,
        "description": choice.description,
        "needed": choice.value == DataCategory.MEDIA,
    }


def text_json(notice: Notice) -> dict[str, Any]:
    """The frozen page of a notice in its own language."""
    frozen = page_in(notice, notice.language)
    return {
        "language": notice.language,
        "title": notice.title,
        "summary": notice.summary,
        "glance": [{"term": term, "text": text} for term, text in frozen.glance],
        "text": notice.text,
        "choices": [category_json(choice) for choice in frozen.choices],
        "change": notice.change,
        "sha256": frozen.sha256,
    }


def notice_json(purpose: Purpose) -> dict[str, Any] | None:
    """The newest version in all its languages; None before the first."""
    notices = sorted(purpose.notices.all(), key=lambda each: each.language)
    if not notices:
        return None
    version = max(each.version for each in notices)
    newest = [each for each in notices if each.version == version]
    return {
        "version": version,
        "published_at": newest[0].published_at,
        "texts": [text_json(each) for each in newest],
    }


def purpose_json(request: Request, purpose: Purpose) -> dict[str, Any]:
    """A purpose as the API shows it; who works on it and what was said about it inside is left out."""
    kind = purpose.kind
    return {
        "id": purpose.id,
        "url": address(request, "api_purpose", purpose.id),
        "name": purpose.name,
        "description": purpose.description,
        "necessity": purpose.necessity,
        "state": STATES.get(PurposeState(purpose.state), PREPARING),
        "opened_at": purpose.opened_at,
        "closed_at": purpose.closed_at,
        "ends_at": purpose.ends_at,
        "photographs": kind.takes_photographs,
        "films": kind.takes_films,
        "moments_a_second": purpose.sample_rate if kind.takes_films else None,
        "categories": [category_json(choice) for choice in choices_of(purpose)],
        "retention": {
            "media_days": purpose.media_retention_days,
            "media_kept": purpose.keep_media,
            "result_days": purpose.result_retention_days,
            "consent_days": purpose.consent_validity_days,
        },
        "minimum_age": purpose.minimum_age,
        "children": purpose.guardian_allowed,
        "organisations": [
            {"kind": each.kind, "name": each.name, "address": each.address, "contact": each.contact}
            for each in purpose.controllers.all()
        ],
        "officer_contact": purpose.officer_contact,
        "authority": purpose.authority,
        "recipients": purpose.recipient_list,
        "notice": notice_json(purpose),
    }


class Purposes(StateView):
    """The purposes that your key opens: one."""

    permission_classes = (HasLiveKey,)

    @extend_schema(
        operation_id="purposes_list",
        description="Your own purpose, as a list. Labels of categories follow `Accept-Language`; "
        "the texts of the notice are given in each of its languages. No scope is needed.",
        parameters=PAGING,
        responses={200: page_of(PurposeOutput), 304: None, 404: NOT_THERE, 422: Problem, **NO_KEY},
    )
    def get(self, request: Request) -> Response:
        """One row, or none."""
        asked_for(request, NoFilters)
        return page(request, with_notices(actor_of(request)), purpose_json)


class PurposeDetail(StateView):
    """Your own purpose."""

    permission_classes = (HasLiveKey,)

    @extend_schema(
        operation_id="purposes_retrieve",
        description="What a person must be able to read before they are asked. Show it as it "
        "stands; consent itself is given on the pages of this installation alone. No scope is "
        "needed.",
        responses={200: PurposeOutput, 304: None, 404: NOT_THERE, **NO_KEY},
    )
    def get(self, request: Request, purpose_id: UUID) -> Response:
        """The purpose as its notice tells it."""
        found = with_notices(actor_of(request)).filter(pk=purpose_id).first()
        if found is None:
            raise NotThere("There is no such purpose.")
        return Response(purpose_json(request, found))
