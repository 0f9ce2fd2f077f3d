"""Evaluating searches, over the memory store and clips of plain colours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from polyreel.core.errors import InvalidQueryError, NotFoundError, PolyreelError
from polyreel.core.evaluating import Evaluation, Scored, evaluate
from polyreel.core.judgements import read_judgements

from .conftest import write_clip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from polyreel.core.search import VideoSearch

    from .conftest import OpenSearch, PictureOf

    Write = Callable[..., Path]


@pytest.fixture
def search(open_search: OpenSearch, videos: Path) -> VideoSearch:
    opened = open_search()
    opened.ingest(videos)
    return opened


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file of judgements."""

    def lines(*rows: dict[str, Any] | str) -> Path:
        texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path = tmp_path / "queries.jsonl"
        path.write_text("\n".join(texts) + "\n", encoding="utf-8")
        return path

    return lines


def test_ranks_measures_and_spans_are_those_of_the_search(
    search: VideoSearch, picture: PictureOf, write: Write
) -> None:
    picture("green"), picture("blue")
    right = {"video": "traffic.mp4", "start": 2.0, "end": 4.0}
    wrong = {"video": "chess.mp4", "start": 0.0, "end": 2.0}
    file = write(
        {"id": "green", "image": "pictures/green.jpg", "relevant": [right]},
        {"image": "pictures/blue.jpg", "relevant": [wrong, "sea.mp4"]},
        {"image": "pictures/blue.jpg", "relevant": ["sea.mp4"]},
    )
    found = evaluate({"here": search}, read_judgements(file))
    green, blue, plain = found.scored["here"]
    ids = {video.title: video.video_id for video in search.videos()}
    assert green.id == "green"
    assert (blue.id, plain.id) == ("2", "3")
    assert green.ranks == {ids["traffic"]: 1}
    assert green.iou == pytest.approx(1.0)
    assert green.measures["r@1 iou=0.7"] == 1
    assert blue.ranks[ids["sea"]] == 1
    assert blue.iou == pytest.approx(1.0)  # all of the sea is relevant, and it is one clip long
    assert blue.measures["recall@1"] == 0.5
    assert plain.iou is None
    assert plain.found[0] == ids["sea"]
    assert plain.seconds > 0
    means = found.measures("here")
    assert means["recall@1"].mean == pytest.approx(2.5 / 3)
    assert means["recall@1"].queries == 3
    assert means["r@1 iou=0.5"].queries == 2


def test_a_moment_in_a_wrong_video_overlaps_nothing(
    search: VideoSearch, picture: PictureOf, write: Write
) -> None:
    picture("green")
    span = {"video": "chess.mp4", "start": 2.0, "end": 4.0}
    file = write({"image": "pictures/green.jpg", "relevant": [span]})
    (scored,) = evaluate({"here": search}, read_judgements(file)).scored["here"]
    assert scored.iou == 0
    assert scored.measures["r@1 iou=0.5"] == 0


def test_what_is_ignored_counts_neither_as_right_nor_as_wrong(
    search: VideoSearch, videos: Path, write: Write
) -> None:
    query = {"video": "videos/sea.mp4", "relevant": ["chess.mp4"]}
    judged = read_judgements(write(query, {**query, "ignore": ["sea.mp4"], "where": "start >= 0"}))
    first, second = evaluate({"here": search}, judged).scored["here"]
    ids = {video.title: video.video_id for video in search.videos()}
    assert ids["sea"] in first.found
    assert ids["sea"] not in second.found
    assert len(second.found) == 2


def test_grades_count_and_that_of_a_video_is_its_highest(
    search: VideoSearch, picture: PictureOf, write: Write
) -> None:
    picture("green")
    relevant = [{"video": "traffic.mp4", "grade": 1}, {"video": "traffic.mp4", "grade": 3}, "sea.mp4"]
    (scored,) = evaluate(
        {"here": search}, read_judgements(write({"image": "pictures/green.jpg", "relevant": relevant}))
    ).scored["here"]
    assert next(iter(scored.ranks.values())) == 1
    assert scored.measures["recall@10"] == 1
    best = 3 + 1 / 1.584962500721156
    found = 3 + (1 / 1.584962500721156 if list(scored.ranks.values())[1] == 2 else 1 / 2)
    assert scored.measures["ndcg@10"] == pytest.approx(found / best)


