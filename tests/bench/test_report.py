"""The report: nothing from elsewhere, nothing unescaped, failures shown, no best where spreads overlap."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from polyreel.bench.report import page, summary
from polyreel.bench.report.drawing import Scale, number
from polyreel.bench.results import Measure, Outcome, Sample

if TYPE_CHECKING:
    from polyreel.bench.results import Results

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>&\u202e'
CASES = ("equal 1%", "range 1%", "list 50%", "nested 50%")


class Page(HTMLParser):
    """The tags of a page, checked for balance, and its text."""

    VOID = frozenset({"meta", "line", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def filled(made: Any, *names: str) -> Results:
    """Results with something for every chart of the suite `vectors`."""
    results: Results = made(*names).results
    for at, name in enumerate(names, start=1):
        for step, measure, case, unit in (
            ("load", "records", "", "1/s"),
            ("settle", "optimized", "", "s"),
            ("settle", "memory", "", "MiB"),
            ("search", "p50", "", "ms"),
            ("search", "p95", "", "ms"),
            ("search", "queries", "", "1/s"),
            ("search", "recall", "", "share"),
            ("concurrency", "queries", "1 at once", "1/s"),
            ("concurrency", "queries", "8 at once", "1/s"),
            ("overhead", "ratio", "alone", "ratio"),
            *(("filtered", what, case, "share") for what in ("p50", "recall") for case in CASES),
        ):
            value = 1.0 if measure == "recall" else float(10**at)
            sample = Sample(name=measure, value=0, unit=unit, case=case)
            results.put(Measure.of(name, step, sample, [value, value * 1.1] if value > 1 else [value]))
            results.keep(Outcome(stack=name, step=step, state="done", rounds=2), [])
    return results


def test_the_page_is_one_file_that_fetches_and_runs_nothing(made: Any) -> None:
    text = page(filled(made, "one", "other"))
    parsed = Page(text)
    assert parsed.open == []
    assert {"script", "link", "img", "iframe", "object", "embed", "base", "form"}.isdisjoint(
        tag for tag, _ in parsed.tags
    )
    for tag, attributes in parsed.tags:
        assert {"src", "href", "xlink:href", "srcset", "action", "style"}.isdisjoint(attributes), tag
        assert not any(name.startswith("on") for name in attributes), tag
    assert "@import" not in text
    assert "url(" not in text
    assert re.findall(r"(?:https?:)?//[\w.]+", text) == []
    assert "default-src 'none'" in text


def test_every_chart_is_drawn_and_says_what_it_is(made: Any) -> None:
    parsed = Page(page(filled(made, "one", "other")))
    drawings = [attributes["aria-label"] for tag, attributes in parsed.tags if tag == "svg"]
    assert len(drawings) == len(set(drawings)) == 9
    assert "Recall against queries a second" in drawings
    assert "nan" not in parsed.text.lower()


def test_hostile_names_are_only_text(made: Any) -> None:
    results = filled(made, HOSTILE, "other")
    results.stacks[0].settings = {HOSTILE: HOSTILE}
    results.stacks[0].version = results.stacks[0].form = HOSTILE
    results.data.source = HOSTILE
    results.keep(Outcome(stack=HOSTILE, step="mixed", state="failed", reason=HOSTILE), [])
    parsed = Page(page(results))
    assert {"script", "img"}.isdisjoint(tag for tag, _ in parsed.tags)
    assert not any(name.startswith("on") for _, attributes in parsed.tags for name in attributes)
    assert parsed.text.count("alert(1)") > 5


def test_no_best_is_marked_where_spreads_overlap(made: Any) -> None:
    apart = made("one", "other").add("one", "p50", [1, 1.1]).add("other", "p50", [5, 6]).results
    overlapping = made("one", "other").add("one", "p50", [1, 5.5]).add("other", "p50", [5, 6]).results
    assert [[cell.best for cell in cells] for _, cells in summary(apart).rows] == [[True], [False]]
    assert [[cell.best for cell in cells] for _, cells in summary(overlapping).rows] == [[False], [False]]
    assert ("class=best" in page(apart), "class=best" in page(overlapping)) == (True, False)
    assert list(summary(apart).texts()) == [("p50 ms", "1.05 *", "5.5")]


def test_what_failed_is_shown(made: Any) -> None:
    results = made("one").add("one", "p50", [1, 2]).results
    results.keep(Outcome(stack="one", step="cold", state="unsupported", reason="it forgets"), [])
    results.keep(Outcome(stack="one", step="mixed", state="unfinished", rounds=1), [])
    results.runs[-1].ended = "budget"
    assert summary(results).troubles == (
        "one, cold: unsupported: it forgets",
        "one, mixed: unfinished after 1 turns",
        "not complete: the time that was given is over, or stacks were left out; the same command goes on",
    )
    text = Page(page(results)).text
    assert all(line in text for line in summary(results).troubles)


def test_emulators_are_labelled_in_every_output(made: Any) -> None:
    results = made("cloud", "one").add("cloud", "p50", [1, 2]).results
    results.stacks[0].emulated = ["store"]
    text = Page(page(results)).text
    assert "Emulated: cloud." in text
    assert "cloud (emulated)" in text
    assert summary(results).heads == ("stack", "cloud (emulated)", "one")
    assert '"emulated":["store"]' in results.model_dump_json()


def test_every_row_of_every_chart_and_table_labels_an_emulator(made: Any) -> None:
    results = filled(made, "cloud", "one")
    results.stacks[0].emulated = ["store"]
    shown = page(results)
    drawings = re.findall("<svg.*?</svg>", shown, re.DOTALL)
    named = [each for each in drawings if ">cloud</text>" in each]
    assert named
    assert all(each.count(">cloud</text>") == each.count(">emulated</text>") for each in named)
    assert "<td>cloud</td>" not in shown


def test_a_long_name_stays_within_its_drawing(made: Any) -> None:
    names = re.findall('class="label" text-anchor="end">([^<]*)<', page(filled(made, "a" * 40, "b")))
    assert max(map(len, names)) == 17


def test_empty_results_still_make_a_page(made: Any) -> None:
    assert Page(page(made("one").results)).open == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (1234.5, "1\u202f234"),
        (12.345, "12.3"),
        (0.01234, "0.0123"),
        (1.0, "1"),
        (0.00001, "<0.001"),
    ],
)
def test_numbers_have_three_digits(value: float, shown: str) -> None:
    assert number(value) == shown


def test_a_scale_puts_what_lies_outside_on_its_edge_and_has_round_ticks() -> None:
    plain = Scale.over([3.0, 37.0], 0, 100)
    assert (plain(0), plain(40), plain(99)) == (0, 100, 100)
    logarithmic = Scale.over([2.0, 50.0], 0, 100, log=True)
    assert (logarithmic.low, logarithmic.high) == (1, 100)
    assert logarithmic(10) == pytest.approx(50)
    assert logarithmic(0.0) == 0
    assert Scale.over([0.0, 1.0], 0, 100, log=True)(1.0) == pytest.approx(100)
    assert logarithmic.ticks == [1, 3, 10, 30, 100]
