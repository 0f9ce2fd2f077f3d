"""The style of a report: nothing from elsewhere, for light and dark screens and for paper."""

_COLOURS = 8

_PARTS = 5

_MARKS = "\n".join(
    f".f{at} {{ fill: var(--c{at}); background: var(--c{at}) }} .s{at} {{ stroke: var(--c{at}) }}"
    for at in range(_COLOURS)
)

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfbfd; --card: #ffffff; --ink: #1b1d24; --soft: #5d6270; --edge: #e2e4ea; --tint: #f1f3f8;
  --good: #0b6e4f; --warn: #8a4b08; --warnback: #fff4e2;
  --c0: #3b5bdb; --c1: #e8590c; --c2: #099268; --c3: #c2255c; --c4: #7048e8; --c5: #1098ad;
  --c6: #a17100; --c7: #687076;
  --p0: #ced4da; --p1: #94a3b8; --p2: #3f7d9e; --p3: #1d4e6b; --p4: #e0c9a6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14161c; --card: #1c1f27; --ink: #eceef4; --soft: #a3a9b8; --edge: #31353f;
    --tint: #242833;
    --good: #5fd3a6; --warn: #ffc078; --warnback: #3a2a14;
    --c0: #8aa2ff; --c1: #ff9a5c; --c2: #4fd1a5; --c3: #ff85ad; --c4: #b197fc; --c5: #5fd4e6;
    --c6: #e6c35c; --c7: #a9b0b8;
    --p0: #59616e; --p1: #7f8ea3; --p2: #6fb7d6; --p3: #c8e6f5; --p4: #8a754f;
  }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif }
main { max-width: 1240px; margin: 0 auto; padding: 36px 24px 72px }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -.02em }
h2 { font-size: 20px; margin: 44px 0 12px; letter-spacing: -.01em }
h3 { font-size: 16px; margin: 0 0 2px }
p { margin: 0 0 10px } .card + p { margin-top: 12px } .soft { color: var(--soft) }
code { font: 13px ui-monospace, "SFMono-Regular", "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere }
.facts { display: flex; flex-wrap: wrap; gap: 8px; margin: 16px 0 0; padding: 0; list-style: none }
.facts li { background: var(--tint); border-radius: 999px; padding: 3px 12px; font-size: 13px }
.legend { display: flex; flex-wrap: wrap; gap: 6px 18px; margin: 18px 0 0; padding: 10px 0;
  list-style: none;
  position: sticky; top: 0; background: var(--paper); border-bottom: 1px solid var(--edge); z-index: 1;
  font-weight: 600 }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 50%; margin-right: 7px }
.note { background: var(--warnback); color: var(--warn); border-radius: 10px; padding: 12px 16px;
  margin: 14px 0 }
.note ul { margin: 4px 0 0; padding-left: 20px }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 500px), 1fr));
  gap: 18px }
figure, .card { margin: 0; background: var(--card); border: 1px solid var(--edge); border-radius: 14px;
  padding: 18px 20px }
figcaption { color: var(--soft); font-size: 13px; margin: 0 0 10px }
svg { display: block; width: 100%; height: auto }
svg text { fill: var(--ink); font-size: 12px } svg .tick, svg .axis { fill: var(--soft) }
  svg .tick { font-size: 11px }
svg .label { font-weight: 600 } svg .value { font-size: 11.5px; font-variant-numeric: tabular-nums }
.grid line.grid, svg .grid { stroke: var(--edge); stroke-width: 1 }
.whisker { stroke-width: 2; opacity: .75 } .link { stroke-width: 1.5; opacity: .35 }
  .series { stroke-width: 2; fill: none }
.mark { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 4 3 } .hollow { fill: var(--card);
  stroke-width: 2 }
.pale { opacity: .82 }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 13px }
th, td { text-align: right; padding: 7px 6px; border-bottom: 1px solid var(--edge);
  vertical-align: top; white-space: nowrap }
th { color: var(--soft); font-weight: 600; font-size: 12px; white-space: normal;
  vertical-align: bottom }
th:first-child, td:first-child, .left td, .left th { text-align: left } .left td { white-space: normal }
td:first-child { font-weight: 600 } td small { display: block; color: var(--soft); font-size: 10.5px }
.best { color: var(--good); font-weight: 700 }
details { margin-top: 14px } summary { cursor: pointer; font-weight: 600 }
dl { display: grid; grid-template-columns: minmax(120px, max-content) 1fr; gap: 6px 20px; margin: 0;
  font-size: 14px }
dt { font-weight: 600 } dd { margin: 0; color: var(--soft) }
@media (max-width: 600px) { main { padding: 22px 14px 48px } dl { grid-template-columns: 1fr }
  dd { margin-bottom: 8px } }
@media print { .legend { position: static } figure, .card { break-inside: avoid }
  details > * { display: block } }"""

STYLE += _MARKS + "".join(f"\n.p{at} {{ fill: var(--p{at}) }}" for at in range(_PARTS))
"""What the page's head holds."""
