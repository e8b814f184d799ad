"""The examples of the documentation run, and print what they are said to print."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import dqlite
import dqlite.aio

README = Path(__file__).parents[1] / "README.md"
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:\nprints\n\n```text\n(.*?)^```\n)?", re.M | re.S)


def examples() -> list[tuple[str, str | None]]:
    return [(found[1], found[2]) for found in EXAMPLE.finditer(README.read_text("utf-8"))]


def test_there_are_examples() -> None:
    assert len(examples()) >= 5
    assert all(printed is not None for _, printed in examples())


@pytest.mark.parametrize("number", range(len(examples())))
def test_an_example_of_the_readme(number: int, tmp_path: Path) -> None:
    program, printed = examples()[number]
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.stderr, ran.stdout) == ("", printed)


@pytest.mark.parametrize("module", [dqlite, dqlite.aio], ids=lambda module: module.__name__)
def test_an_example_of_a_module(module: ModuleType) -> None:
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert found.attempted > 0
    assert found.failed == 0
