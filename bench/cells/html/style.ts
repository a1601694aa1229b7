// The style of the page: light and dark, by what the reader's system prefers.

/** Colours of lines and bars, told apart by most people with a colour deficiency too. */
const LIGHT = ['#2a78d6', '#c05a12', '#12805c', '#7a4fd0', '#c2384a', '#7d6608', '#0f7f8c', '#a33d86'];
const DARK = ['#5ea2f0', '#f0913c', '#3cc492', '#ac8df5', '#f27a86', '#d0b13a', '#45bccb', '#e184c6'];

/** How many there are, in classes `back-1` and so on. */
export const COLOUR_COUNT = LIGHT.length;

function colors(palette: readonly string[]): string {
  return palette.map((color, index) => `--c${index + 1}:${color};`).join('');
}

const CLASSES = LIGHT.map((_, index) => {
  const n = index + 1;
  return `.stroke-${n}{stroke:var(--c${n})}.fill-${n}{fill:var(--c${n})}.back-${n}{background:var(--c${n})}`;
}).join('\n');

/** The stylesheet. */
export const STYLE = `
:root{color-scheme:light dark;--page:#fff;--ink:#1b1f24;--soft:#57606a;--line:#d8dee4;--floor:#1b1f24;--bad:#b3261e;${colors(LIGHT)}}
@media (prefers-color-scheme:dark){:root{--page:#14171b;--ink:#e6e9ed;--soft:#9aa4af;--line:#343b44;--floor:#e6e9ed;--bad:#ff8a80;${colors(DARK)}}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:24px 20px 64px;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:40px 0 6px}h3{font-size:15px;margin:24px 0 6px}
p{max-width:80ch;margin:6px 0}.soft,figcaption{color:var(--soft);font-size:13px}.bad{color:var(--bad);font-weight:600}
ul{margin:6px 0;padding-left:20px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:4px 8px;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap;vertical-align:middle}
thead th{color:var(--soft);font-weight:600;white-space:normal;vertical-align:bottom}tbody th{font-weight:400}
.number{text-align:right}.wide{width:100%;min-width:320px}
figure{margin:14px 0;display:inline-block;width:540px;max-width:100%;vertical-align:top}figure.small{margin:0;width:auto}
svg{display:block;max-width:100%;height:auto}.scroll svg{max-width:none}
.grid-of-plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(320px,1fr));gap:18px 16px}
.grid{stroke:var(--line);stroke-width:1}.axis{stroke:var(--soft);stroke-width:1}
.tick,.label{fill:var(--soft);font-size:11px}.name{fill:var(--ink);font-size:12px}
.series{fill:none;stroke-width:2}.floor{fill:none;stroke-width:1.5;stroke-dasharray:4 3}
.floor-tick{stroke:var(--floor);stroke-width:2}.spread{stroke-width:1.5}.point{stroke:var(--page);stroke-width:1.5}
.hollow{fill:var(--page);stroke-width:2}.row{fill:transparent}g:hover>.row{fill:var(--soft);fill-opacity:.12}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13px;max-width:none}
.entry{display:inline-flex;align-items:center;gap:6px}
.swatch{display:inline-block;width:14px;height:10px;border-radius:2px}.round{width:10px;border-radius:50%}
.dashed{height:0;border-top:2px dashed var(--soft);border-radius:0}.tick-mark{width:2px;height:14px;background:var(--floor)}
.diamond{width:9px;height:9px;border:2px solid var(--c2);transform:rotate(45deg);border-radius:0}
.stack{display:flex;height:20px;gap:1px}.part{display:block;overflow:hidden;color:var(--page);font-size:11px;line-height:20px;text-align:center}
${CLASSES}
.hatched{background-image:repeating-linear-gradient(45deg,transparent 0 3px,var(--page) 3px 4px)}
`;
