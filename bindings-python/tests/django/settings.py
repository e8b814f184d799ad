"""An embedded node in a temporary folder, or the cluster that DQLITE_TEST_SERVERS names."""

import atexit
import os
import shutil
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
atexit.register(shutil.rmtree, folder, ignore_errors=True)
DATABASES = {
    "default": {
        "ENGINE": "dqlite.django",
        "NAME": "shop" if servers else os.path.join(folder, "shop"),
        "HOST": servers or "",
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    },
}
