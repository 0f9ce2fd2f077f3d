"""The contract of vector stores as tests, for authors of adapters.

    from functools import partial

    import pytest
    from polyreel.testing.store import StoreContract


    class TestMyStore(StoreContract):
        @pytest.fixture
        def make_store(self, tmp_path):
            return partial(MyStore, path=tmp_path)

Every expectation has something in it: a store that finds nothing fails most of the tests. What a store can't
do is declared in `gaps`, where each is a strict mark with its reason.
"""

import pytest

pytest.register_assert_rewrite(
    *(
        f"{__name__}.{name}"
        for name in "base faceting filtering life reading searching sharing wording writing".split()
    )
)

from .base import MakeStore, StoreTests  # noqa: E402 - asserts are rewritten on import
from .faceting import FacetingTests  # noqa: E402
from .filtering import FilteringTests  # noqa: E402
from .life import LifeTests  # noqa: E402
from .reading import ReadingTests  # noqa: E402
from .searching import SearchingTests  # noqa: E402
from .sharing import SharingTests  # noqa: E402
from .wording import WordingTests  # noqa: E402
from .writing import WritingTests  # noqa: E402

__all__ = ["MakeStore", "StoreContract", "StoreTests"]


class StoreContract(
    LifeTests,
    WritingTests,
    SearchingTests,
    WordingTests,
    ReadingTests,
    FacetingTests,
    FilteringTests,
    SharingTests,
):
    """Every test of the contract. Inherit it and write the fixture `make_store` (see `StoreTests`)."""
