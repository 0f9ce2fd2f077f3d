"""Queries with known answers from a folder of described videos, for `polyreel evaluate`.

    python -m polyreel.bench.clip_queries VIDEOS_FOLDER OUT

The folder holds videos and a `manifest.json` with captions in English and Chinese, tags and scene groups. OUT
gets a file of judgements for each kind of question, and the pictures that are asked with. The videos must
have been taken in with captions and tags as text: `--sidecars` writes them, beside links to the videos, into
OUT/videos.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from polyreel import media

SAME_SCENE = {"truncated_flower.mp4": "flower_bloom.webm"}
"""Files whose content is that of another: either is a right answer, except where a row says "own file"."""
_PICTURE = 400  # pixels on the long side
_TENTHS = range(1, 10)

Row = Mapping[str, Any]


def _half(items: Sequence[str], which: int) -> Sequence[str]:
    middle = len(items) // 2
    return items[middle:] if which else items[:middle]


TEXTS: dict[str, Callable[[Row], str]] = {
    "caption EN": lambda row: str(row["caption_en"]),
    "caption ZH": lambda row: str(row["caption_zh"]),
    "second half of EN": lambda row: " ".join(_half(row["caption_en"].split(), 1)),
    "first half of ZH": lambda row: "".join(_half(row["caption_zh"], 0)),
    "first 4 words": lambda row: " ".join(row["caption_en"].split()[:4]),
    "first 6 characters of ZH": lambda row: str(row["caption_zh"][:6]),
    "tags": lambda row: " ".join(row["tags"]),
}
"""What is asked of a video in words."""


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """The manifest's rows."""
    rows: list[dict[str, Any]] = json.loads((folder / "manifest.json").read_text("utf-8"))
    return rows


def scene(row: Row) -> str:
    """Videos with the same scene show the same place and people."""
    return str(row["scene_group"] or SAME_SCENE.get(row["file"], row["file"]))


def questions(folder: Path, pictures: Path) -> dict[str, list[dict[str, Any]]]:
    """Lines of judgements by kind of question. Frames at 10, 20, ... 90 % are written into `pictures`."""
    rows = rows_of(folder)
    frames = [(row, picture) for row in rows for picture in _frames(folder / row["file"], row, pictures)]
    asked = {
        name: [{"id": row["file"], "text": ask(row), "relevant": [row["file"]]} for row in rows]
        for name, ask in TEXTS.items()
    }
    asked["frame, for its scene"] = [_framed(picture, _same_scene(row, rows)) for row, picture in frames]
    asked["frame, for its own file"] = [_framed(picture, [row["file"]]) for row, picture in frames]
    asked["video, for the other half of its scene"] = [
        {"id": row["file"], "video": str(folder / row["file"]), "relevant": others, "ignore": [row["file"]]}
        for row in rows
        if row["scene_group"] and (others := [name for name in _same_scene(row, rows) if name != row["file"]])
    ]
    return asked


def described(folder: Path, videos: Path) -> Path:
    """Links to the videos in a folder of their own, with captions and tags as sidecars."""
    videos.mkdir(parents=True, exist_ok=True)
    for row in rows_of(folder):
        link, sidecar = (
            videos / row["file"],
            {"tags": row["tags"], "caption": [row["caption_en"], row["caption_zh"]]},
        )
        if not link.exists():
            link.symlink_to((folder / row["file"]).absolute())
        (videos / f"{row['file']}.json").write_text(json.dumps(sidecar), encoding="utf-8")
    return videos


def write(asked: Mapping[str, Sequence[Mapping[str, Any]]], out: Path) -> list[Path]:
    """A file for each kind of question, named like it."""
    files = []
    for name, lines in asked.items():
        files.append(out / f"{name.replace(',', '').replace(' ', '_').lower()}.jsonl")
        files[-1].write_text("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines), "utf-8")
    return files


def _frames(path: Path, row: Row, pictures: Path) -> Iterator[Path]:
    """Pictures of what of the video can be decoded."""
    pictures.mkdir(parents=True, exist_ok=True)
    last = (row["decoded_frames"] - 1) / row["fps"]
    for tenth in _TENTHS:
        picture = pictures / f"{path.name}.{tenth}0.jpg"
        media.thumbnail(path, picture, at_ms=round(last * tenth * 100), size=_PICTURE)
        yield picture.absolute()


def _framed(picture: Path, relevant: Sequence[str]) -> dict[str, Any]:
    return {"id": picture.stem, "image": str(picture), "relevant": list(relevant)}


def _same_scene(row: Row, rows: Sequence[Row]) -> list[str]:
    return [str(other["file"]) for other in rows if scene(other) == scene(row)]


def main() -> None:
    """Write the files and print their names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="videos with a manifest.json")
    parser.add_argument("out", type=Path, help="a folder for the files of judgements")
    parser.add_argument("--sidecars", action="store_true", help="also write OUT/videos, ready to be taken in")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.sidecars:
        print(described(given.folder, given.out / "videos"))
    for file in write(questions(given.folder, given.out / "pictures"), given.out):
        print(file)


if __name__ == "__main__":
    main()
