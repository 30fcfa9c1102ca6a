"""The API of analyses: listing, watching and waiting for them, stopping them, having them done again."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone
from django.utils.cache import patch_vary_headers
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.actors import actor_of
from accounts.etags import StateView
from accounts.lists import LIST_PROBLEMS, PAGING, page_of
from accounts.models import Scope
from accounts.pages import page
from accounts.permissions import HasScope
from accounts.problems import GATE, PROBLEMS, Problem, codes
from emotion.api import ANALYSIS, IDEMPOTENCY_KEY, AnalysisOutput, analysis_json, idempotency_key
from emotion.cancelling import cancel
from emotion.filters import AnalysisFilters, analyses_asked_for
from emotion.models import UNDER_WAY, Analysis
from emotion.reanalysis import analyse_again
from emotion.results import find_analysis
from emotion.waiting import LONGEST, look_again_in, wait_for_the_end, wait_wanted

PREFER = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    description=f"wait=N: the answer comes when the analysis has ended, or after N seconds, {LONGEST} at "
    "most. Preference-Applied says that it was done; when too many wait already it is missing, and the "
    "answer comes at once.",
)


class Analyses(StateView):
    """The analyses of a client's purpose."""

    permission_classes = (HasScope,)
    scopes = {"GET": Scope.RECORDINGS_READ}

    @extend_schema(
        operation_id="analyses_list",
        summary="List analyses",
        description="The analyses of your purpose, newest first.",
        parameters=[AnalysisFilters, *PAGING],
        responses={200: page_of(AnalysisOutput), 304: None, **LIST_PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """One page of them; a state makes no entry."""
        mine = Analysis.objects.visible_to(actor_of(request))
        rows = analyses_asked_for(request, mine).values_list(*ANALYSIS, named=True)
        return page(request, rows, analysis_json)


class AnalysisDetail(StateView):
    """One analysis."""

    permission_classes = (HasScope,)
    scopes = {"GET": Scope.RECORDINGS_READ}

    @extend_schema(
        operation_id="analyses_retrieve",
        summary="Look at an analysis, or wait for it",
        description="Where an analysis stands. While it is not finished, "
        "Retry-After says in how many seconds it is worth looking again.",
        parameters=[PREFER],
        responses={200: AnalysisOutput, 304: None, **PROBLEMS},
    )
    def get(self, request: Request, analysis_id: UUID) -> Response:
        """Its state, at once or when it has ended; polling makes no entry."""
        actor = actor_of(request)
        found, headers = find_analysis(actor, analysis_id), {}
        if seconds := wait_wanted(request.headers.get("Prefer", "")):
            if found.state not in UNDER_WAY or wait_for_the_end(found.id, seconds):
                headers["Preference-Applied"] = f"wait={seconds}"
            found = find_analysis(actor, analysis_id)
        if found.state in UNDER_WAY:
            headers["Retry-After"] = str(look_again_in(found, timezone.now()))
        response = Response(analysis_json(request, found), headers=headers)
        patch_vary_headers(response, ("Prefer",))
        return response


class AnalysisCancel(APIView):
    """Stopping one analysis."""

    permission_classes = (HasScope,)
    scopes = {"POST": Scope.RECORDINGS_ANALYSE}

    @extend_schema(
        operation_id="analyses_cancel",
        summary="Stop an analysis",
        description="Stop an analysis that waits or runs, for good. Media as they came are erased, as "
        "after a failed analysis. Again, it changes nothing.",
        request=None,
        responses={200: AnalysisOutput, 409: Problem, 503: Problem, **PROBLEMS},
        extensions=codes("analysis-ended", *GATE),
    )
    def post(self, request: Request, analysis_id: UUID) -> Response:
        """Stop it; the person sees that, and who did it."""
        return Response(analysis_json(request, cancel(actor_of(request), analysis_id)))


class RecordingAnalyses(APIView):
    """Having a recording analysed once more."""

    permission_classes = (HasScope,)
    scopes = {"POST": Scope.RECORDINGS_ANALYSE}

    @extend_schema(
        operation_id="recordings_analyse",
        summary="Analyse a recording once more",
        description="Have what is kept analysed once more, with the models in use now; the older "
        "result stays.",
        request=None,
        parameters=[IDEMPOTENCY_KEY],
        responses={
            202: AnalysisOutput,
            **dict.fromkeys((400, 409, 410, 415, 422, 503), Problem),
            **PROBLEMS,
        },
        extensions=codes(
            "upload-invalid",
            "parse-error",
            "unsupported-media-type",
            "invalid",
            "idempotency-mismatch",
            "analysis-under-way",
            "erased",
            "too-many-uploads",
            "queue-full",
            *GATE,
        ),
    )
    def post(self, request: Request, recording_id: UUID) -> Response:
        """File another analysis; 202, and it follows."""
        key = idempotency_key(request)
        if request.data:
            raise ValidationError({"": ["Send no body: the models in use now are taken."]})
        made = analyse_again(actor_of(request), recording_id, key)
        body = analysis_json(request, made)
        return Response(
            body, status=status.HTTP_202_ACCEPTED, headers={"Location": str(body["url"])}
        )
