"""Every setting of the process, read once from the environment.

What differs between machines is an environment variable; what differs between shops is a row
(`members.models.Programme`, earn rules, policies). In production the process refuses to start
with a development secret, DEBUG or a wildcard host.
"""

import logging
import re
from datetime import timedelta
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured
from kombu import Queue

from config import embedded, logs
from config.admin import look

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = BASE_DIR / ".cairn"

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

# --- What kind of process this is -------------------------------------------------------------
ENVIRONMENT = env.str("CAIRN_ENV", default="development")
if ENVIRONMENT not in {"development", "production"}:
    raise ImproperlyConfigured("CAIRN_ENV is 'development' or 'production'.")
IS_PRODUCTION = ENVIRONMENT == "production"

DEVELOPMENT_KEY = "development-only-key-never-for-production-0123456789abcdefghij"
SECRET_KEY = env.str("SECRET_KEY", default=DEVELOPMENT_KEY)
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", "testserver"])
PUBLIC_URL = env.str("PUBLIC_URL", default=f"http://localhost:{env.int('PORT', default=8000)}")

if IS_PRODUCTION:
    if SECRET_KEY == DEVELOPMENT_KEY or len(SECRET_KEY) < 50:
        raise ImproperlyConfigured(
            "SECRET_KEY must be set to at least 50 random characters in production."
        )
    if DEBUG:
        raise ImproperlyConfigured("DEBUG must be off in production.")
    if "ALLOWED_HOSTS" not in env or any("*" in host for host in ALLOWED_HOSTS):
        raise ImproperlyConfigured("ALLOWED_HOSTS must name the hosts served in production.")
    if not PUBLIC_URL.startswith("https://"):
        raise ImproperlyConfigured("PUBLIC_URL must be the https:// address in production.")

    if not {"EMAIL_URL", "EMAIL_BACKEND"} & set(env.ENVIRON):
        raise ImproperlyConfigured("EMAIL_URL or EMAIL_BACKEND must say how e-mail leaves.")
    if "CACHE_URL" not in env:
        raise ImproperlyConfigured(
            "CACHE_URL must name a cache all processes share (Redis) in production: rate limits"
            " are counted there."
        )

# --- Applications -----------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "pgtrigger",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "allauth",
    "allauth.account",
    "allauth.headless",
    "allauth.mfa",
    "allauth.usersessions",
    "anymail",
    "django_celery_beat",
    "django_structlog",
    "members",
    "loyalty",
    "campaigns",
]

