"""The options of `polyreel search` that say what to look for and what the answer should look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.shape import Moments

Text = Annotated[str | None, typer.Argument(help="What to look for, in words.")]
Image = Annotated[list[str] | None, typer.Option(help="A picture like the moment; may be given again.")]
Video = Annotated[
    list[str] | None,
    typer.Option(help="A video like the moment, or a span of one: clip.mp4#t=3,8; may be given again."),
]
Audio = Annotated[list[str] | None, typer.Option(help="A sound like the moment; may be given again.")]
Like = Annotated[
    list[str] | None,
    typer.Option(metavar="RECORD_ID", help="A record like the moment; may be given again."),
]
Lexical = Annotated[
    str | None, typer.Option(help="Words that title, tags, captions or transcript should hold.")
]
Hybrid = Annotated[bool, typer.Option("--hybrid", help="Look TEXT up as words, too, and fuse both rankings.")]
Without = Annotated[str | None, typer.Option(help="Words for what it should not be like.")]
Weight = Annotated[
    list[str] | None,
    typer.Option(metavar="PART=NUMBER", help="How much a part counts: text=2, image_2=0.5; 1 if left out."),
]
Fusion = Annotated[str | None, typer.Option(help="How parts become one ranking: joint, sum, or rank.")]
Channel = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[=NUMBER]",
        help="Only this channel, such as audio; several are fused, each by its weight.",
    ),
]
Scope = Annotated[str, typer.Option(help="clip, video, or any.")]
Within = Annotated[
    str | None, typer.Option(metavar="VIDEO_ID", help="Only in this video; the start of its id will do.")
]
Start = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="Only what goes on after this time of its video.")
]
End = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="Only what begins before this time of its video.")
]
GroupBy = Annotated[str | None, typer.Option("--group-by", help="video: the best hit of each video.")]
Clips = Annotated[int, typer.Option(help="With --group-by video, how many clips of each are listed.")]
Joined = Annotated[bool, typer.Option("--moments", help="Join neighbouring hits of a video to one.")]
Longest = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="With --moments, their greatest length; 30 if left out."),
]
Diversity = Annotated[float, typer.Option(help="From 0, the best hits, to 1, those most unlike each other.")]
Distinct = Annotated[
    float | None,
    typer.Option(metavar="COSINE", help="Leave hits out that are at least so like an earlier one, as 0.95."),
]
MinScore = Annotated[float | None, typer.Option("--min-score", help="Only hits of at least this score.")]

Rerank = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Let the stack's reranker order the best N, which --limit may not exceed."
    ),
]


def numbers(option: str, given: Sequence[str] | None) -> dict[str, float]:
    """The names and numbers of `name=number`; a name alone counts 1.

    Raises:
        InvalidQueryError: One isn't written so.
    """
    from ..core.errors import InvalidQueryError

    found = {}
    for each in given or ():
        name, sign, number = each.partition("=")
        try:
            found[name] = float(number) if sign else 1.0
        except ValueError as error:
            raise InvalidQueryError(
                f"--{option} is {each!r}, and {number!r} is no number", hint=f"write --{option} {name}=0.5"
            ) from error
    return found


def moments(longest: float | None, *, wanted: bool) -> bool | Moments:
    """How hits are joined, if they are.

    Raises:
        InvalidQueryError: A length without moments, or one out of range.
    """
    from ..core.errors import InvalidQueryError

    if longest is None:
        return wanted
    if not wanted:
        raise InvalidQueryError("--longest is the length of moments", hint="add --moments")
    from ..core.shape import Moments

    return Moments(longest=longest)
