"""The vendor's practice of video search in polyreel's words: a bucket, a listing, three kinds of search.

    export POLYREEL_STACK=vikingdb_tos
    export POLYREEL_STACKS__VIKINGDB_TOS__STORE__ACCESS_KEY=...
    export POLYREEL_STACKS__VIKINGDB_TOS__STORE__SECRET_KEY=...
    export POLYREEL_STACKS__VIKINGDB_TOS__OBJECTS__BUCKET=...
    export TOS_ACCESS_KEY=... TOS_SECRET_KEY=...
    python examples/vikingdb_video_search.py videos/ "sunset at the beach" picture.jpg piece.mp4

VikingDB vectorizes the clips itself. Any other stack does the same, for the code names none.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import polyreel
from polyreel.core.objects import ObjectStore
from polyreel.core.records import Hit

PREFIX = "video_demo/"
ROWS = Path("rows.jsonl")
MOST = 5


def main(videos: str, words: str, image: str, video: str) -> None:
    """Upload a folder, list it, take the listing in, and search in three ways."""
    with polyreel.open() as vs:
        objects = vs.stack.objects
        objects.ensure_bucket()
        for file in sorted(Path(videos).iterdir()):
            if file.is_file():
                objects.put(
                    f"{PREFIX}{file.name}", file, progress=lambda sent: print(f"\r{sent:,} bytes", end="")
                )
                print(f"\r{objects.uri(f'{PREFIX}{file.name}')}")
        listed = [{"uri": objects.uri(info.key), "bytes": info.size} for info in objects.list(PREFIX)]
        ROWS.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in listed), "utf-8")

        # makes the collection with its vectorized field, writes the clips, makes the index, waits for both
        report = vs.ingest(rows=ROWS)
        print(report.counts)

        for name, hits in {
            "text": vs.search(words, group_by="video", limit=MOST).hits,
            "image and text": vs.search(words, image=image, group_by="video", limit=MOST).hits,
            "video": vs.search(video=video, group_by="video", limit=MOST).hits,
        }.items():
            print(f"{name}:")
            for hit in hits:
                print(f"  {hit.score:.3f} {hit.uri} {hit.start:.1f}-{hit.end:.1f}")
            fetch(objects, hits, Path("found") / name.replace(" ", "_"))


def fetch(objects: ObjectStore, hits: Iterable[Hit], folder: Path) -> None:
    """Download the videos of hits; `VideoSearch.save` cuts out the moments instead."""
    folder.mkdir(parents=True, exist_ok=True)
    for rank, hit in enumerate(hits, start=1):
        if key := objects.key(hit.uri):
            objects.get(key, folder / f"{rank}_{Path(key).name}")


if __name__ == "__main__":
    main(*sys.argv[1:5])
