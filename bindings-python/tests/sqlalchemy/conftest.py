"""Loads SQLAlchemy's pytest plugin, and tells its tests how dqlite is set up."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("sqlalchemy.testing.assertions")
# The data of an earlier run that was ended before it could clean up.
shutil.rmtree("suite-data", ignore_errors=True)

from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: E402, F403

import provision  # noqa: E402, F401
