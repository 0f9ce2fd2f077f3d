"""One script, any stack: takes videos in and answers a list of queries with the best video for each.

    python examples/one_script.py videos/ queries.jsonl
    POLYREEL_STACK=local_milvus python examples/one_script.py videos/ queries.jsonl
    POLYREEL_STACK=milvus_marengo_s3 python examples/one_script.py videos/ queries.jsonl

A line of queries.jsonl has the arguments of one search: `{"text": "bright"}`, `{"image": "frame.jpg"}`,
`{"video": "piece.mp4"}`, `{"text": "a man pours coffee", "hybrid": true}`. What it prints can be compared:
the id of a video derives from its content, so that it is the same on every stack.
"""

import json
import sys
from pathlib import Path

import polyreel


def main(videos: str, queries: str) -> None:
    """Take videos in, then print the best video for each query."""
    with polyreel.open() as vs:
        report = vs.ingest(videos, workers=4)
        print(report.counts)
        for video in report.videos:
            if video.reason:
                print(f"{video.path}: {video.reason}", file=sys.stderr)

        for line in Path(queries).read_text("utf-8").splitlines():
            best = vs.search(**json.loads(line), group_by="video", limit=1).hits[0]
            print(best.video_id[:12], f"{best.start:.1f}-{best.end:.1f}", line)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
