"""Type checkers: the package, its stubs against what is there, and a program that uses it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SAMPLE = HERE / "typing_sample.py"


def check(*arguments: str, **environment: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, check=False, cwd=HERE
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_mypy() -> None:
    pytest.importorskip("mypy")
    check("mypy", "--strict", "--cache-dir", "/dev/null", str(SAMPLE))


def test_the_stubs_are_what_is_there() -> None:
    pytest.importorskip("mypy")
    allowed = HERE / "stubtest_allowed.txt"
    check("mypy.stubtest", "dqlite._native", "--allowlist", str(allowed))


def test_pyright() -> None:
    pytest.importorskip("pyright")
    check("pyright", "--pythonpath", sys.executable, str(SAMPLE))