def test_videos_are_named_by_id_address_path_or_file_name(
    open_search: OpenSearch, tmp_path: Path, picture: PictureOf, write: Write
) -> None:
    write_clip(tmp_path / "videos/one/clip.mp4", ["red"])
    write_clip(tmp_path / "videos/two/clip.mp4", ["blue"])
    search = open_search()
    search.ingest(tmp_path / "videos")
    picture("red")
    red = next(video for video in search.videos() if "/one/" in video.uri)
    for name in (
        red.video_id,
        red.video_id[:8],
        red.uri,
        "one/clip.mp4",
        str(tmp_path / "videos/one/clip.mp4"),
    ):
        file = write({"image": "pictures/red.jpg", "relevant": [name]})
        (scored,) = evaluate({"here": search}, read_judgements(file)).scored["here"]
        assert scored.ranks == {red.video_id: 1}, name
    file = write({"image": "pictures/red.jpg", "relevant": ["clip.mp4"]})
    with pytest.raises(InvalidQueryError, match=r"queries.jsonl:1: 2 videos .* are called 'clip.mp4'"):
        evaluate({"here": search}, read_judgements(file))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "line can't be read as JSON"),
        ("[]", "no JSON object"),
        ({"txt": "a", "relevant": ["sea.mp4"]}, "no key 'txt'.*'text'"),
        ({"text": "a", "limit": 3, "relevant": ["sea.mp4"]}, "'limit' is set by the evaluation"),
        ({"relevant": ["sea.mp4"]}, "the query is empty"),
        ({"text": "a"}, "no relevant video"),
        ({"text": "a", "relevant": "sea.mp4"}, "must be a list"),
        ({"text": "a", "relevant": [3]}, "must be a video"),
        ({"text": "a", "relevant": [{"vido": "sea.mp4"}]}, "no key 'vido' in relevant.*'video'"),
        ({"text": "a", "relevant": [{"start": 1, "end": 2}]}, "names the video None"),
        ({"text": "a", "relevant": [{"video": "sea.mp4", "start": 1}]}, "both start and end"),
        ({"text": "a", "relevant": [{"video": "sea.mp4", "start": 2, "end": 1}]}, r"is 2 \(int\) to 1"),
        ({"text": "a", "relevant": [{"video": "sea.mp4", "start": -1, "end": 1}]}, r"is -1 \(int\) to 1"),
        ({"text": "a", "relevant": [{"video": "sea.mp4", "grade": 0}]}, "grade of sea.mp4 is 0"),
        ({"text": "a", "relevant": ["sea.mp4"], "id": 1.5}, "id is 1.5"),
        ({"image": "lost.jpg", "relevant": ["sea.mp4"]}, "no image file .*lost.jpg"),
        ({"text": "a", "where": "year >=", "relevant": ["sea.mp4"]}, "column"),
        ({"text": "a", "weights": {"image": 2}, "relevant": ["sea.mp4"]}, "weights name the part 'image'"),
        ({"text": "a", "id": "first", "relevant": ["sea.mp4"]}, "the id 'first' is that of .*:1"),
    ],
)
def test_a_wrong_line_is_one_error_that_names_it(
    line: dict[str, Any] | str, message: str, write: Write
) -> None:
    file = write({"id": "first", "text": "a", "relevant": ["sea.mp4"]}, line)
    with pytest.raises(PolyreelError, match=rf"(?s)queries\.jsonl:2: .*{message}"):
        read_judgements(file)


def test_lines_are_checked_against_the_collection_before_any_is_asked(
    search: VideoSearch, picture: PictureOf, write: Write
) -> None:
    picture("green")
    good = {"image": "pictures/green.jpg", "relevant": ["traffic.mp4"]}
    span = {"video": "sea.mp4", "start": 0, "end": 7}
    for wrong, kind, message in (
        ("lost.mp4", NotFoundError, "no video 'lost.mp4'"),
        (span, InvalidQueryError, r"ends at 7 s; the video is 2\.00 s long"),
    ):
        judged = read_judgements(write(good, {**good, "relevant": [wrong]}))
        with pytest.raises(kind, match=rf"queries.jsonl:2: .*{message}"):
            evaluate({"here": search}, judged, progress=lambda *_: pytest.fail("it was asked"))


def test_a_query_that_the_stack_refuses_is_named(search: VideoSearch, write: Write) -> None:
    judged = read_judgements(write({"text": "words", "relevant": ["sea.mp4"]}))
    with pytest.raises(PolyreelError, match=r"queries.jsonl:1: colour can't embed text"):
        evaluate({"here": search}, judged)


def test_a_file_without_queries_or_that_is_not_there_is_refused(write: Write, tmp_path: Path) -> None:
    with pytest.raises(InvalidQueryError, match="no query"):
        read_judgements(write(""))
    with pytest.raises(NotFoundError, match=r"lost\.jsonl"):
        read_judgements(tmp_path / "lost.jsonl")


def scored(values: list[float]) -> list[Scored]:
    return [
        Scored(str(number), (), {}, None, {"recall@1": value}) for number, value in enumerate(values, start=1)
    ]


def test_differences_are_paired_query_by_query() -> None:
    hard = [0.0, 1.0] * 20
    better = [min(value + 0.2, 1.2) for value in hard]
    found = Evaluation({"one": scored(hard), "other": scored(better), "same": scored(hard)})
    difference = found.difference("other", "one")["recall@1"]
    assert (difference.low, difference.mean, difference.high) == pytest.approx((0.2, 0.2, 0.2))
    assert difference.excludes_zero
    alone = found.measures("one")["recall@1"], found.measures("other")["recall@1"]
    assert alone[0].high > alone[1].low  # which apart would look like chance
    assert not found.difference("same", "one")["recall@1"].excludes_zero


def test_the_document_names_stacks_queries_and_differences() -> None:
    found = Evaluation({"one": scored([0.0, 1.0]), "other": scored([1.0, 1.0])}, seed=4, resamples=50)
    document = json.loads(json.dumps(found.to_json()))
    assert (document["seed"], document["resamples"]) == (4, 50)
    assert list(document["stacks"]) == ["one", "other"]
    assert document["stacks"]["one"]["measures"]["recall@1"]["mean"] == 0.5
    assert [each["id"] for each in document["stacks"]["other"]["queries"]] == ["1", "2"]
    (difference,) = document["differences"]
    assert (difference["stack"], difference["minus"]) == ("other", "one")
    assert difference["measures"]["recall@1"]["mean"] == 0.5
    assert difference["measures"]["recall@1"]["excludes_zero"] is False
