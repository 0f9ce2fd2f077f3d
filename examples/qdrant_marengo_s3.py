"""Recommending videos: one vector for each in Qdrant, made by TwelveLabs Marengo, the files in S3.

    export TWELVELABS_API_KEY=...                                 # and the keys of S3, where boto3 finds them
    export POLYREEL_STACK=tutorial
    export POLYREEL_STACKS__TUTORIAL__PRESET=qdrant_marengo_s3    # in process; STORE__URL names a server
    export POLYREEL_STACKS__TUTORIAL__OBJECTS__BUCKET=my-videos
    export POLYREEL_STACKS__TUTORIAL__EMBEDDER__QUERY_TEMPLATE="Recommend - {query}"
    export POLYREEL_STACKS__TUTORIAL__RECIPE__SCOPES='["video"]'
    python examples/qdrant_marengo_s3.py videos/ "something calm and blue"

The template is put round the words of every query. It belongs to the collection: another one needs another
collection, since the vectors that it makes are not comparable in the same way.
"""

import sys

import polyreel


def main(videos: str, words: str) -> None:
    """Take videos in, recommend some for words, and others for the best of them."""
    with polyreel.open() as vs:
        print(vs.ingest(videos, workers=8).counts)

        print(f"for {words!r}:")
        found = vs.search(words, scope="video", limit=3).hits
        for hit in found:
            print(f"  {hit.score:.3f} {hit.record.text.title} {hit.uri}")

        print(f"and whoever likes {found[0].record.text.title!r}:")
        for hit in vs.similar(found[0].video_id, limit=3):
            print(f"  {hit.score:.3f} {hit.record.text.title} {hit.uri}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
