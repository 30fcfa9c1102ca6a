"""The only settings module. Everything that differs between machines comes from the environment.

The defaults are the embedded profile: SQLite, a broker in a folder, sealed files under ``var/`` and
root keys in a folder of their own. ``docs/operating.md`` lists every variable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from config import env

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env.text("CONSENTRY_VAR") or BASE_DIR / "var")
KEYS_DIR = Path(env.text("CONSENTRY_KEYS") or BASE_DIR / "keys")

DEBUG = False  # never a setting: an error page with local variables would show what is sealed
DEMO = env.flag("CONSENTRY_DEMO", False)
SECRET_KEY = env.secret("SECRET_KEY", KEYS_DIR / "secret_key")
SITE_URL = env.address("SITE_URL", "http://localhost:8000")
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")
SECURE = SITE_URL.startswith("https://")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "config",
    "emotion",
    "consent",
    "accounts",
    "vault",
    "audit_log",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.PlainErrors",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.languages.OperatorsReadEnglish",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.second_factor.RequireSecondFactor",
    "accounts.rate_headers.RateHeaders",
    "config.middleware.PlainRefusals",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "config.context.installation",
            ],
        },
    },
]

# Forms are drawn by templates/django/forms/, so that {{ form }} looks like every other form.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# --- databases -------------------------------------------------------------------------------

SQLITE_FILES: dict[str, Path] = {}  # by alias; ``manage.py setup`` makes them
CONN_MAX_AGE = env.number("DATABASE_CONN_MAX_AGE", 60)
LOCK_WAIT = 20  # seconds until a lock that another process holds is a fault
# Pages of SQLite's journal (16 MB) until a commit of the main database writes back what the keeper
# (emotion.journal) has not yet, while everybody waits who wants to write.
JOURNAL_PAGES = 4_000
# Only for whoever sets up or upgrades, never for the three processes: docs/operating.md.
ROLE = r"([a-z_][a-z0-9_]{0,62})?"
DATABASE_OWNER = env.matching("DATABASE_OWNER", "", ROLE, "consentry_owner")
DATABASE_APPLICATION = env.matching("DATABASE_APPLICATION", "", ROLE, "consentry")
if bool(DATABASE_OWNER) != bool(DATABASE_APPLICATION) or (
    DATABASE_OWNER and DATABASE_OWNER == DATABASE_APPLICATION
):
    raise ImproperlyConfigured(
        "DATABASE_OWNER and DATABASE_APPLICATION must name two roles, or neither be set; got "
        f"{DATABASE_OWNER!r} and {DATABASE_APPLICATION!r}"
    )


def database(alias: str, name: str, file: str) -> dict[str, Any]:
    """A Django database entry from a URL variable; SQLite in ``var/`` when it is not set."""
    given = env.url(name, f"sqlite:///{VAR_DIR / file}", ("postgres", "postgresql", "sqlite"))
    entry: dict[str, Any] = environ.Env.db_url_config(given)
    if entry["NAME"] in {"", ":memory:"}:
        raise ImproperlyConfigured(f"{name} must name a database, or a file for sqlite://")
    if "sqlite3" in entry["ENGINE"]:
        SQLITE_FILES[alias] = Path(entry["NAME"]).resolve()
        entry["NAME"] = env.sqlite_name(SQLITE_FILES[alias])
        entry["ENGINE"] = "config.sqlite3"
        pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
        if alias == "default":
            pragmas += f" PRAGMA wal_autocheckpoint={JOURNAL_PAGES};"
        entry["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": LOCK_WAIT,
            "init_command": pragmas,
        }
    else:
        entry["CONN_HEALTH_CHECKS"] = True
        if DATABASE_OWNER:
            entry["OPTIONS"] = {**entry.get("OPTIONS", {}), "assume_role": DATABASE_OWNER}
    # Opening SQLite's files and folding their logs in when the last one closes takes longer than most
    # requests do, and a server's connection is no cheaper.
    entry["CONN_MAX_AGE"] = CONN_MAX_AGE
    # Permits and log receipts depend on when exactly a commit happens.
    entry["ATOMIC_REQUESTS"] = False
    return entry


DATABASES = {
    "default": database("default", "DATABASE_URL", "consentry.sqlite3"),
    "keystore": database("keystore", "KEYSTORE_URL", "keystore.sqlite3"),
}
DATABASE_ROUTERS = ["vault.routing.KeystoreRouter"]
# SQLite leaves out the columns that the log's indexes include: it reads the rows instead.
SILENCED_SYSTEM_CHECKS = ["models.W040"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- epoch keys: files in KEYS_DIR, or a Transit engine ---------------------------------------

TRANSIT_URL = env.key_server("TRANSIT_URL")
TRANSIT_TOKEN_FILE = Path(env.text("TRANSIT_TOKEN_FILE") or KEYS_DIR / "transit_token")
TRANSIT_NAMESPACE = env.matching("TRANSIT_NAMESPACE", "", r"[\w.-]*(/[\w.-]+)*/?", "team/study")

BACKUP_RECIPIENT = env.matching(
    "BACKUP_RECIPIENT", "", r"(age1[a-z0-9]{58})?", "age1… (age-keygen)"
)

CACHE_URL = env.url("CACHE_URL", "", ("redis", "rediss"))
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CACHE_URL,
    }
    if CACHE_URL
    else {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "django_cache",
    }
}

# --- queue -----------------------------------------------------------------------------------

BROKER_DIR = VAR_DIR / "broker"
CELERY_BROKER_URL = env.url(
    "CELERY_BROKER_URL", "filesystem://", ("filesystem", "amqp", "amqps", "redis", "rediss")
)
if CELERY_BROKER_URL.startswith("filesystem"):
    CELERY_BROKER_TRANSPORT = "config.strange_messages:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER_DIR / "queue"),
        "data_folder_out": str(BROKER_DIR / "queue"),
        "processed_folder": str(BROKER_DIR / "processed"),
        "control_folder": str(BROKER_DIR / "control"),
        "polling_interval": 0.1,
    }
elif CELERY_BROKER_URL.startswith("amqp"):
    CELERY_TASK_DEFAULT_QUEUE_TYPE = "quorum"
    CELERY_BROKER_TRANSPORT_OPTIONS = {"confirm_publish": True}
EXECUTION_PROVIDER = env.one_of("EXECUTION_PROVIDER", "cpu", ("cpu", "openvino", "cuda"))
CELERY_WORKER_PREFETCH_MULTIPLIER = 4
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True  # the row is the result; there is no result backend
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = env.matching(
    "CELERY_QUEUE", "consentry", r"[A-Za-z0-9_-]{1,100}", "consentry-2"
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Nothing asks for it. With it whoever reaches the broker could stop workers and read their settings, and
# two workers of one machine on one RabbitMQ would claim the same queue for it, of which the second dies.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
# For whoever listens to them with `celery worker -E`: not those of another installation on the same broker.
CELERY_EVENT_EXCHANGE = f"{CELERY_TASK_DEFAULT_QUEUE}-events"
# RabbitMQ closes the channel of whoever has kept a message for half an hour, as a worker does that reads a
# long film. It comes back then; without this it would take no more messages, and end after the film.
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
# On Redis and RabbitMQ Celery kills a new process of its pool that has not come up after 4 s, and starts
# another. To load the models takes longer on a machine with other work, so none would ever come up.
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 120.0
CELERY_TASK_PUBLISH_RETRY = False  # a failed hint is harmless: the keeper finds the row

# --- people ----------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "front"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
AUTHENTICATION_BACKENDS = ["accounts.permissions.RoleBackend"]
SUBJECT_SIGN_IN_RECORDER = "consent.sign_in.record_sign_in"
ALLAUTH_TRUSTED_PROXY_COUNT = env.number("TRUSTED_PROXIES", 0)
ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = [
    "email*",
    "password1*",
]  # there is no sign-up; allauth checks the two agree
ACCOUNT_EMAIL_VERIFICATION = "none"  # whoever makes an operator vouches for the address
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = "Consentry: "
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_FORMS = {
    "login": "accounts.forms.SignInForm",
    "reset_password": "accounts.forms.RequestPasswordForm",
}
# Attempts are counted by accounts.attempts. What allauth still counts by itself it counts under a
# keyed hash of the network address, or by user id; its counters by bare e-mail hash are off.
ACCOUNT_RATE_LIMITS = {"login_failed": "20/15m/key", "reset_password": "20/h/ip"}
MFA_ADAPTER = "accounts.adapters.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "Consentry"
MFA_TOTP_TOLERANCE = 1
MFA_FORMS = {
    "authenticate": "accounts.forms.SecondFactorForm",
    "reauthenticate": "accounts.forms.ConfirmCodeForm",
    "activate_totp": "accounts.forms.ActivateAppForm",
    "add_webauthn": "accounts.passkeys.AddPasskeyForm",
    "edit_webauthn": "accounts.passkeys.RenamePasskeyForm",
    "login_webauthn": "accounts.passkeys.PasskeySignInForm",
    "authenticate_webauthn": "accounts.passkeys.SecondFactorPasskeyForm",
    "reauthenticate_webauthn": "accounts.passkeys.ConfirmPasskeyForm",
}
SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = env.number("SESSION_HOURS", 12, least=1) * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_NAME = "__Host-session" if SECURE else "consentry_session"
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE else "consentry_csrf"
CSRF_FAILURE_VIEW = "config.views.csrf_failure"

# --- what a browser may do ---------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "media-src": [SELF, "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_SSL_REDIRECT = SECURE
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("BEHIND_TLS_PROXY", SECURE) else None
)

# --- uploads -----------------------------------------------------------------------------------

# Django's own handlers spool large files to disk in plain. Media are read as a stream by
# emotion.intake and nowhere else; a file that arrives at any other page is refused.
FILE_UPLOAD_HANDLERS = ["emotion.intake.RefuseFiles"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
PHOTO_MAX_BYTES = env.number("PHOTO_MAX_MB", 20, least=1) * 1024 * 1024
FILM_MAX_BYTES = env.number("FILM_MAX_MB", 500, least=1) * 1024 * 1024
FILM_MAX_SECONDS = env.number("FILM_MAX_MINUTES", 120, least=1) * 60
BATCH_MAX = env.number("BATCH_MAX", 100, least=1)
EXPORT_HOURS = env.number("EXPORT_HOURS", 24, least=1)
UPLOAD_SECONDS = env.number("UPLOAD_HOURS", 24, least=1) * 3600  # for one that comes in parts
UPLOADS_UNFINISHED = env.number("UPLOADS_UNFINISHED", 20, least=1)  # of one sender
UPLOAD_PART_BYTES = env.number("UPLOAD_PART_MB", 8, least=1) * 1024 * 1024
BLOB_DIR = VAR_DIR / "blobs"
MODELS_DIR = VAR_DIR / "models"
HELP_LINES_FILE = Path(env.text("HELP_LINES_FILE") or BASE_DIR / "emotion" / "help_lines.json")

# --- language, time, static files --------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [
    ("en", _("English")),
    ("zh-hans", _("Simplified Chinese")),
    ("es", _("Spanish")),
    ("de", _("German")),
]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600  # a preference, not a session: it names nobody
LANGUAGE_COOKIE_SECURE = SECURE
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
USE_I18N = USE_TZ = True
TIME_ZONE = env.time_zone("TIME_ZONE", "UTC")
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- e-mail --------------------------------------------------------------------------------------

# Unset: messages wait in the outbox. Django's other backends would write letters down in plain.
EMAIL_URL = env.url("EMAIL_URL", "", ("smtp", "smtps", "smtp+tls", "smtp+ssl"))
if EMAIL_URL:
    vars().update(environ.Env.email_url_config(EMAIL_URL))
    # Seconds: a server that accepts and says nothing would be waited for without an end.
    EMAIL_TIMEOUT = 10
else:
    EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
DEFAULT_FROM_EMAIL = env.mailbox("EMAIL_FROM", "consentry@localhost")

# --- webhooks ------------------------------------------------------------------------------------

# Hosts that may have private addresses, and may be asked without TLS; everything else must be public.
WEBHOOK_PRIVATE_HOSTS = (
    env.matching(
        "WEBHOOK_PRIVATE_HOSTS", "", r"([\w.:-]+(, *[\w.:-]+)*)?", "lab.example.org,10.0.0.5"
    )
    .lower()
    .replace(",", " ")
    .split()
)

# --- access log ----------------------------------------------------------------------------------

# Whom to ask to cosign the log's checkpoints, and how many must (C2SP tlog-policy); unset: nobody.
LOG_WITNESS_POLICY = env.text("LOG_WITNESS_POLICY")

# --- API -----------------------------------------------------------------------------------------

API_RATE = env.matching(  # of one client
    "API_RATE", "3000/min", r"[1-9][0-9]{0,8}/(s|sec|second|m|min|minute|h|hour|d|day)", "3000/min"
)
CLIENT_ANALYSES_PER_DAY = env.number("CLIENT_ANALYSES_PER_DAY", 20_000, least=1)
CLIENT_UPLOADS_AT_ONCE = env.number("CLIENT_UPLOADS_AT_ONCE", 4, least=1)
SUBJECT_UPLOADS_PER_HOUR = env.number("SUBJECT_UPLOADS_PER_HOUR", 1000, least=1)
QUEUE_AT_MOST = env.number("QUEUE_AT_MOST", 2000, least=1)  # analyses that wait
# Of each process; a quarter of them may hold an answer back (``Prefer: wait``).
WEB_THREADS = env.number("CONSENTRY_WEB_THREADS", 4, least=1)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "accounts.accepting.ByTheRenderers",
    "DEFAULT_PARSER_CLASSES": ["accounts.parsers.JsonParser"],
    "DEFAULT_METADATA_CLASS": "accounts.options.MethodsAndScopes",
    "DEFAULT_SCHEMA_CLASS": "accounts.schema.OperationSchema",
    "EXCEPTION_HANDLER": "config.errors.problem_details",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Consentry",
    "DESCRIPTION": "Consent-gated facial-expression analytics.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "PREPROCESSING_HOOKS": ["config.schema.with_heads"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.schema.finish",
    ],
}

# --- logs: no request line, no query string, no body ---------------------------------------------

LOG_LEVEL = env.one_of("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "filters": {"unknown_tasks": {"()": "config.strange_messages.UnknownTasks"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["unknown_tasks"],
        }
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django.request": {"level": "CRITICAL"},
        "django.security": {"level": "CRITICAL"},
        "fido2": {"level": "WARNING"},  # else a line for each passkey, with its number
        "httpx": {"level": "WARNING"},  # else a line for each webhook, with its whole address
    },
}
