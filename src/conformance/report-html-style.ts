// How the page of a conformance report looks: on a light or dark screen, narrow or wide, and on paper.

/** The style sheet. */
export const STYLE = `
:root {
  --ground: #f7f7f4; --card: #ffffff; --ink: #1d2326; --soft: #5d686d; --line: #dcdfdc; --code: #eef0ec;
  --passed: #1a7a4a; --failed: #c02b2b; --not-run: #8a6400; --unobservable: #5d6670;
  --passed-soft: #e3f3e9; --failed-soft: #fbe7e5; --not-run-soft: #faf0d4; --unobservable-soft: #eaedef;
  --fwd: #1f5fa8; --ret: #8a3f94;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14181a; --card: #1c2124; --ink: #e4e8e6; --soft: #9aa6ab; --line: #313a3e; --code: #262d30;
    --passed: #5fd497; --failed: #ff8c80; --not-run: #e5bb55; --unobservable: #a6b1b9;
    --passed-soft: #17382a; --failed-soft: #45201e; --not-run-soft: #3b3117; --unobservable-soft: #2a3237;
    --fwd: #85b9f5; --ret: #dba0e4;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 2.5rem 1.5rem 4rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
code, table, .scene { font-family: ui-monospace, "SF Mono", "DejaVu Sans Mono", Consolas, monospace; }
.kicker { margin: 0; color: var(--soft); font-size: .85rem; letter-spacing: .08em; }
h1 { margin: 0 0 .5rem; font-size: 2rem; line-height: 1.2; letter-spacing: -.015em; }
.peer { margin: 0 0 1.5rem; }
.peer code { display: block; padding: .6rem .8rem; border-radius: .4rem; background: var(--code); font-size: .85rem;
  overflow-wrap: anywhere; white-space: pre-wrap; }
.facts { display: flex; flex-wrap: wrap; gap: .75rem 2.5rem; margin: 0 0 1.75rem; }
.facts dt { color: var(--soft); font-size: .8rem; }
.facts dd { margin: 0; }
.facts ul { margin: 0; padding: 0; list-style: none; }
.proportions { display: flex; gap: 2px; height: .6rem; margin-bottom: 1rem; overflow: hidden; border-radius: .3rem; }
.proportions i { min-width: 3px; }
.proportions .passed { background: var(--passed); }
.proportions .failed { background: var(--failed); }
.proportions .not-run { background: var(--not-run); }
.proportions .unobservable { background: var(--unobservable); }
.filters { display: flex; flex-wrap: wrap; gap: .5rem; margin: 0; padding: 0; border: 0; }
.filters legend { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.filters label { padding: .35rem .9rem; border: 1px solid var(--line); border-radius: 2rem; background: var(--card);
  color: var(--soft); cursor: pointer; font-size: .9rem; }
.filters b { color: var(--ink); font-variant-numeric: tabular-nums; }
.filters input { position: absolute; opacity: 0; }
.filters label:has(:checked) { border-color: currentColor; box-shadow: inset 0 0 0 1px currentColor; color: var(--ink); }
.filters label:has(:focus-visible) { outline: 2px solid var(--fwd); outline-offset: 2px; }
.filters .failed:has(:checked) { color: var(--failed); }
.filters .passed:has(:checked) { color: var(--passed); }
.filters .not-run:has(:checked) { color: var(--not-run); }
body:has(#show-failed:checked) .rule:not(.failed), body:has(#show-passed:checked) .rule:not(.passed),
body:has(#show-not-run:checked) .rule:not(.not-run),
body:has(#show-unobservable:checked) .rule:not(.unobservable) { display: none; }
body:has(#show-failed:checked) section:not(:has(.rule.failed)),
body:has(#show-passed:checked) section:not(:has(.rule.passed)),
body:has(#show-not-run:checked) section:not(:has(.rule.not-run)),
body:has(#show-unobservable:checked) section:not(:has(.rule.unobservable)) { display: none; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.2rem; }
h2 span { margin-left: .4rem; color: var(--soft); font-size: .85rem; font-weight: 400; }
.rule { border: 1px solid var(--line); background: var(--card); margin-top: -1px; scroll-margin-top: 1rem; }
.rule:first-of-type { border-radius: .5rem .5rem 0 0; }
.rule:last-of-type { border-radius: 0 0 .5rem .5rem; }
.rule.failed { box-shadow: inset 4px 0 var(--failed); }
.rule > summary { display: flex; align-items: baseline; gap: .75rem; padding: .6rem .9rem; cursor: pointer; list-style: none; }
.rule > summary::-webkit-details-marker { display: none; }
.rule > summary::after { content: "+"; margin-left: auto; color: var(--soft); font-weight: 600; }
.rule[open] > summary::after { content: "−"; }
.rule > summary > b { flex: none; width: 2.9rem; font-variant-numeric: tabular-nums; }
.rule[open] > summary .sentence { font-weight: 600; }
.sentence small { display: block; color: var(--soft); font-size: .85rem; font-weight: 400; }
summary:focus-visible { outline: 2px solid var(--fwd); outline-offset: -2px; }
.badge { flex: none; padding: .05rem .5rem; border-radius: 1rem; font-size: .78rem; font-style: normal; font-weight: 600; white-space: nowrap; }
.rule > summary .badge { width: 7.9rem; text-align: center; }
.badge.passed { background: var(--passed-soft); color: var(--passed); }
.badge.failed { background: var(--failed-soft); color: var(--failed); }
.badge.not-run { background: var(--not-run-soft); color: var(--not-run); }
.badge.unobservable { background: var(--unobservable-soft); color: var(--unobservable); }
.body { padding: .1rem .9rem 1rem; }
.body p { margin: .4rem 0; color: var(--soft); }
article { margin-top: .75rem; padding-left: .9rem; border-left: 2px solid var(--line); }
article.failed { border-color: var(--failed); }
article h3 { display: flex; gap: .6rem; align-items: baseline; margin: 0; font-size: 1rem; font-weight: 600; }
.body .scene { margin: .1rem 0 0; font-size: .8rem; }
article dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .9rem; margin: .35rem 0; }
article dt { color: var(--soft); }
article dd { margin: 0; overflow-wrap: anywhere; }
article.failed dt:last-of-type + dd { color: var(--failed); font-weight: 600; }
.exchange > summary { color: var(--soft); cursor: pointer; font-size: .85rem; }
.scroll { overflow-x: auto; margin-top: .4rem; border: 1px solid var(--line); border-radius: .4rem; }
table { width: 100%; border-collapse: collapse; font-size: .76rem; line-height: 1.45; }
th, td { padding: .12rem .6rem; text-align: left; vertical-align: top; white-space: nowrap; }
th { border-bottom: 1px solid var(--line); background: var(--code); color: var(--soft); font-weight: 400; }
td:nth-child(1), td:nth-child(3), td:nth-child(4), th:nth-child(1), th:nth-child(3), th:nth-child(4) { text-align: right; }
td:nth-child(1), td:nth-child(3), td:nth-child(4), td:nth-child(6) { color: var(--soft); }
td:nth-child(5) { white-space: normal; min-width: 24rem; overflow-wrap: anywhere; }
td.inner { padding-left: 2rem; }
.fwd td:nth-child(2), .fwd td b { color: var(--fwd); }
.ret td:nth-child(2), .ret td b { color: var(--ret); }
.error td { background: var(--failed-soft); }
.error td b { color: var(--failed); }
.ending td { color: var(--not-run); }
tbody tr.ending td:nth-child(3), tr.folded td { text-align: left; color: var(--soft); }
@media (max-width: 44rem) {
  body { padding: 1.5rem .8rem 3rem; }
  .rule > summary { flex-wrap: wrap; gap: .3rem .6rem; }
  .rule > summary .badge { width: auto; }
  .rule > summary .sentence { flex-basis: 100%; order: 1; }
}
@media print {
  :root { --ground: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --code: #f3f3f3;
    --passed: #0d5c34; --failed: #a11616; --not-run: #6d4f00; --unobservable: #444c55; --fwd: #103f75; --ret: #652b6d;
    --passed-soft: #fff; --failed-soft: #fff; --not-run-soft: #fff; --unobservable-soft: #fff; }
  body { max-width: none; padding: 0; font-size: 9.5pt; }
  .filters, .rule > summary::after, .exchange:not([open]) { display: none; }
  .proportions i, .badge { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .rule > summary, article dl, tr { break-inside: avoid; }
  h2 { break-after: avoid; }
  table { font-size: 6.5pt; }
}
`;
