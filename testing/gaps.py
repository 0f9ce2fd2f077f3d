"""Gaps of an adapter as strict marks: what it can't do is declared, and noticed once it can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest


class Gaps:
    """A base of the conformance suites."""

    gaps: ClassVar[Mapping[str, str]] = {}
    """Tests that must fail, and why (`"ours: ..."`, `"upstream: ..."`, `"never: ..."`).

    A key is a test's name, or with brackets one case of it: `"test_a_filter_finds[year == 2020]"`. The mark
    is strict: a gap that closes fails until it is struck out here.
    """

    def __init_subclass__(cls) -> None:
        """Refuse a gap that names no test."""
        super().__init_subclass__()
        if unknown := [name for name in cls.gaps if not hasattr(cls, name.partition("[")[0])]:
            raise TypeError(f"{cls.__name__}.gaps names tests that don't exist: {', '.join(unknown)}")

    @pytest.fixture(autouse=True)
    def _gap(self, request: pytest.FixtureRequest) -> None:
        name: str = request.node.name
        reason = self.gaps.get(name) or self.gaps.get(name.partition("[")[0])
        if reason:
            request.node.add_marker(pytest.mark.xfail(reason=reason, strict=True))
