"""Vectors out of files: ann-benchmarks' HDF5, VectorDBBench's Parquet, and numpy's arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from ..core.errors import InvalidQueryError, NotFoundError
from ..core.registry import missing
from .settings import VectorSettings
from .vectors import Data, unit

if TYPE_CHECKING:
    from .vectors import Vectors

_ROWS = 10_000  # of a Parquet file, read at once
_UNREADABLE = (OSError, EOFError, LookupError, ValueError, TypeError, NotImplementedError, BadZipFile)
"""What h5py, pyarrow and numpy raise of a file that isn't what it should be."""


def data_of(settings: VectorSettings) -> Data:
    """The data that the settings name.

    A file has the first `records` vectors stored. Queries are those that it brings, else its last rows.

    - `NAME.hdf5`: as ann-benchmarks publishes them, the tables `train` and `test`.
    - A folder with `train.parquet` (or `shuffle_train.parquet`, or `*_train-*.parquet` in parts) and
      `test.parquet`, or one `.parquet` file: as VectorDBBench keeps them, the column `emb`.
    - `NAME.npy`: rows of an array. `NAME.npz`: the arrays `train` (or `stored`) and `test` (or `queries`).

    Raises:
        NotFoundError: There is no such file.
        InvalidQueryError: It can't be read, or holds no vectors of one length.
        ConfigurationError: The package that reads it isn't installed.
    """
    if settings.data == "clustered":
        return Data.clustered(
            settings.records, settings.dimension, queries=settings.queries, seed=settings.seed
        )
    path = Path(settings.data).expanduser()
    if not path.exists():
        raise NotFoundError(f"there is no file of vectors {path}", hint="or leave --data out for drawn ones")
    reader = _READERS.get("folder" if path.is_dir() else path.suffix)
    if reader is None:
        known = ", ".join(name for name in _READERS if name != "folder")
        raise InvalidQueryError(f"nothing reads vectors from {path}", hint=f"known are {known}, and a folder")
    try:
        train, test = reader(path, settings)
    except ModuleNotFoundError as error:
        raise missing(error, f"reading {path.name}") from error
    except _UNREADABLE as error:
        raise InvalidQueryError(f"no vectors can be read from {path}: {error}") from error
    return _divided(path, train, test, settings)


def _divided(path: Path, train: Vectors, test: Vectors | None, settings: VectorSettings) -> Data:
    """What is stored and what is asked."""
    for rows in (train, test):
        if rows is not None and (rows.ndim != 2 or not np.isfinite(rows).all() or not rows.any(axis=1).all()):
            raise InvalidQueryError(f"{path} holds a row that is no vector, or is zero")
    if test is None:
        asked = min(settings.queries, len(train) // 2)
        train, test = train[: len(train) - asked], train[len(train) - asked :]
    if not len(test) or not len(train) or train.shape[1] != test.shape[1]:
        raise InvalidQueryError(f"{path} has no stored vectors and queries of one length")
    return Data(unit(train[: settings.records]), unit(test[: settings.queries]), path.name)


def _hdf5(path: Path, settings: VectorSettings) -> tuple[Vectors, Vectors | None]:
    import h5py

    with h5py.File(path) as file:
        train = np.asarray(file["train"][: settings.records], np.float32)
        return train, np.asarray(file["test"][: settings.queries], np.float32)


def _npy(path: Path, settings: VectorSettings) -> tuple[Vectors, Vectors | None]:
    rows = np.load(path, mmap_mode="r", allow_pickle=False)
    return np.asarray(rows[: settings.records + settings.queries], np.float32), None


def _npz(path: Path, settings: VectorSettings) -> tuple[Vectors, Vectors | None]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        train = arrays["train" if "train" in arrays else "stored"][: settings.records]
        test = arrays["test" if "test" in arrays else "queries"][: settings.queries]
    return np.asarray(train, np.float32), np.asarray(test, np.float32)


def _parquet(path: Path, settings: VectorSettings) -> tuple[Vectors, Vectors | None]:
    return _column([path], settings.records + settings.queries), None


def _folder(path: Path, settings: VectorSettings) -> tuple[Vectors, Vectors | None]:
    wanted = ("train.parquet", "shuffle_train.parquet", "train-*.parquet", "shuffle_train-*.parquet")
    train = next((found for pattern in wanted if (found := sorted(path.glob(pattern)))), None)
    if train is None:
        raise ValueError("the folder has no train.parquet")
    return _column(train, settings.records), _column([path / "test.parquet"], settings.queries)


def _column(paths: list[Path], most: int) -> Vectors:
    """The first rows of the column `emb`, in the order of the file."""
    from pyarrow import parquet

    found: list[Vectors] = []
    for path in paths:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS, columns=["emb"]):
                left = most - sum(map(len, found))
                if left <= 0:
                    break
                found.append(np.stack(batch.column("emb").to_numpy(zero_copy_only=False)[:left]))
    return np.concatenate(found).astype(np.float32)


_READERS: Mapping[str, Callable[[Path, VectorSettings], tuple[Vectors, Vectors | None]]] = {
    ".hdf5": _hdf5,
    ".h5": _hdf5,
    ".parquet": _parquet,
    ".npy": _npy,
    ".npz": _npz,
    "folder": _folder,
}
