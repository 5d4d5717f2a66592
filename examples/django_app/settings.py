"""Settings of the Django example, all of them from the environment. Copy what you need into yours."""

import os

from .database import database

HERE = __name__.rpartition(".")[0]


SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
DEBUG = False
ALLOWED_HOSTS = os.environ.get("DJANGO_ALLOWED_HOSTS", "localhost,127.0.0.1").split(",")
INSTALLED_APPS = [HERE]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
SECURE_CONTENT_TYPE_NOSNIFF = True
ROOT_URLCONF = f"{HERE}.urls"
WSGI_APPLICATION = f"{HERE}.wsgi.application"
APPEND_SLASH = False  # a redirect would lose a webhook
DATABASES = {"default": database(os.environ.get("DATABASE_URL") or "sqlite:///airport.db")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"airport_payments": {"handlers": ["console"], "level": "WARNING"}},
}