MIDDLEWARE = [
    # First, or allauth's app tokens turn into 401.
    "config.api.request_log.RouteMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "config.admin.local_time.middleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Data -------------------------------------------------------------------------------------
DATABASES = {
    "default": env.db("DATABASE_URL") if "DATABASE_URL" in env else embedded.database_settings()
}
DATABASES["default"].setdefault("OPTIONS", {})
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["OPTIONS"].setdefault(
    "options",
    # A stuck neighbour must not hold a till or a worker for ever.
    "-c lock_timeout=10s -c statement_timeout=300s -c idle_in_transaction_session_timeout=60s",
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": env.cache("CACHE_URL", default="locmemcache://cairn")}

# --- People and sign-in -----------------------------------------------------------------------
AUTH_USER_MODEL = "members.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"

# Members sign in with a code by e-mail (members/api/sign_in.py), staff with a password at /admin/.
ACCOUNT_ADAPTER = "members.api.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # The code proves the address at every sign-in.
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # Nobody gets mail because somebody typed an address.
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 10 * 60
ACCOUNT_LOGIN_BY_CODE_MAX_ATTEMPTS = 3
# How many of our own proxies append to X-Forwarded-For; 0 trusts nobody's word for an address.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0)
HEADLESS_ONLY = True  # None of allauth's pages is mounted: staff sign in at /admin/.
HEADLESS_CLIENTS = ["app"]
HEADLESS_TOKEN_STRATEGY = "members.api.tokens.TokenStrategy"  # noqa: S105
HEADLESS_JWT_ALGORITHM = "HS256"
HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = 15 * 60
HEADLESS_JWT_REFRESH_TOKEN_EXPIRES_IN = 14 * 86_400
HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED = True
HEADLESS_JWT_ROTATE_REFRESH_TOKEN = True
SESSION_COOKIE_AGE = HEADLESS_JWT_REFRESH_TOKEN_EXPIRES_IN
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Cairn"

# --- API --------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    # The bearer class first, or nobody gets a 401.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "config.api.authentication.BearerAuthentication",
        "config.api.authentication.ApiKeyAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["config.api.callers.IsMember"],
    "DEFAULT_PARSER_CLASSES": ["config.api.parsing.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "config.api.paging.CursorPaging",
    "DEFAULT_SCHEMA_CLASS": "config.api.openapi.Schema",
    "DEFAULT_THROTTLE_CLASSES": ["config.api.throttling.CallerThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        # Every caller, by kind
        "member": "300/m",
        "key": "6000/m",
        "address": "300/m",
        "provider": "6000/m",  # A mail provider's events, from few addresses
        # Views that name them with `throttle_scope`
        "guess": "30/m",
        "export": "10/h",
        "post": "60/h",
        "page": "30/m",  # What is said on a page without a login
        # Sign-in: per address, and over everybody
        "sign-in": "30/m",
        "sign-in-everybody": "3000/m",
        "staff-sign-in": "20/h",
        "staff-sign-in-everybody": "600/h",
    },
    "EXCEPTION_HANDLER": "config.api.handlers.api_exception",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Cairn",
    "DESCRIPTION": "Points, places and personal messages for people who go outside.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "BulkStatus": ["recorded", "repeated", "refused"],
        "CheckInStatus": ["awarded", "held", "no_award"],
        "TillOutcome": "loyalty.models.till_event.TillEvent.Outcome",
        "HoldState": "loyalty.models.hold.Hold.State",
        "RedemptionState": "loyalty.models.reward.Redemption.State",
        "VoucherState": "loyalty.models.voucher.Voucher.State",
        "PostKind": "loyalty.models.post.Post.Kind",
        "PostState": "loyalty.models.post.Post.State",
        "QuestionKind": "members.models.survey.Question.Kind",
        "SurveyKind": "members.models.survey.Survey.Kind",
    },
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.api.openapi.finish",
    ],
}
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG  # The line at the end says it all.
CSRF_FAILURE_VIEW = "config.api.handlers.csrf_failure"
READY_MAX_LAG_SECONDS = env.int("READY_MAX_LAG_SECONDS", default=900)
# Probes come from inside, by plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]

# --- Time and language ------------------------------------------------------------------------
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = True

# --- Static files and request limits ----------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = STATE_DIR / "static"
WHITENOISE_USE_FINDERS = not IS_PRODUCTION
WHITENOISE_AUTOREFRESH = False
# Pictures of members. No web server shows this folder: views do, to whom they may be shown.
MEDIA_ROOT = STATE_DIR / "media"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
# A campaign of 20 steps in 50 versions each is one form.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 6_000
APPEND_SLASH = True

# --- E-mail, push and SMS ---------------------------------------------------------------------
if "EMAIL_URL" in env:
    vars().update(env.email("EMAIL_URL"))
else:  # Nothing leaves this machine: every mail is a file that can be looked at.
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = STATE_DIR / "mail"
EMAIL_TIMEOUT = 15
if "EMAIL_BACKEND" in env:  # An anymail provider, e.g. anymail.backends.postmark.EmailBackend
    EMAIL_BACKEND = env.str("EMAIL_BACKEND")
