"""Who may do what, and what is known of whom."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.actors import ANONYMOUS, SYSTEM_KEEPER, SYSTEM_SETUP, actor_for, actor_of
from accounts.attempts import ACCOUNT_LIMIT, begin_attempt
from accounts.errors import (
    AddressTaken,
    InvalidOperator,
    LastAdministrator,
    TooManyAttempts,
    UnknownOperator,
)
from accounts.models import Role, User
from accounts.operators import create_operator, deactivate_operator, reactivate_operator
from accounts.permissions import ROLE_PERMISSIONS
from accounts.second_factor import code_now, enrol_app
from accounts.sign_ins import sign_in_subject
from tests.accounts.conftest import PASSWORD, actions, sign_in

RESULTS = {"emotion.read_result", "emotion.read_media"}


def test_every_role_has_a_row() -> None:
    assert set(ROLE_PERMISSIONS) == set(Role)


def test_dpo_never_gets_results() -> None:
    assert not ROLE_PERMISSIONS[Role.DPO] & RESULTS
    assert "emotion.view_recordings" not in ROLE_PERMISSIONS[Role.DPO]


def test_researcher_never_gets_names_or_the_log() -> None:
    refused = {"consent.read_identity", "audit_log.view_logentry", "consent.view_outbox"}
    assert not ROLE_PERMISSIONS[Role.RESEARCHER] & refused


def test_only_the_subject_consents() -> None:
    for role in set(Role) - {Role.SUBJECT}:
        assert not ROLE_PERMISSIONS[role] & ROLE_PERMISSIONS[Role.SUBJECT]


def test_who_makes_a_purpose_cannot_open_it() -> None:
    both = {"consent.create_purpose", "consent.open_purpose"}
    assert not any(both <= row for row in ROLE_PERMISSIONS.values())


def test_permissions_come_from_the_role(dpo: User, researcher: User) -> None:
    assert dpo.has_perm("consent.open_purpose")
    assert not dpo.has_perm("emotion.read_result")
    assert researcher.has_perms(["emotion.read_result", "emotion.view_recordings"])
    assert not researcher.has_perm("consent.open_purpose")
    assert researcher.has_module_perms("emotion")
    assert not researcher.has_module_perms("audit_log")


def test_a_closed_account_may_nothing(administrator: User, dpo: User) -> None:
    closed = deactivate_operator(actor_for(administrator), dpo.id)
    assert not closed.has_perm("consent.open_purpose")
    assert reactivate_operator(actor_for(administrator), dpo.id).has_perm("consent.open_purpose")


def test_nobody_is_staff_or_superuser(administrator: User) -> None:
    assert not administrator.is_staff
    assert not administrator.is_superuser


def test_guarded_page_asks_a_stranger_to_sign_in(client: Client) -> None:
    answer = client.get("/purposes/open/?x=1")
    assert answer["Location"] == "/account/login/?next=/purposes/open/%3Fx%3D1"


def test_guarded_page_does_not_exist_for_another_role(client: Client, researcher: User) -> None:
    sign_in(client, researcher)
    assert client.get("/purposes/open/").status_code == 404


def test_a_subject_is_known_by_nothing(client: Client) -> None:
    subject = User.objects.create_subject()
    other = User.objects.create_subject()
    assert subject.email == ""
    assert subject.username != other.username
    assert not subject.has_usable_password()
    assert not EmailAddress.objects.exists()
    assert subject.username not in str(subject)


def test_a_subject_with_an_address_is_refused_by_the_database() -> None:
    subject = User.objects.create_subject()
    subject.email = "somebody@example.org"
    with pytest.raises(IntegrityError), transaction.atomic():
        subject.save()


def test_a_subject_keeps_out_of_what_is_for_operators(client: Client) -> None:
    subject = User.objects.create_subject()
    request = RequestFactory().get("/")
    request.session = client.session
    sign_in_subject(request, subject)
    request.session.save()
    client.cookies["consentry_session"] = request.session.session_key
    assert b"home of subject" in client.get("/home/").content
    assert client.get("/purposes/open/").status_code == 404
    for page in ("password/change/", "2fa/totp/activate/", "2fa/recovery-codes/"):
        assert client.get(f"/account/{page}").status_code == 404
    assert client.get("/account/2fa/").status_code == 200
    # Just signed in by a code: may add a passkey without being asked again.
    assert client.get("/account/2fa/webauthn/add/").status_code == 200


def test_operator_is_made_with_entry_and_verified_address(administrator: User) -> None:
    made = create_operator(
        actor_for(administrator), email=" New@Example.org ", role=Role.DPO, password=PASSWORD
    )
    assert made.email == "new@example.org"
    assert actions()[-1] == ("operator:create", "ok", f"operator:{administrator.id}")
    address = EmailAddress.objects.get(user=made)
    assert (address.email, address.verified, address.primary) == ("new@example.org", True, True)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"email": "not an address"}, InvalidOperator),
        ({"password": "short"}, InvalidOperator),
        ({"password": "password1234"}, InvalidOperator),
        ({"role": Role.SUBJECT}, InvalidOperator),
        ({"email": "DORA@example.org"}, AddressTaken),
    ],
)
def test_what_is_no_operator(dpo: User, values: dict[str, Any], error: type[Exception]) -> None:
    before = (User.objects.count(), len(actions()))
    wanted: dict[str, Any] = {"email": "x@example.org", "role": Role.DPO, "password": PASSWORD}
    with pytest.raises(error):
        create_operator(SYSTEM_SETUP, **(wanted | values))
    assert (User.objects.count(), len(actions())) == before


def test_the_last_administrator_stays(administrator: User) -> None:
    with pytest.raises(LastAdministrator):
        deactivate_operator(SYSTEM_SETUP, administrator.id)
    administrator.refresh_from_db()
    assert administrator.is_active


def test_a_subject_is_no_operator_to_close() -> None:
    with pytest.raises(UnknownOperator):
        deactivate_operator(SYSTEM_SETUP, User.objects.create_subject().id)


def test_names_in_the_log(dpo: User) -> None:
    assert actor_for(dpo).log_name() == f"operator:{dpo.id}"
    assert SYSTEM_KEEPER.log_name() == "system:keeper"
    assert ANONYMOUS.log_name() == "anonymous"
    with pytest.raises(ValueError, match="tag"):
        actor_for(User.objects.create_subject()).log_name()


def test_a_request_from_nobody(rf: RequestFactory) -> None:
    assert actor_of(rf.get("/")) == ANONYMOUS


def test_attempts_at_once_cannot_slip_past_together() -> None:
    begun = [begin_attempt(account="x", address=str(number)) for number in range(ACCOUNT_LIMIT)]
    with pytest.raises(TooManyAttempts):
        begin_attempt(account="x", address="other")
    begun[0].succeed()
    begin_attempt(account="X ", address="other")


def test_demo_code_shows_what_the_app_shows(settings: Any, dpo: User, researcher: User) -> None:
    settings.DEMO = True
    secret = enrol_app(dpo)
    out = StringIO()
    with time_machine.travel(timezone.now(), tick=False):
        call_command("demo_code", stdout=out)
        assert out.getvalue().split() == [
            code_now(secret),
            dpo.email,
            "(Data",
            "protection",
            "officer)",
        ]


def test_demo_code_refuses_outside_a_demo(dpo: User) -> None:
    enrol_app(dpo)
    with pytest.raises(CommandError, match="not a demo"):
        call_command("demo_code")


def test_code_is_that_of_rfc_6238(settings: Any) -> None:
    # RFC 6238 appendix B, SHA-1, time 59: 94287082, of which an app shows the last six digits.
    with time_machine.travel(59, tick=False):
        assert code_now("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ") == "287082"
