"""Mutated media files, each put through every tool; run by `test_media_fuzz.py` as a process of its own.

`python fuzz_child.py CLIPS WORK SECONDS SEED...` prints a JSON line when it begins a file and one when it is
done with it, so that the parent knows at which file libav crashed or hung.
"""

from __future__ import annotations

import faulthandler
import json
import random
import re
import resource
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from polyreel import media
from polyreel.core.errors import PolyreelError

MEMORY = 2 << 30  # bytes of address space
SIZES = re.compile(
    rb"ftyp|moov|mvhd|trak|tkhd|mdia|stbl|stsd|stts|stsz|stco|mdat|LIST|RIFF|idx1|\x1fC\xb6u|\x16T\xaek"
)
MAGICS = (
    b"RIFF",
    b"\x1aE\xdf\xa3",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0",
    b"GIF89a",
    b"ID3\x04",
    b"OggS",
    b"#EXTM3U\n",
    b"ffconcat version 1.0\n",
    b"FLV\x01\x05",
    b"\0\0\x01\xba",
    b"%PDF-1.7",
    b"PK\x03\x04",
    bytes(12),
)
SUFFIXES = (
    ".txt",
    ".jpg",
    ".png",
    ".gif",
    ".mp3",
    ".m3u8",
    ".ts",
    ".json",
    ".avi",
    ".webm",
    ".mp4",
    ".sdp",
    "",
    ".y4m",
    ".h264",
)

Mutation = Callable[[bytearray, random.Random], bytearray]


def _cut(data: bytearray, chance: random.Random) -> bytearray:
    return data[: chance.randrange(len(data))]


def _flip(data: bytearray, chance: random.Random, count: int, first: int, end: int) -> bytearray:
    for _ in range(count):
        data[chance.randrange(first, end)] ^= 1 << chance.randrange(8)
    return data


def _flip_few(data: bytearray, chance: random.Random) -> bytearray:
    return _flip(data, chance, chance.randint(1, 8), 0, len(data))


def _flip_many(data: bytearray, chance: random.Random) -> bytearray:
    return _flip(data, chance, len(data) // chance.choice((20, 100, 500)), 0, len(data))


def _flip_header(data: bytearray, chance: random.Random) -> bytearray:
    return _flip(data, chance, chance.randint(1, 30), 0, min(600, len(data)))


def _flip_index(data: bytearray, chance: random.Random) -> bytearray:
    """Where MP4, Matroska and AVI keep their tables: after `moov`, or at the end."""
    at = data.find(b"moov")
    first = at if at >= 0 else max(0, len(data) - 1500)
    return _flip(data, chance, chance.randint(1, 20), first, min(first + 3000, len(data)))


def _zero(data: bytearray, chance: random.Random) -> bytearray:
    first, length = chance.randrange(len(data)), chance.choice((4, 64, 4096))
    data[first : first + length] = bytes(len(data[first : first + length]))
    return data


def _swap(data: bytearray, chance: random.Random) -> bytearray:
    length = chance.choice((16, 512, 4096))
    one, other = sorted(chance.sample(range(max(2, len(data) - length)), 2))
    data[one : one + length], data[other : other + length] = (
        data[other : other + length],
        data[one : one + length],
    )
    return data


def _magic(data: bytearray, chance: random.Random) -> bytearray:
    magic = chance.choice(MAGICS)
    data[: len(magic)] = magic
    return data


def _same(data: bytearray, _: random.Random) -> bytearray:
    return data


def _junk(data: bytearray, chance: random.Random) -> bytearray:
    junk = chance.randbytes(chance.choice((1, 100, 20_000)))
    return data + junk if chance.random() < 0.7 else bytearray(junk) + data


def _sizes(data: bytearray, chance: random.Random) -> bytearray:
    """Another size before a box of MP4, or after a chunk's name in AVI or an element's in Matroska."""
    for found in chance.sample(
        every := list(SIZES.finditer(bytes(data))), min(len(every), chance.randint(1, 3))
    ):
        at = found.end() if found[0] in (b"LIST", b"RIFF", b"idx1") or found[0][0] < 32 else found.start() - 4
        size = chance.choice(
            (0, 1, 7, 8, 0x7FFFFFFF, 0xFFFFFFFF, chance.randrange(1 << 32), chance.randrange(5000))
        )
        if at >= 0:
            data[at : at + 4] = size.to_bytes(4, "big")
    return data


def _values(data: bytearray, chance: random.Random) -> bytearray:
    """Extreme numbers in the header or the index: times, dimensions, counts."""
    at = max(0, data.find(b"moov"))
    for _ in range(chance.randint(1, 6)):
        here = at + 4 * chance.randrange(min(2000, len(data) - at) // 4)
        data[here : here + 4] = chance.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF)).to_bytes(
            4, "big"
        )
    return data


