"""Clips in Milvus, vectors of TwelveLabs Marengo: what is like a clip, and what fits a sentence.

    export TWELVELABS_API_KEY=...
    export POLYREEL_STACK=tutorial
    export POLYREEL_STACKS__TUTORIAL__PRESET=local_milvus         # Milvus Lite; STORE__URL names a server
    export POLYREEL_STACKS__TUTORIAL__EMBEDDER__KIND=marengo
    python examples/milvus_marengo.py videos/ "a red ball"

Any other stack does the same: the code below names none.
"""

import sys

import polyreel


def main(videos: str, words: str) -> None:
    """Take videos in, then search by a stored clip and by words."""
    with polyreel.open() as vs:
        report = vs.ingest(videos, workers=8)
        print(report.counts)
        for video in report.videos:
            if video.reason:
                print(f"{video.path}: {video.reason}")

        first = vs.videos()[0]
        print(f"like the beginning of {first.title!r}:")
        clip = next(hit for hit in vs.search(words, within=first.video_id, limit=100) if hit.start == 0)
        for hit in vs.search(like=clip.id, limit=3):
            print(f"  {hit.score:.3f} {hit.uri} {hit.start:.1f}-{hit.end:.1f}")

        print(f"{words!r}:")
        for hit in vs.search(words, limit=3):
            print(f"  {hit.score:.3f} {hit.uri} {hit.start:.1f}-{hit.end:.1f}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
