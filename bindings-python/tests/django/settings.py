"""An embedded node in a temporary folder, or the cluster that DQLITE_TEST_SERVERS names."""

import os
import tempfile

SECRET_KEY = "of no use"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "shop",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "Europe/Stockholm"

servers = os.environ.get("DQLITE_TEST_SERVERS")
folder = tempfile.mkdtemp(prefix="dqlite-django-")
DATABASES = {
    "default": {
        "ENGINE": "dqlite.django",
        "NAME": "shop" if servers else os.path.join(folder, "shop"),
        "HOST": servers or "",
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    },
}
