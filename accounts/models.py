"""Tables of people who sign in, of API clients, and of failed attempts.

A data subject's row says nothing about the person: a random user name, no e-mail address, no name.
Their contact data are sealed in ``consent``.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any, ClassVar

from allauth.account.models import EmailAddress
from django.contrib.auth import get_backends
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7


class Role(models.TextChoices):
    """What a person is here; exactly one each."""

    ADMINISTRATOR = "administrator", _("Administrator")
    RESEARCHER = "researcher", _("Researcher")
    DPO = "dpo", _("Data protection officer")
    SUBJECT = "subject", _("Data subject")


class Scope(models.TextChoices):
    """What an API client may do within its one purpose. Granting consent is not in the list."""

    CONSENT_REQUEST = "consent:request", _("Ask data subjects for consent")
    SUBJECTS_READ = "subjects:read", _("Read the state of a data subject's consent")
    RECORDINGS_UPLOAD = "recordings:upload", _("Upload recordings")
    RECORDINGS_READ = "recordings:read", _("Read the state of recordings and analyses")
    RECORDINGS_ANALYSE = "recordings:analyse", _("Stop analyses and have them done again")
    RESULTS_READ = "results:read", _("Read results")
    RESULTS_EXPORT = "results:export", _("Export the results of many people")
    WEBHOOKS_MANAGE = "webhooks:manage", _("Manage its own webhook")


def random_username() -> str:
    """A user name that says nothing about anybody."""
    return secrets.token_hex(16)


class UserManager(BaseUserManager["User"]):
    """Makes the two kinds of people."""

    def create_operator(self, email: str, password: str, role: Role) -> User:
        """Make an operator's rows; ``accounts.operators`` is the flow that also logs it.

        Raises ValueError for the role of a data subject or an empty address.
        """
        if role == Role.SUBJECT:
            raise ValueError("an operator is an administrator, a researcher or a DPO; got subject")
        if not email.strip():
            raise ValueError("an operator needs an e-mail address; got none")
        user = User(email=email.strip().lower(), role=role)
        user.set_password(password)
        with transaction.atomic():
            user.save(force_insert=True)
            # Whoever makes an operator vouches for the address; nobody signs up here.
            EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
        return user

    def create_subject(
        self, language: str = "", time_zone: str = "", last_login: datetime | None = None
    ) -> User:
        """Make a data subject's row: no address, and no password that could be guessed."""
        user = User(
            role=Role.SUBJECT, language=language, time_zone=time_zone, last_login=last_login
        )
        user.set_unusable_password()
        user.save(force_insert=True)
        return user


class User(AbstractBaseUser):
    """Somebody who signs in: an operator or a data subject."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    username = models.CharField(max_length=32, unique=True, default=random_username, editable=False)
    email = models.EmailField(_("e-mail address"), blank=True)
    role = models.CharField(_("role"), max_length=13, choices=Role)
    language = models.CharField(_("language"), max_length=12, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("email"), condition=~models.Q(email=""), name="one_account_per_address"
            ),
            models.CheckConstraint(
                condition=models.Q(role=Role.SUBJECT, email="")
                | (~models.Q(role=Role.SUBJECT) & ~models.Q(email="")),
                name="address_of_operators_only",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=[role.value for role in Role]), name="role_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.email or f"subject {self.username[:8]}"

    @property
    def is_operator(self) -> bool:
        """Whether this person works here (administrator, researcher or DPO)."""
        return self.role != Role.SUBJECT

    @property
    def is_staff(self) -> bool:
        """Nobody: there is no Django admin site."""
        return False

    @property
    def is_superuser(self) -> bool:
        """Nobody: a role is a list of permissions, and none is unlimited."""
        return False

    def has_perm(self, codename: str, obj: Any = None) -> bool:
        """Whether the person's role allows ``codename`` ("app.verb_thing")."""
        return any(backend.has_perm(self, codename, obj) for backend in get_backends())

    def has_perms(self, codenames: list[str], obj: Any = None) -> bool:
        """Whether the person's role allows all of them."""
        return all(self.has_perm(codename, obj) for codename in codenames)

    def has_module_perms(self, app_label: str) -> bool:
        """Whether the person's role allows anything in an app."""
        return any(
            codename.startswith(f"{app_label}.")
            for backend in get_backends()
            for codename in backend.get_all_permissions(self)
        )


class TrainingCertificate(models.Model):
    """That an operator was taught what the numbers mean; a colleague vouches for it. Rows stay."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    operator = models.ForeignKey(User, models.PROTECT, related_name="certificates")
    title = models.CharField(_("training"), max_length=120)
    valid_until = models.DateTimeField(_("valid until"))
    recorded_at = models.DateTimeField(default=timezone.now, editable=False)
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+", null=True)
    withdrawn_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        indexes = [models.Index(fields=["operator", "valid_until"], name="training_of_operator")]

    def __str__(self) -> str:
        return f"{self.title}, until {self.valid_until:%Y-%m-%d}"


class Entrance(models.Model):
    """A way in for something outside, which ends by itself and can be taken back."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+", null=True)
    expires_at = models.DateTimeField(_("valid until"))
    last_used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True
        ordering = ["created_at"]

    @property
    def is_live(self) -> bool:
        """Whether it is accepted now."""
        return self.revoked_at is None and timezone.now() < self.expires_at


class SharedSecret(Entrance):
    """An entrance for whoever shows a secret. Only a hash of the secret is kept.

    The text is ``<mark>_<prefix>_<secret>``; ``prefix`` finds the row, and may be shown.
    """

    prefix = models.CharField(max_length=12, unique=True, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)

    class Meta(Entrance.Meta):
        abstract = True


class ApiClient(Entrance):
    """A machine with scoped access to one purpose, by any of its live keys.

    ``networks``: from where its keys are accepted, in CIDR form; empty: from anywhere.
    """

    name = models.CharField(_("name"), max_length=120)
    # A plain id: purposes live in a room above this one.
    purpose_id = models.UUIDField(_("purpose"), db_index=True)
    scopes = models.JSONField(_("scopes"), default=list)
    networks = models.JSONField(_("networks"), default=list)

    def __str__(self) -> str:
        return self.name


class ApiKey(SharedSecret):
    """A key of an API client. It is live only while its client is."""

    client = models.ForeignKey(ApiClient, models.PROTECT, related_name="keys")

    def __str__(self) -> str:
        return self.prefix


class AuditorToken(SharedSecret):
    """Lets somebody outside fetch the log's entries to verify them."""

    name = models.CharField(_("name"), max_length=120)

    def __str__(self) -> str:
        return self.name


class Count(models.Model):
    """How often something was done in one stretch of time: ``accounts.counting``.

    The name holds the id of an API client or the prefix of a key, never anything of a person.
    """

    name = models.CharField(max_length=100, primary_key=True)
    period = models.BigIntegerField()
    used = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.name} {self.used}"


class FailedLogin(models.Model):
    """A failed attempt, counted under keyed hashes: of the address typed, and of the IP address.

    And, under one of these again, that a limit was reached and has been written down.
    """

    keyed_hash = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["keyed_hash", "at"], name="failed_login_window")]

    def __str__(self) -> str:
        return f"{self.keyed_hash[:8]} {self.at:%Y-%m-%d %H:%M}"
