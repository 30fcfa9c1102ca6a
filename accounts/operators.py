"""Making operators, letting them back in, and closing their accounts. Each step is in the log."""

from __future__ import annotations

import json
import secrets
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.errors import AddressTaken, InvalidOperator, LastAdministrator, UnknownOperator
from accounts.models import Role, User
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append


def operators() -> QuerySet[User]:
    """Everybody who works here, the deactivated too."""
    return User.objects.exclude(role=Role.SUBJECT).order_by("date_joined")


def create_operator(actor: Actor, *, email: str, role: Role, password: str) -> User:
    """Make an operator, who has to set up a second factor at the first sign-in.

    Raises InvalidOperator for a malformed address, a data subject's role or a weak password, and
    AddressTaken when another operator has the address.
    """
    try:
        validate_email(email.strip())
        validate_password(password, User(email=email.strip(), role=role))
    except ValidationError as error:
        raise InvalidOperator(" ".join(error.messages)) from None
    if role == Role.SUBJECT:
        raise InvalidOperator(_("Data subjects are invited, not made."))
    try:
        with transaction.atomic():
            user = User.objects.create_operator(email, password, role)
            append(about(Action.OPERATOR_CREATE, actor, user, "create"))
    except IntegrityError:
        raise AddressTaken(_("Another operator has this address.")) from None
    return user


def deactivate_operator(actor: Actor, operator_id: UUID) -> User:
    """Close an operator's account; their open sessions end with it.

    Raises UnknownOperator, and LastAdministrator when nobody could let anybody in again.
    """
    with transaction.atomic():
        # In one order for everybody: two administrators who close each other wait, not deadlock.
        admins = User.objects.filter(role=Role.ADMINISTRATOR, is_active=True).order_by("id")
        others = [admin for admin in admins.select_for_update() if admin.id != operator_id]
        user = lock_operator(operator_id)
        if user.role == Role.ADMINISTRATOR and not others:
            raise LastAdministrator(_("This is the last administrator."))
        if user.is_active:
            user.is_active = False
            user.save(update_fields=["is_active"])
            append(about(Action.OPERATOR_CHANGE, actor, user, "deactivate"))
    return user


def reactivate_operator(actor: Actor, operator_id: UUID) -> User:
    """Open a closed account again; raises UnknownOperator."""
    with transaction.atomic():
        user = lock_operator(operator_id)
        if not user.is_active:
            user.is_active = True
            user.save(update_fields=["is_active"])
            append(about(Action.OPERATOR_CHANGE, actor, user, "reactivate"))
    return user


def reset_sign_in(actor: Actor, operator_id: UUID) -> str:
    """Let an operator in again who lost the password or the second factor.

    Returns a new password, shown once. The old password, all second factors and every open session
    stop working; the operator sets up a new second factor. Raises UnknownOperator.
    """
    password = secrets.token_urlsafe(15)
    with transaction.atomic():
        user = lock_operator(operator_id)
        user.set_password(password)  # open sessions hold a hash of the old one and end here
        user.save(update_fields=["password"])
        Authenticator.objects.filter(user=user).delete()
        append(about(Action.OPERATOR_CHANGE, actor, user, "reset"))
    return password


def about(action: Action, actor: Actor, operator: User, step: str) -> Draft:
    """An entry that names by a random id whose account was made or changed, and says how."""
    told = {"operator": str(operator.id), "role": operator.role, "step": step}
    detail = json.dumps(told, separators=(",", ":")).encode()
    return Draft(action=action, actor=actor.log_name(), detail=detail)


def lock_operator(operator_id: UUID) -> User:
    """The operator's row, locked; raises UnknownOperator."""
    user = operators().select_for_update().filter(id=operator_id).first()
    if user is None:
        raise UnknownOperator(_("There is no such operator."))
    return user
