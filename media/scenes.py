"""Finding where shots begin (PySceneDetect, extra `shots`)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import av

from ..core.errors import ConfigurationError, MediaError
from .opening import open_video, why


def find_shots(path: Path) -> Sequence[int]:
    """Contract: `polyreel.media.shots`."""
    container, stream = open_video(path)
    # PySceneDetect numbers cuts by frames of its own rate; the times it keeps count from the stream's tick 0.
    first = float((stream.start_time or 0) * (stream.time_base or 0))
    container.close()
    found = _detect(path).get_scene_list()
    starts = (round((begin.seconds - first) * 1000) for begin, _ in found[1:])
    return [start for start in starts if start > 0]


def _detect(path: Path) -> Any:
    try:
        scenedetect = import_module("scenedetect")
    except ModuleNotFoundError as error:
        if error.name != "scenedetect":
            raise
        raise ConfigurationError(
            "finding shots needs PySceneDetect", hint='pip install "polyreel[shots]"'
        ) from error
    manager = scenedetect.SceneManager()
    manager.add_detector(scenedetect.AdaptiveDetector())
    try:
        with path.open("rb") as file:
            manager.detect_scenes(scenedetect.VideoStreamAv(file, suppress_output=True))
    except (scenedetect.VideoOpenFailure, av.FFmpegError) as error:
        raise MediaError(f"{path}: shots can't be found: {why(error)}", hint="replace the file") from error
    return manager
