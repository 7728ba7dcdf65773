"""Django's settings, from the environment only. Every variable is explained in .env.example and docs/settings.md."""

import os
import secrets
from pathlib import Path

from dashboard import env

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = env.path("LAYERWISE_DATA", BASE_DIR / "var")
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)


def _own_secret(file: Path) -> str:
    """The embedded default's secret: made once, readable by its owner only."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_urlsafe(48))
    try:
        file.hardlink_to(draft)  # fails when another process was quicker
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return file.read_text()


DEBUG = env.boolean("LAYERWISE_DEBUG", False)
SECRET_FILE = DATA_DIR / "secret-key"
SECRET_KEY = env.read("LAYERWISE_SECRET_KEY", "") or (
    SECRET_FILE.read_text() if SECRET_FILE.exists() else _own_secret(SECRET_FILE)
)
# this machine's own names always: health checks ask there
ALLOWED_HOSTS = [*env.words("LAYERWISE_ALLOWED_HOSTS"), "localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = env.words("LAYERWISE_TRUSTED_ORIGINS")
HTTPS = env.boolean("LAYERWISE_HTTPS", False)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "dashboard.jobs",
    "dashboard.projects",
    "dashboard.registry",
    "dashboard.layers",
    "dashboard.imports",
    "dashboard.conversions",
    "dashboard.boards",
    "dashboard.telemetry",
    "dashboard.health",
    "dashboard.registration",
    "dashboard.evaluations",
    "dashboard.lint",
    "dashboard.history",
    "dashboard.api",
    "dashboard.operations",
    "dashboard.supervisor",
    "dashboard.demo",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "dashboard.operations.middleware.ContentSecurityPolicy",
    "dashboard.operations.middleware.BodyLimit",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "dashboard.operations.middleware.FileStore",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "dashboard" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

ROOT_URLCONF = "dashboard.urls"
WSGI_APPLICATION = "dashboard.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": env.database("LAYERWISE_DATABASE_URL", DATA_DIR / "layerwise.sqlite3")}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "projects"
LOGOUT_REDIRECT_URL = "sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

STATIC_URL = "/static/"
STATIC_ROOT = env.path("LAYERWISE_STATIC_ROOT", DATA_DIR / "static")
STATICFILES_DIRS = [BASE_DIR / "dashboard" / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

# Files and uploads
STORE_BUCKET = env.bucket("LAYERWISE_STORE")
STORE_DIR = DATA_DIR / "store" if STORE_BUCKET else env.path("LAYERWISE_STORE", DATA_DIR / "store")
STORE_KEY_ID = env.read("LAYERWISE_STORE_KEY_ID", "")
STORE_SECRET = env.read("LAYERWISE_STORE_SECRET", "")
STORE_CACHE_DIR = env.path("LAYERWISE_STORE_CACHE", DATA_DIR / "store-cache")
STORE_CACHE_BYTES = env.integer("LAYERWISE_STORE_CACHE_MB", 20_000, minimum=1) * 1_000_000
WORK_DIR = env.path("LAYERWISE_WORK", DATA_DIR / "work")
MAX_UPLOAD_BYTES = env.integer("LAYERWISE_MAX_UPLOAD_MB", 2048, minimum=1) * 1_000_000
MAX_SAMPLES_BYTES = env.integer("LAYERWISE_MAX_SAMPLES_MB", 4096, minimum=1) * 1_000_000
MAX_IMPORT_BYTES = env.integer("LAYERWISE_MAX_IMPORT_MB", 8192, minimum=1) * 1_000_000
MIN_FREE_BYTES = env.integer("LAYERWISE_MIN_FREE_MB", 500) * 1_000_000
FILE_UPLOAD_TEMP_DIR = None
DATA_UPLOAD_MAX_MEMORY_SIZE = 5_000_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_500_000

# Jobs: the database is the truth; see ARCHITECTURE.md
REDIS_URL = env.read("REDIS_URL", "redis://127.0.0.1:6379/0")
LEASE_SECONDS = env.integer("LAYERWISE_LEASE_SECONDS", 20, minimum=2)
SWEEP_SECONDS = env.integer("LAYERWISE_SWEEP_SECONDS", 5, minimum=1)
RING_AGAIN_SECONDS = env.integer("LAYERWISE_RING_AGAIN_SECONDS", 60, minimum=1)
QUEUE_SECONDS = env.integer("LAYERWISE_QUEUE_SECONDS", 86_400, minimum=1)
RESERVATION_HOURS = env.integer("LAYERWISE_RESERVATION_HOURS", 24, minimum=1)
BOARD_THREADS = env.integer("LAYERWISE_BOARD_THREADS", 0)
MAX_ATTEMPTS = env.integer("LAYERWISE_MAX_ATTEMPTS", 3, minimum=1)
SITES = env.words("LAYERWISE_SITES", "local")
BOARD_NETWORKS = env.networks(
    "LAYERWISE_BOARD_NETWORKS", "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"
)
TELEMETRY_DAYS = env.integer("LAYERWISE_TELEMETRY_DAYS", 90, minimum=1)

# Boards' health and power
HEALTH_HOURS = env.integer("LAYERWISE_HEALTH_HOURS", 24, minimum=1)
POWER_CYCLES_PER_HOUR = env.integer("LAYERWISE_POWER_CYCLES_PER_HOUR", 3)
POWER_SECONDS = env.integer("LAYERWISE_POWER_SECONDS", 300, minimum=1)
POWER_CALL_SECONDS = env.integer("LAYERWISE_POWER_CALL_SECONDS", 30, minimum=1)
POWER_COMMANDS = env.path("LAYERWISE_POWER_COMMANDS", DATA_DIR / "power-commands")
POWER_NETWORKS = env.networks("LAYERWISE_POWER_NETWORKS", "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16")

# Toolkits
TOOLKIT_SECONDS = env.integer("LAYERWISE_TOOLKIT_SECONDS", 3600, minimum=1)
TOOLKIT_SILENCE_SECONDS = env.integer("LAYERWISE_TOOLKIT_SILENCE_SECONDS", 600, minimum=1)
TOOLKIT_MEMORY_MB = env.integer("LAYERWISE_TOOLKIT_MEMORY_MB", 8192, minimum=128)
TOOLKIT_FILE_MB = env.integer("LAYERWISE_TOOLKIT_FILE_MB", 8192, minimum=1)
INSPECT_SECONDS = env.integer("LAYERWISE_INSPECT_SECONDS", 60, minimum=1)
IMPORT_SECONDS = env.integer("LAYERWISE_IMPORT_SECONDS", 900, minimum=1)
INSPECT_MEMORY_MB = env.integer("LAYERWISE_INSPECT_MEMORY_MB", 4096, minimum=128)
TOOLKITS_DIR = BASE_DIR / ".toolkits"
RKNN1_PLACES = env.paths("LAYERWISE_RKNN1", [TOOLKITS_DIR / "rknn1", *sorted(TOOLKITS_DIR.glob("rknn1-*"))])
RKNN2_DIRS = env.paths("LAYERWISE_RKNN2", [TOOLKITS_DIR / "rknn2", *sorted(TOOLKITS_DIR.glob("rknn2-*"))])
TORCH_DIR = env.path("LAYERWISE_TORCH", TOOLKITS_DIR / "torch")
RUN_SECONDS = env.integer("LAYERWISE_RUN_SECONDS", 600, minimum=1)
C_AGENTS = env.path("LAYERWISE_C_AGENTS", DATA_DIR / "c-agents")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "dashboard.api.auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["dashboard.api.auth.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["dashboard.api.parsing.FlatJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "dashboard.api.pages.Pages",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "dashboard.api.errors.handle",
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "user": env.matching("LAYERWISE_API_RATE", "6000/hour", r"[1-9]\d*/[smhd][a-z]*", "a rate")
    },
    "PAGE_SIZE": 50,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Layerwise",
    "DESCRIPTION": "Which layer, which step, how slow, since when.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "dashboard.api.openapi.add_errors",
    ],
    "ENUM_NAME_OVERRIDES": {
        "JobState": "dashboard.jobs.models.State",
        "BoardState": "dashboard.boards.models.BoardState",
        "RunPurpose": "dashboard.boards.models.Purpose",
        "InputSetPurpose": "dashboard.registry.models.Purpose",
        "StepState": "dashboard.registration.steps.StepState",
        "Outcome": "dashboard.evaluations.models.Outcome",
    },
}

METRICS_TOKEN = env.read("LAYERWISE_METRICS_TOKEN", "")
LOG_FORMAT = env.matching("LAYERWISE_LOG_FORMAT", "json", "json|text", "json or text")
LOG_LEVEL = env.matching("LAYERWISE_LOG_LEVEL", "INFO", "DEBUG|INFO|WARNING|ERROR|CRITICAL", "a level's name")
LOGGING_CONFIG = "dashboard.operations.logs.configure"
LOGGING = {"format": LOG_FORMAT, "level": LOG_LEVEL}
