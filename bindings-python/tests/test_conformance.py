"""Every case of ``core/conformance``, on ``dqlite`` and on ``dqlite.aio``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conformance_calls import Async, Blocking
from conformance_runner import Control, Runner, load

CASES = load()
PAIRS = [
    pytest.param(case, place, id=f"{case['name']}-{place}")
    for place in ("embedded", "client", "cluster")
    for case in CASES
    if place in case.get("where", ("embedded", "client"))
]


@pytest.fixture(scope="module")
def control() -> Iterator[Control]:
    control = Control()
    yield control
    control.close()


@pytest.fixture(scope="module", params=[Blocking, Async], ids=["sync", "aio"])
def api(request: pytest.FixtureRequest) -> Iterator[Any]:
    api = request.param()
    yield api
    api.close()


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 250
    assert len(PAIRS) > len(CASES)


@pytest.mark.parametrize(("case", "place"), PAIRS)
def test_conformance(case: dict[str, Any], place: str, control: Control, api: Any) -> None:
    Runner(case, place, control, api).run()
