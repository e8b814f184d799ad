"""Loads SQLAlchemy's pytest plugin, and tells its tests how dqlite is set up."""

import shutil

import pytest

pytest.register_assert_rewrite("sqlalchemy.testing.assertions")
# The data of an earlier run that was ended before it could clean up.
shutil.rmtree("suite-data", ignore_errors=True)

import provision  # noqa: E402, F401
from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: E402, F403
