"""Words of ASCII texts are found by a shorter way than others, and are the same ones."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from polyreel.core import lexical
from polyreel.core.records import Text

ASCII = st.text(st.characters(max_codepoint=127), max_size=40) | st.text("aZ9'sS _-.", max_size=40)


@given(ASCII)
def test_an_ascii_text_is_folded_as_any_other(text: str) -> None:
    """The sign that is no word keeps the text from the shorter way."""
    assert lexical.fold(text) + " ☃" == lexical.fold(text + " ☃")
    assert lexical.fold(text).isascii()
    assert unicodedata.normalize("NFKC", text).casefold().replace("'s", "") == lexical.fold(text).replace(
        "'s", ""
    )


@given(ASCII, ASCII)
def test_an_ascii_text_has_the_words_that_it_has_beside_others(title: str, caption: str) -> None:
    alone, beside = Text(title=title, caption=caption), Text(title=title, caption=f"{caption} ☃")
    assert lexical.document(alone) == lexical.document(beside)


def test_every_term_counts_once_in_its_length_and_each_repetition_for_its_weight() -> None:
    once, twice = lexical.document(Text(title="dog cat")), lexical.document(Text(title="dog dog"))
    assert len(once) == 2
    assert len(twice) == 1
    assert max(twice.values()) > max(once.values())