ANYMAIL = env.json("ANYMAIL", default={})
# Whose events are heard at /api/v1/webhooks/email/…/: by default those of the provider in use.
_, is_anymail, provider = EMAIL_BACKEND.partition("anymail.backends.")
EMAIL_WEBHOOKS = env.list(
    "EMAIL_WEBHOOKS", default=[provider.partition(".")[0]] if is_anymail else []
)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Cairn <hello@cairn.example>")
# A worker holds what it claimed for so long; afterwards others take over what it left.
DELIVERY_LEASE_SECONDS = env.int("DELIVERY_LEASE_SECONDS", default=60)
# True only for a provider that drops a second message with the same Message-ID.
EMAIL_PROVIDER_DEDUPLICATES = env.bool("EMAIL_PROVIDER_DEDUPLICATES", default=False)
# So many tasks share a backlog of one channel.
SENDERS = env.int("SENDERS", default=2)
# So many messages are at risk together: in doubt, and not sent again, if their worker is killed.
EMAIL_CHUNK = env.int("EMAIL_CHUNK", default=10)
FIREBASE_CREDENTIALS = env.str("FIREBASE_CREDENTIALS", default="")
PUSH_LOG = STATE_DIR / "push.log"
# Browsers are pushed to where there is a key (manage.py make_web_push_key) and whom to ask.
WEB_PUSH_PRIVATE_KEY = env.str("WEB_PUSH_PRIVATE_KEY", default="")
WEB_PUSH_CONTACT = env.str("WEB_PUSH_CONTACT", default="")
# The only hosts that a browser may name, and be posted to at.
WEB_PUSH_SERVICES = env.list(
    "WEB_PUSH_SERVICES",
    default=[
        "fcm.googleapis.com",
        "updates.push.services.mozilla.com",
        "*.push.services.mozilla.com",
        "web.push.apple.com",
        "*.push.apple.com",
        "*.notify.windows.com",
    ],
)
if WEB_PUSH_PRIVATE_KEY and not re.fullmatch(r"[A-Za-z0-9_-]{43}=?", WEB_PUSH_PRIVATE_KEY):
    raise ImproperlyConfigured("WEB_PUSH_PRIVATE_KEY is not what make_web_push_key prints.")
if WEB_PUSH_PRIVATE_KEY and not WEB_PUSH_CONTACT.startswith(("mailto:", "https://")):
    raise ImproperlyConfigured("WEB_PUSH_PRIVATE_KEY needs a WEB_PUSH_CONTACT: mailto: or https://")
SMS_PROVIDER = env.str("SMS_PROVIDER", default="")  # "twilio", or nobody: a log file
TWILIO_ACCOUNT_SID = env.str("TWILIO_ACCOUNT_SID", default="")
TWILIO_AUTH_TOKEN = env.str("TWILIO_AUTH_TOKEN", default="")
TWILIO_FROM = env.str("TWILIO_FROM", default="")  # A number of ours, or a messaging service (MG…)
SMS_LOG = STATE_DIR / "sms.log"
if SMS_PROVIDER not in {"", "twilio"}:
    raise ImproperlyConfigured("SMS_PROVIDER is 'twilio' or not set.")
if SMS_PROVIDER and not (TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN and TWILIO_FROM):
    raise ImproperlyConfigured(
        "SMS_PROVIDER needs TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_FROM."
    )
# May webhooks lead into our own network? In production they may not, unless this says so.
WEBHOOK_PRIVATE_ADDRESSES = env.bool("WEBHOOK_PRIVATE_ADDRESSES", default=not IS_PRODUCTION)
GEOCODER = env.str("GEOCODER", default="")  # A geopy geocoder's name, e.g. "nominatim"
GEOCODER_OPTIONS = env.json("GEOCODER_OPTIONS", default={})

# --- Celery -----------------------------------------------------------------------------------
# Tasks are pokes; the rows are the queue. The default transport is a folder: no server needed.
BROKER_DIR = STATE_DIR / "broker"
CELERY_BROKER_URL = env.str("BROKER_URL", default="filesystem://")
if CELERY_BROKER_URL == "filesystem://":
    BROKER_DIR.mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER_DIR),
        "data_folder_out": str(BROKER_DIR),
        "control_folder": str(STATE_DIR / "broker-control"),
        "polling_interval": 0.1,
    }
# Whoever works takes from both in turn, so that neither waits for all of the other.
CELERY_TASK_QUEUES = (Queue("celery"), Queue("sending"))
CELERY_TASK_ROUTES = {"campaigns.tasks.send": {"queue": "sending"}}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 540
CELERY_TASK_SOFT_TIME_LIMIT = 480
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 10.0
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5

# --- Logs -------------------------------------------------------------------------------------
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
logs.configure(level=LOG_LEVEL, is_json=IS_PRODUCTION)
LOGGING = logs.LOGGING

# --- Security ---------------------------------------------------------------------------------
SESSION_COOKIE_HTTPONLY = True
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
if IS_PRODUCTION:
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds())
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    # Set only behind a proxy that overwrites this header.
    if env.bool("TRUST_PROXY_TLS_HEADER", default=False):
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- Admin ------------------------------------------------------------------------------------
LOGIN_REDIRECT_URL = "admin:index"
UNFOLD = look.UNFOLD