def _duplicate(data: bytearray, chance: random.Random) -> bytearray:
    first, length = chance.randrange(len(data)), chance.choice((32, 1000, 8000))
    at = chance.randrange(len(data))
    return data[:at] + data[first : first + length] * chance.randint(1, 3) + data[at:]


MUTATIONS: dict[str, Mutation] = {
    "cut short": _cut,
    "few bits flipped": _flip_few,
    "many bits flipped": _flip_many,
    "header flipped": _flip_header,
    "index flipped": _flip_index,
    "block zeroed": _zero,
    "blocks swapped": _swap,
    "wrong magic": _magic,
    "other suffix": _same,
    "junk added": _junk,
    "wrong sizes": _sizes,
    "extreme values": _values,
    "chunks doubled": _duplicate,
}


def mutated(clips: list[Path], seed: int, folder: Path) -> tuple[Path, str]:
    """The file of a seed, and what was done to which clip."""
    kinds = list(MUTATIONS)
    kind, clip = kinds[seed % len(kinds)], clips[seed // len(kinds) % len(clips)]
    chance = random.Random(seed)
    data = MUTATIONS[kind](bytearray(clip.read_bytes()), chance)
    suffix = chance.choice(SUFFIXES) if kind == "other suffix" else clip.suffix
    path = folder / f"mutant{seed}{suffix}"
    path.write_bytes(data)
    return path, f"{clip.name}, {kind}"


def _frames(path: Path, _: Path) -> None:
    with media.frames(path, fps=8, size=64) as frames:
        for frame in frames:
            assert frame.image.ndim == 3
    assert frames.damage is None or "\n" not in frames.damage


def _thumbnail(path: Path, out: Path) -> None:
    media.thumbnail(path, out / "thumb.jpg", at_ms=900)


def _cut_middle(path: Path, out: Path) -> None:
    media.cut(path, out / "piece.mp4", start_ms=600, end_ms=1400)


def _probe(path: Path, _: Path) -> None:
    info = media.probe(path)
    assert info.duration_ms >= 0
    assert min(info.width, info.height) > 0


def _image(path: Path, _: Path) -> None:
    media.image(path, size=64)


def _image_of_bytes(path: Path, _: Path) -> None:
    media.image(path.read_bytes()[:4096], size=64)


TOOLS = {
    "probe": _probe, "frames": _frames, "thumbnail": _thumbnail, "cut": _cut_middle, "image": _image,
    "image of bytes": _image_of_bytes,
}  # fmt: skip


def problems(path: Path, out: Path) -> Iterator[str]:
    """What is wrong with how the tools take a file."""
    for name, tool in TOOLS.items():
        before = _descriptors()
        failed = False
        try:
            tool(path, out)
        except PolyreelError as error:
            failed = True
            if "\n" in str(error):
                yield f"{name}: more than one line: {error}"
            if path.name not in str(error) and tool is not _image_of_bytes:
                yield f"{name}: doesn't name the file: {error}"
        except Exception:  # noqa: BLE001 - whatever it is, it is what we look for
            yield f"{name}: {traceback.format_exc()}"
        if _descriptors() != before:
            yield f"{name}: {_descriptors() - before} files left open"
        left = [each.name for each in out.iterdir() if failed or each.name not in ("thumb.jpg", "piece.mp4")]
        if left:
            yield f"{name}: left {left}"
        for each in out.iterdir():
            each.unlink()


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def main(clips: Path, work: Path, seconds: float, seeds: list[int]) -> None:
    """Go through the files of the seeds."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sources = sorted(clips.iterdir())
    for seed in seeds:
        folder, out = work / f"{seed}", work / f"{seed}" / "out"
        out.mkdir(parents=True)
        path, what = mutated(sources, seed, folder)
        print(json.dumps({"seed": seed, "what": what}), flush=True)
        faulthandler.dump_traceback_later(seconds, exit=True)
        found = list(problems(path, out))
        faulthandler.cancel_dump_traceback_later()
        print(json.dumps({"seed": seed, "what": what, "problems": found}), flush=True)
        shutil.rmtree(folder)


if __name__ == "__main__":
    faulthandler.enable()
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), [int(seed) for seed in sys.argv[4:]])
