"""Opening media files, and saying in one line why one can't be opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast
from uuid import uuid4

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from ..core.errors import InvalidQueryError, MediaError, NotFoundError

_LOCAL_ONLY = {"protocol_whitelist": "file"}  # A playlist named .mp4 must not make us fetch addresses.
S = TypeVar("S", bound=Stream)
_CHECK = "check with a video player that the file plays, or copy it again from its source"


def require(good: bool, message: str) -> None:  # noqa: FBT001 - The condition reads first, as in an assert.
    """Refuse an argument before anything is opened.

    Raises:
        InvalidQueryError: `good` is false.
    """
    if not good:
        raise InvalidQueryError(message)


def why(error: BaseException) -> str:
    """The driver's reason without its error number and file name."""
    return str(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def readable_file(path: Path) -> int:
    """Check that a file is there, is a file, may be read and holds something; return its bytes.

    Raises:
        NotFoundError: There is no such file.
        MediaError: It can't be read, or it is empty.
    """
    try:
        if path.is_dir():
            raise MediaError(f"{path} is a folder, not a media file", hint="name a file inside it")
        if path.exists() and not path.is_file():  # A pipe would keep us waiting, and a device never ends.
            raise MediaError(f"{path} is no regular file", hint="name a media file")
        with path.open("rb"):
            size = path.stat().st_size
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {path}", hint="check the path") from error
    except PermissionError as error:
        raise MediaError(f"{path} may not be read", hint="check the file's permissions") from error
    except OSError as error:
        raise MediaError(f"{path} can't be read: {why(error)}", hint="check the path") from error
    if size == 0:
        raise MediaError(f"{path} is empty (0 bytes)", hint="copy it again from its source")
    return size


def open_media(path: Path) -> InputContainer:
    """Open a local file for reading; the caller closes it.

    Raises:
        NotFoundError: There is no such file.
        MediaError: It can't be read or is no medium.
    """
    readable_file(path)
    try:
        return av.open(str(path.absolute()), "r", options=_LOCAL_ONLY, metadata_errors="replace")
    except av.FFmpegError as error:
        raise MediaError(f"{path} is not a video or is broken: {why(error)}", hint=_CHECK) from error


def open_video(path: Path) -> tuple[InputContainer, VideoStream]:
    """Open a local video; the caller closes the container.

    Raises:
        NotFoundError: There is no such file.
        MediaError: It can't be read or has no video stream that this build decodes.
    """
    container = open_media(path)
    try:
        return container, _video_stream(container, path)
    except MediaError:
        container.close()
        raise


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    name = container.format.name
    if name.endswith("_pipe") or name == "image2":
        raise MediaError(f"{path} is a still picture, not a video", hint="search with it as an image")
    streams = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
    if not streams:
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise MediaError(f"{path} has no video stream (it holds: {kinds})", hint="name a file with pictures")
    if streams[0].codec_context is None:
        raise MediaError(f"{path} uses a video codec that PyAV can't decode", hint="convert it to H.264")
    return streams[0]


def packets_of(container: InputContainer, stream: S) -> Iterator[Packet[S]]:
    """The packets of one stream, an empty one at the end.

    Those of streams that turn up later (FLV, MPEG-TS) are passed over; PyAV 18 ends with an IndexError there.
    """
    while True:
        try:
            yield from cast("Iterator[Packet[S]]", container.demux(stream))
        except IndexError:
            continue
        return


@contextmanager
def replacing(out: Path, source: Path | None = None) -> Iterator[Path]:
    """A draft beside `out` that takes its place when the block succeeds and is removed when it fails.

    Args:
        out: The file to write.
        source: What it is made from, for the message.

    Raises:
        NotFoundError: The folder of `out` isn't there.
        MediaError: The draft can't be written.
    """
    if not out.parent.is_dir():
        raise NotFoundError(f"there is no folder {out.parent} to write {out.name} into", hint="make it first")
    draft = out.with_name(
        f".polyreel-{uuid4().hex[:16]}"
    )  # Short, since `out` may be as long as names can be.
    try:
        yield draft
        draft.replace(out)
    except (OSError, av.FFmpegError) as error:
        whence = f" from {source}" if source else ""
        raise MediaError(
            f"{out} can't be written{whence}: {why(error)}", hint="check space and permissions"
        ) from error
    finally:
        draft.unlink(missing_ok=True)
