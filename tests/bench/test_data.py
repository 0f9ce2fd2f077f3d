"""Vectors, conditions and exact answers that benchmarks stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from polyreel.bench.conditions import FIELDS, Fields
from polyreel.bench.settings import VectorSettings
from polyreel.bench.sources import data_of
from polyreel.bench.truth import Truth
from polyreel.bench.vectors import CLIPS, Data, records, row_of, unit
from polyreel.core.errors import InvalidQueryError, NotFoundError
from polyreel.core.filter_check import matches

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(5)
TRAIN = RNG.standard_normal((40, 6)).astype(np.float32)
TEST = RNG.standard_normal((7, 6)).astype(np.float32)


def settings(**told: Any) -> VectorSettings:
    return VectorSettings.checked(told)


def test_drawn_data_are_the_same_for_the_same_seed_and_of_unit_length() -> None:
    one, same, other = (Data.clustered(200, 8, seed=seed) for seed in (1, 1, 2))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert np.allclose(np.linalg.norm(one.stored, axis=1), 1)


@pytest.mark.parametrize("part", [0.001, 0.01, 0.1, 0.5])
def test_conditions_match_the_part_of_the_records_that_they_name(part: float) -> None:
    fields = Fields(20_000, (0.001, 0.01, 0.1, 0.5), seed=1)
    found = {each.shape: each.mask.mean() for each in fields.conditions() if each.selectivity == part}
    assert found["equal"] == pytest.approx(part, rel=0.01, abs=1e-4)
    assert found["range"] == pytest.approx(part, abs=1e-9)
    assert found["list"] == pytest.approx(part, rel=0.5)
    assert found["nested"] == pytest.approx(part, rel=0.6)


def test_a_mask_says_what_the_filter_says_of_every_record() -> None:
    fields = Fields(200, (0.05, 0.5), seed=3)
    for condition in fields.conditions():
        said = [matches(condition.where, fields.of(row), FIELDS) for row in range(200)]
        assert said == condition.mask.tolist(), condition.case
        assert any(said)


def test_records_carry_what_was_asked_for(tmp_path: Path) -> None:
    data = Data.clustered(25, 4)
    data.save(tmp_path)
    fields = Fields(25, (0.1,), seed=1)
    full, bare = (list(records(tmp_path, 5, 25, fields, payload=payload)) for payload in (True, False))
    assert [row_of(each.id) for each in full] == list(range(5, 25))
    assert full[0].video_id != full[CLIPS].video_id
    assert np.allclose(full[3].content, data.stored[8])  # type: ignore[arg-type]
    assert full[0].text.caption
    assert full[0].extra
    assert not bare[0].text
    assert not bare[0].extra
    assert bare[0].fields == full[0].fields


def test_recall_counts_exact_answers_among_the_records_that_match() -> None:
    data = Data.clustered(300, 8, queries=4)
    truth = Truth(data, settings(limit=5, selectivities=(0.1,), limits=(1, 5)))
    scores = data.stored @ data.queries[0]
    best = [int(row) for row in np.argsort(-scores)[:5]]
    (whole,) = truth.recall("search", {"": [best, None]})
    assert (whole.value, whole.unit) == (1.0, "share")
    (part,) = truth.recall("search", {"": [[*best[:3], -1, -2]]})
    assert part.value == pytest.approx(0.6)
    (narrow,) = truth.recall("filtered", {"range 10%": [best]})
    assert narrow.value < 1
    (one,) = truth.recall("topk", {"1 hits": [best[:1]]})
    assert one.value == 1
    videos = list(dict.fromkeys(int(row) // CLIPS for row in np.argsort(-scores)))[:5]
    (grouped,) = truth.recall("grouped", {"by video": [videos]})
    assert grouped.value == 1


def test_of_records_that_are_alike_either_is_right() -> None:
    rows = unit(np.repeat(TRAIN[:10], 4, axis=0))
    data = Data(rows, rows[:1], "repeated")
    truth = Truth(data, settings(limit=2, selectivities=(0.5,)))

    def recall(step: str, case: str, rows: list[int]) -> float:
        (found,) = truth.recall(step, {case: [rows]})
        return found.value

    assert recall("search", "", [0, 1]) == recall("search", "", [3, 2]) == 1  # the four records are the same
    assert recall("search", "", [3, 20]) == 0.5
    assert recall("search", "", [3, -1, 10**6]) == 0.5
    mask = next(each.mask for each in Fields(40, (0.5,), 1).conditions() if each.case == "range 50%")
    outside = [row for row in range(4) if not mask[row]]
    assert outside
    assert recall("filtered", "range 50%", outside) == 0  # as like the query, but no match


# -- files ------------------------------------------------------------------------------------------------


def hdf5(folder: Path) -> Path:
    import h5py

    with h5py.File(folder / "v.hdf5", "w") as file:
        file["train"], file["test"], file["neighbors"] = TRAIN, TEST, np.zeros((7, 3))
    return folder / "v.hdf5"


def parquet(folder: Path) -> Path:
    import pyarrow as pa
    from pyarrow import parquet

    for name, rows in (("train", TRAIN), ("test", TEST)):
        table = pa.table({"id": np.arange(len(rows)), "emb": [row.tolist() for row in rows]})
        parquet.write_table(table, folder / f"{name}.parquet")
    return folder


def npz(folder: Path) -> Path:
    np.savez(folder / "v.npz", train=TRAIN, test=TEST)
    return folder / "v.npz"


@pytest.mark.parametrize("write", [hdf5, parquet, npz])
def test_files_of_other_benchmarks_give_their_vectors(write: Any, tmp_path: Path) -> None:
    data = data_of(settings(data=str(write(tmp_path)), records=30, queries=5))
    assert data.stored.shape == (30, 6)
    assert data.queries.shape == (5, 6)
    assert np.allclose(data.stored[3], TRAIN[3] / np.linalg.norm(TRAIN[3]), atol=1e-6)
    assert np.allclose(data.queries[4], TEST[4] / np.linalg.norm(TEST[4]), atol=1e-6)


def test_an_array_alone_is_divided_into_records_and_queries(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", TRAIN)
    data = data_of(settings(data=str(tmp_path / "v.npy"), records=1000, queries=8))
    assert (len(data.stored), len(data.queries)) == (32, 8)


def test_one_parquet_file_is_divided_as_well(tmp_path: Path) -> None:
    parquet(tmp_path)
    data = data_of(settings(data=str(tmp_path / "train.parquet"), records=30, queries=4))
    assert (len(data.stored), len(data.queries)) == (30, 4)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.npy", b"nothing", "no vectors can be read from"),
        ("v.hdf5", b"nothing", "no vectors can be read from"),
        ("v.parquet", b"nothing", "no vectors can be read from"),
        ("v.npy", b"", "no vectors can be read from"),
        ("v.npz", b"PK\x03\x04nothing", "no vectors can be read from"),
        ("v.csv", b"1,2", "nothing reads vectors from"),
    ],
)
def test_a_file_that_holds_none_is_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidQueryError, match=message):
        data_of(settings(data=str(tmp_path / name)))


def test_rows_that_are_no_vectors_are_refused(tmp_path: Path) -> None:
    spoiled = TRAIN.copy()
    spoiled[3, 2] = np.nan
    np.save(tmp_path / "v.npy", spoiled)
    with pytest.raises(InvalidQueryError, match="no vector"):
        data_of(settings(data=str(tmp_path / "v.npy")))
    with pytest.raises(NotFoundError, match="there is no file of vectors"):
        data_of(settings(data=str(tmp_path / "missing.npy")))


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"records": 0}, "records of the benchmark: .* greater than or equal to 1"),
        ({"steps": ("nothing",)}, "steps"),
        ({"selectivities": (0.9, 0.5)}, "not come to more than 1"),
        ({"recrods": 5}, "recrods"),
        ({"seed": -1}, "seed of the benchmark"),
    ],
)
def test_wrong_settings_are_one_clear_line(told: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidQueryError, match=message):
        VectorSettings.checked(told)


def test_an_array_without_rows_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.float32(3))
    with pytest.raises(InvalidQueryError, match="no vectors can be read from"):
        data_of(settings(data=str(tmp_path / "v.npy")))
