"""Who may do what: one table in code, a back end that reads it, and a guard for pages.

There are no permission rows. What a role may do is decided in a change that somebody reviews, not
in a database field; the look-ups of each room then limit *which* purposes and people a role sees.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.http import Http404, HttpRequest, HttpResponseBase
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.actors import actor_of
from accounts.models import Role, User
from audit_log.ways_in import ask_to_sign_in

ROLE_PERMISSIONS: dict[Role, frozenset[str]] = {
    Role.ADMINISTRATOR: frozenset(
        {
            "accounts.certify_training",
            "accounts.manage_auditors",
            "accounts.manage_clients",
            "accounts.manage_operators",
            "audit_log.verify_log",
            "audit_log.view_logentry",
            "config.view_health",
            "consent.answer_request",
            "consent.approve_exception",
            "consent.assign_researcher",
            "consent.attest_paper",
            "consent.close_purpose",
            "consent.create_purpose",
            "consent.invite_subject",
            "consent.publish_notice",
            "consent.read_identity",
            "consent.shorten_retention",
            "consent.submit_purpose",
            "consent.view_breaches",
            "consent.view_holds",
            "consent.view_outbox",
            "consent.view_purpose",
            "consent.view_register",
            "consent.view_retention",
            "consent.view_subjects",
            "emotion.cancel_analysis",
            "emotion.choose_models",
            "emotion.erase_recording",
            "emotion.handle_dispute",
            "emotion.view_disputes",
            "emotion.view_keys",
            "consent.write_assessment",
            "emotion.view_recordings",
            "emotion.view_technical_file",
            # Opened only with a stated reason that is in the log first, like every read.
            "emotion.read_result",
        }
    ),
    Role.RESEARCHER: frozenset(
        {
            "consent.attest_paper",
            "consent.invite_subject",
            "consent.view_purpose",
            "consent.view_subjects",
            "emotion.read_media",
            "emotion.analyse_again",
            "emotion.cancel_analysis",
            "emotion.read_result",
            "emotion.upload_recording",
            "emotion.view_disputes",
            "emotion.view_recordings",
            "emotion.view_statistics",
        }
    ),
    # Oversees the others, so decides what opens and what is held, and never sees a result.
    Role.DPO: frozenset(
        {
            "accounts.certify_training",
            "accounts.manage_auditors",
            "audit_log.verify_log",
            "audit_log.view_logentry",
            "consent.answer_request",
            "consent.approve_assessment",
            "consent.approve_exception",
            "consent.close_purpose",
            "consent.open_purpose",
            "consent.place_hold",
            "consent.record_breach",
            "consent.review_purpose",
            "consent.view_breaches",
            "consent.view_holds",
            "consent.view_purpose",
            "consent.view_register",
            "consent.view_retention",
            "emotion.handle_dispute",
            "emotion.view_disputes",
            "emotion.view_keys",
            "emotion.view_technical_file",
        }
    ),
    # Consent is the data subject's own act: these codenames stand in no other row.
    Role.SUBJECT: frozenset(
        {
            "audit_log.view_own_entries",
            "consent.erase_own_data",
            "consent.give_consent",
            "consent.make_request",
            "consent.view_own_consents",
            "consent.withdraw_consent",
            "emotion.dispute_own_recording",
            "emotion.export_own_data",
            "emotion.read_own_result",
            "emotion.upload_own_recording",
            "emotion.view_own_recordings",
        }
    ),
}


class RoleBackend(AuthenticationBackend):  # type: ignore[misc]  # allauth ships no types
    """Signs in by e-mail address and password; permissions come from the table above."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """The codenames of the person's role; none for the inactive and the unknown."""
        if obj is not None or not isinstance(user_obj, User) or not user_obj.is_active:
            return set()
        return set(ROLE_PERMISSIONS[Role(user_obj.role)])

    get_user_permissions = get_all_permissions

    def get_group_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """None: there are no groups."""
        return set()


View = Callable[..., HttpResponseBase]


def require_permission(codename: str) -> Callable[[View], View]:
    """Guard a page: ask who is unknown to sign in, and show everybody else without the right a 404.

    What is not yours does not exist for you. Operators without a second factor never get here:
    ``accounts.second_factor`` keeps them in the pages that set one up.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            user = request.user
            if not isinstance(user, User):
                # A data subject has no password: the operators' page would be a dead end.
                theirs = codename in ROLE_PERMISSIONS[Role.SUBJECT]
                return ask_to_sign_in(request, "subject_sign_in" if theirs else "account_login")
            if not user.has_perm(codename):
                raise Http404
            return view(request, *args, **kwargs)

        return guarded

    return decorate


class HasScope(BasePermission):
    """Guard an API view: the client's key must have the scope that the view names for the method.

    The view says so in ``scopes = {"POST": Scope.RECORDINGS_UPLOAD}``; a method it does not name is
    allowed to nobody.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether the key that signed this request covers it.

        HEAD is GET without its body, unless the view has one of its own.
        """
        if not has_live_key(request, view):
            return False
        scopes: dict[str, str] = getattr(view, "scopes", {})
        method = request.method or ""
        needed = scopes.get(method) or (scopes.get("GET") if method == "HEAD" else None)
        if method == "OPTIONS":  # which methods there are, and which scope each needs
            return True
        return needed is not None and needed in actor_of(request).scopes


class HasLiveKey(BasePermission):
    """Guard an API view that every client may use: to obey an erasure no scope is needed."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether a live key signed this request."""
        return has_live_key(request, view)


def has_live_key(request: Request, view: APIView) -> bool:
    """Whether a live key signed this request.

    Raises MethodNotAllowed for a method that the address does not have: DRF would ask for permission
    first, and answer that nobody may do what nobody can.
    """
    if actor_of(request).kind != "client":
        return False
    if request.method not in view.allowed_methods:
        raise MethodNotAllowed(request.method or "")
    return True
