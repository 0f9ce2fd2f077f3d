"""The map as one HTML file: nothing is loaded from elsewhere, and nothing that a title says can run.

Every text is escaped, data for the script are JSON without `<`, and the page's own policy allows no script
but the one whose digest it names.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ..core.locks import disk_error, replacing
from .look import COLOURS, SCRIPT, STYLE
from .thumbnails import thumbnails

if TYPE_CHECKING:
    from ..core.records import Record
    from ..core.search import VideoSearch
    from .report import Cluster, Exploration, Point, Trend

WIDTH, HEIGHT = 1000, 560
"""Units of the map."""

_MARGIN = 28
_LINKED = frozenset({"file", "http", "https"})


def write_page(
    found: Exploration, search: VideoSearch, out: str | Path, *, title: str = "", pictures: int = 300
) -> Path:
    """Write the map of an exploration to one HTML file, which is replaced whole.

    Args:
        found: What was found.
        search: The stack it was found in, still open: pictures come from videos that lie on this machine.
        out: The file.
        title: Of the page.
        pictures: How many records get a picture; those of clusters, outliers and duplicates come first.

    Raises:
        PolyreelError: The file can't be written.
    """
    path = Path(out).expanduser()
    shots = thumbnails(search, _wanted(found), pictures)
    body = page(found, shots, title=title or f"What is in {search.stack.collection}").encode()
    try:
        with replacing(path.absolute()) as file:
            file.write(body)
    except OSError as error:
        raise disk_error(error, f"the page {path} can't be written") from error
    return path


def page(found: Exploration, shots: Mapping[str, str], *, title: str) -> str:
    """The whole page.

    Args:
        found: What was found.
        shots: Pictures as `data:` addresses, by the record's id.
        title: Of the page.
    """
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(STYLE)}'; script-src '{_digest(SCRIPT)}'"
    )
    parts = [
        _map(found),
        _clusters(found, shots),
        _trend(found),
        _outliers(found, shots),
        _duplicates(found, shots),
    ]
    counted = f"{found.sampled:,} records in {len(found.clusters)} clusters"
    of = f", a sample of {found.total:,}" if found.sampled < found.total else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f'<h1>{escape(title)}</h1><p class="soft">{counted}{of}</p>{"".join(parts)}</main>'
        f'<script type="application/json" id="known">{_known(found, shots)}</script>'
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _wanted(found: Exploration) -> Iterator[Record]:
    """The records of which a picture says most first, then all others."""
    records = found.records
    for ids in (
        (id for cluster in found.clusters for id in cluster.typical),
        (id for pair in found.duplicates for id in pair.records),
        (each.id for each in found.outliers),
    ):
        yield from (records[id] for id in ids)
    yield from records.values()


# -- the map ----------------------------------------------------------------------------------------------


def _map(found: Exploration) -> str:
    far = {each.id for each in found.outliers}
    dots = "".join(_dot(point, far=point.record.id in far) for point in found.points)
    keys = "".join(
        f'<button class="key" type="button" aria-pressed="false">'
        f"{_mark(at)}{escape(_label(cluster, at))}</button>"
        for at, cluster in enumerate(found.clusters)
    )
    return (
        f'<div class="map"><svg id="map" viewBox="0 0 {WIDTH} {HEIGHT}" aria-label="Map of records">'
        f'{dots}</svg><div id="tip" hidden></div><div class="bar">{keys}'
        f'<input id="find" type="search" placeholder="Find in titles and tags" aria-label="Find"></div></div>'
        f'<p class="soft hint">Near points look or sound alike; distances say no more than that. '
        f"Scroll to come nearer, drag to move, double-click to see all.</p>"
    )


def _dot(point: Point, *, far: bool) -> str:
    x = _MARGIN + point.x * (WIDTH - 2 * _MARGIN)
    y = _MARGIN + point.y * (HEIGHT - 2 * _MARGIN)
    mark = ' class="out"' if far else ""
    name = escape(_name(point.record))
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6.5" fill="{_colour(point.cluster)}" tabindex="0"{mark}>'
        f"<title>{name} {_span(point.record)}</title></circle>"
    )


def _known(found: Exploration, shots: Mapping[str, str]) -> str:
    """What the script tells of each point, as JSON that can't end its element."""
    told = [
        {
            "t": _name(point.record),
            "s": _span(point.record),
            "c": point.cluster,
            "w": f"{_name(point.record)} {' '.join(point.record.text.tags)}".lower(),
            "i": shots.get(point.record.id, ""),
        }
        for point in found.points
    ]
    return json.dumps(told, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")


# -- the sections -----------------------------------------------------------------------------------------


def _clusters(found: Exploration, shots: Mapping[str, str]) -> str:
    cards = "".join(
        f'<article class="card"><h3>{_mark(at)}{escape(_label(cluster, at))}</h3>'
        f'<p class="soft">{cluster.size} records of {_counted(cluster.videos, "video")}</p>'
        f"{_shots(found, cluster.typical, shots)}</article>"
        for at, cluster in enumerate(found.clusters)
    )
    return f'<h2>Clusters</h2><div class="cards">{cards}</div>'


def _outliers(found: Exploration, shots: Mapping[str, str]) -> str:
    if not found.outliers:
        return '<h2>Outliers</h2><p class="soft">Nothing stands apart.</p>'
    first = found.outliers[:12]
    usual = f"Farther from every other video than usual ({first[0].usual:.2f})."
    notes = {each.id: f"distance {each.distance:.2f}" for each in first}
    return (
        f'<h2>Outliers</h2><div class="card"><p class="soft">{usual}</p>'
        f"{_shots(found, [each.id for each in first], shots, notes)}</div>"
    )


def _duplicates(found: Exploration, shots: Mapping[str, str]) -> str:
    if not found.duplicates:
        return '<h2>Near-duplicates</h2><p class="soft">No two videos show the same.</p>'
    cards = "".join(
        f'<article class="card wide"><p class="soft">similarity {pair.similarity:.3f}, '
        f"{_counted(pair.clips, 'pair')} of records</p>{_shots(found, pair.records, shots)}</article>"
        for pair in found.duplicates[:24]
    )
    return f'<h2>Near-duplicates</h2><div class="cards">{cards}</div>'


def _trend(found: Exploration) -> str:
    trend = found.trend
    if trend is None:
        return ""
    risen = [(change, at) for at, change in enumerate(trend.change) if abs(change) >= 0.05]
    told = "; ".join(
        f"{_label(found.clusters[at], at)} {'rises' if change > 0 else 'falls'} by {abs(change):.0%}"
        for change, at in sorted(sorted(risen, key=lambda each: -abs(each[0]))[:6], reverse=True)
    )
    return (
        f"<h2>Over time: {escape(trend.field)}</h2>"
        f'<p class="soft">{escape(told or "No cluster rises or falls much between both halves.")}</p>'
        f'<div class="trend">{_bars(trend)}</div>'
    )


def _bars(trend: Trend) -> str:
    """A stacked bar for each period."""
    totals = [sum(each) for each in zip(*trend.counts, strict=True)]
    step, most = WIDTH / max(len(totals), 1), max(totals)
    bars = []
    for at in range(len(totals)):
        top = 180.0
        for cluster, counts in enumerate(trend.counts):
            high = 165 * counts[at] / most
            top -= high
            if counts[at]:
                place = f'x="{at * step + 1:.1f}" y="{top:.1f}" height="{high:.1f}"'
                bars.append(
                    f'<rect {place} width="{max(step - 2, 1):.1f}" fill="{_colour(cluster)}">'
                    f"<title>{escape(trend.periods[at])}: {counts[at]}</title></rect>"
                )
    every = max(1, len(totals) // 8)
    names = "".join(
        f'<text x="{(at + 0.5) * step:.1f}" y="202" text-anchor="middle">{escape(trend.periods[at])}</text>'
        for at in range(every // 2, len(totals), every)
    )
    return f'<svg viewBox="0 0 {WIDTH} 210">{"".join(bars)}{names}</svg>'


def _shots(
    found: Exploration, ids: Iterable[str], shots: Mapping[str, str], notes: Mapping[str, str] | None = None
) -> str:
    records = found.records
    return (
        f'<div class="shots">{"".join(_shot(records[id], shots, (notes or {}).get(id)) for id in ids)}</div>'
    )


def _shot(record: Record, shots: Mapping[str, str], note: str | None) -> str:
    picture = f'<img src="{shots[record.id]}" alt="" loading="lazy">' if record.id in shots else ""
    said = f"{_span(record)}{f' · {note}' if note else ''}"
    inner = (
        f'<span class="pic">{picture}</span><b>{escape(_name(record))}</b><span class="soft">{said}</span>'
    )
    if urlsplit(record.uri).scheme not in _LINKED:
        return f'<div class="shot">{inner}</div>'
    return f'<a class="shot" href="{escape(record.uri)}#t={record.start:g},{record.end:g}">{inner}</a>'


# -- words ------------------------------------------------------------------------------------------------


def _label(cluster: Cluster, at: int) -> str:
    return ", ".join(cluster.words) or f"cluster {at + 1}"


def _name(record: Record) -> str:
    return record.text.title or unquote(urlsplit(record.uri).path.rpartition("/")[2]) or record.video_id


def _span(record: Record) -> str:
    return f"{_clock(record.start)}-{_clock(record.end)}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _mark(at: int) -> str:
    return f'<svg class="dot" viewBox="0 0 2 2"><circle cx="1" cy="1" r="1" fill="{_colour(at)}"/></svg>'


def _colour(at: int) -> str:
    return COLOURS[at % len(COLOURS)]
