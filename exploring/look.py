"""How the page looks and moves: its style and its script, which are part of the one file."""

COLOURS = (
    "#4e79a7 #f28e2b #59a14f #e15759 #b07aa1 #76b7b2 #edc948 #ff9da7 #9c755f #6b8e23 #5f6ee0 #8c8c8c".split()
)
"""Of clusters, by their place."""

STYLE = """
:root { color-scheme: light dark;
  --bg: #f7f7f5; --card: #fff; --ink: #1d1f23; --soft: #666b74; --line: #e3e3de; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #15171b; --card: #1e2127; --ink: #eceef1; --soft: #9aa1ac; --line: #31353d; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink);
  font: 15px/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 28px 24px 64px; }
h1 { font-size: 26px; margin: 0 0 2px; letter-spacing: -.01em; }
h2 { font-size: 18px; margin: 36px 0 12px; }
p { margin: 0 0 8px; } .soft { color: var(--soft); }
.map { position: relative; background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  margin-top: 18px; overflow: hidden; }
#map { display: block; width: 100%; height: min(68vh, 640px); cursor: grab; touch-action: none; }
#map circle { stroke: var(--card); stroke-width: 1.4; vector-effect: non-scaling-stroke;
  transition: opacity .15s; }
#map circle.out { stroke: var(--ink); }
#map circle:hover, #map circle:focus { stroke: var(--ink); outline: none; }
.off { opacity: .08; }
.bar { display: flex; gap: 8px; flex-wrap: wrap; align-items: center; padding: 12px 14px;
  border-top: 1px solid var(--line); }
.bar input, .hint { display: none; } .live input { display: block; } .live + .hint { display: block; }
.bar input { margin-left: auto; min-width: 190px; padding: 7px 11px;
  border: 1px solid var(--line); border-radius: 8px; background: var(--bg); color: inherit; font: inherit; }
button.key { display: inline-flex; gap: 7px; align-items: center; padding: 4px 10px;
  border: 1px solid var(--line); border-radius: 99px; background: none; color: inherit; font: inherit;
  font-size: 13px; cursor: pointer; }
button.key[aria-pressed="true"] { border-color: var(--ink); }
.dot { width: 11px; height: 11px; border-radius: 50%; display: inline-block; flex: none; }
#tip { position: absolute; width: 220px; background: var(--card);
  border: 1px solid var(--line); border-radius: 10px; box-shadow: 0 6px 24px #0003; padding: 8px;
  pointer-events: none; font-size: 13px; z-index: 2; }
#tip img { width: 100%; border-radius: 6px; display: block; margin-bottom: 6px; }
#tip b, .shot b { display: block; overflow-wrap: anywhere; font-weight: 600; }
.cards { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(360px, 1fr)); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px;
  min-width: 0; }
.card h3 { margin: 0 0 2px; font-size: 15px; display: flex; gap: 8px; align-items: center;
  overflow-wrap: anywhere; }
.shots { display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px; margin-top: 10px; }
.wide .shots { grid-template-columns: repeat(2, 1fr); }
.shot { min-width: 0; font-size: 12px; color: inherit; text-decoration: none; }
.shot .pic { aspect-ratio: 16/9; border-radius: 7px; background: var(--line); overflow: hidden;
  display: block; }
.shot img { width: 100%; height: 100%; object-fit: cover; display: block; }
.shot b { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; margin-top: 3px; }
a.shot:hover b { text-decoration: underline; }
.trend { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px;
  overflow-x: auto; }
.trend svg { display: block; width: 100%; min-width: 520px; }
.trend text { fill: var(--soft); font-size: 12px; }
@media (max-width: 460px) { main { padding: 18px 12px 48px; } .cards { grid-template-columns: 1fr; } }
"""

SCRIPT = """
'use strict';
(() => {
  const known = JSON.parse(document.getElementById('known').textContent);
  const map = document.querySelector('.map'), svg = document.getElementById('map');
  const tip = document.getElementById('tip'), dots = [...svg.querySelectorAll('circle')];
  const keys = [...document.querySelectorAll('button.key')];
  const find = document.getElementById('find');
  let box = [0, 0, 1000, 560], cluster = null, drag = null;
  map.classList.add('live');
  const frame = () => svg.setAttribute('viewBox', box.join(' '));
  const filter = () => {
    const words = find.value.trim().toLowerCase();
    dots.forEach((dot, at) => {
      const on = (cluster === null || known[at].c === cluster) && (!words || known[at].w.includes(words));
      dot.classList.toggle('off', !on);
    });
    keys.forEach((key, at) => key.setAttribute('aria-pressed', String(at === cluster)));
  };
  keys.forEach((key, at) => key.addEventListener('click', () => {
    cluster = cluster === at ? null : at;
    filter();
  }));
  find.addEventListener('input', filter);
  const show = (dot, at) => {
    tip.replaceChildren();
    if (known[at].i) { const img = new Image(); img.src = known[at].i; img.alt = ''; tip.append(img); }
    const name = document.createElement('b'); name.textContent = known[at].t; tip.append(name);
    const when = document.createElement('span'); when.textContent = known[at].s; tip.append(when);
    tip.hidden = false;
    const spot = dot.getBoundingClientRect(), home = map.getBoundingClientRect();
    const left = Math.min(spot.right - home.left + 10, home.width - tip.offsetWidth - 8);
    const top = Math.min(spot.top - home.top - 8, home.height - tip.offsetHeight - 8);
    tip.style.left = Math.max(8, left) + 'px'; tip.style.top = Math.max(8, top) + 'px';
  };
  dots.forEach((dot, at) => {
    for (const kind of ['pointerenter', 'focus']) dot.addEventListener(kind, () => show(dot, at));
    for (const kind of ['pointerleave', 'blur']) dot.addEventListener(kind, () => { tip.hidden = true; });
  });
  svg.addEventListener('wheel', (event) => {
    event.preventDefault();
    const by = event.deltaY < 0 ? 0.85 : 1 / 0.85, home = svg.getBoundingClientRect();
    const wide = Math.min(1000, Math.max(40, box[2] * by)), scale = wide / box[2];
    const x = box[0] + box[2] * (event.clientX - home.left) / home.width;
    const y = box[1] + box[3] * (event.clientY - home.top) / home.height;
    box = [x - (x - box[0]) * scale, y - (y - box[1]) * scale, wide, box[3] * scale];
    frame();
  }, { passive: false });
  svg.addEventListener('pointerdown', (event) => { drag = [event.clientX, event.clientY, box[0], box[1]]; });
  addEventListener('pointerup', () => { drag = null; });
  addEventListener('pointermove', (event) => {
    if (!drag) return;
    const home = svg.getBoundingClientRect();
    box[0] = drag[2] - (event.clientX - drag[0]) * box[2] / home.width;
    box[1] = drag[3] - (event.clientY - drag[1]) * box[3] / home.height;
    frame();
  });
  svg.addEventListener('dblclick', () => { box = [0, 0, 1000, 560]; frame(); });
})();
"""
