/** The report's style sheet: light and dark, wide and narrow, screen and paper. */
export const style = `
:root {
  color-scheme: light dark;
  --paper: #fbfbfa; --card: #ffffff; --ink: #1d2129; --soft: #5d6673; --rule: #e2e5ea;
  --good: #17804a; --bad: #b3372f; --open: #8a6100;
  --s0: #2f6fdb; --s1: #8b95a5; --s2: #c47f15; --s3: #2a9d8f; --s4: #9b5de5; --s5: #d1495b; --s6: #4f9a2f; --s7: #b0508e;
  --heat: #2f6fdb; --miss: #d9503f;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #14171c; --card: #1b1f26; --ink: #e8eaee; --soft: #9aa4b2; --rule: #2d333d;
    --good: #4cc38a; --bad: #f0776d; --open: #e2b04a;
    --s0: #6ea3ff; --s1: #7d8796; --s2: #e5a84b; --s3: #52c7b8; --s4: #b78cf2; --s5: #ef7f8d; --s6: #86c866; --s7: #e08cc0;
    --miss: #c0392f;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1rem; font-weight: 600; color: var(--soft); margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.75rem 0 .9rem; } h3 { font-size: 1rem; margin: 1.4rem 0 .7rem; }
.verdict { font-size: clamp(1.3rem, 2.6vw + .6rem, 2rem); line-height: 1.3; font-weight: 650; letter-spacing: -.01em; margin: 0; padding-left: 1.1rem; border-left: .35rem solid var(--soft); text-wrap: pretty; overflow-wrap: anywhere; }
.verdict small { display: block; margin-top: .7rem; font-size: .95rem; font-weight: 400; line-height: 1.5; letter-spacing: 0; color: var(--soft); }
.verdict.helped { border-color: var(--good); } .verdict.did-not-help { border-color: var(--bad); } .verdict.cannot-tell { border-color: var(--open); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.5rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1rem; }
.wide-charts { grid-template-columns: minmax(0, 1fr); } .card + .charts, p + .charts, .charts + .card { margin-top: 1rem; }
.findings { margin: 1.2rem 0 0; padding-left: 1.2rem; } .findings li { margin: .35rem 0; text-wrap: pretty; }
pre { overflow-x: auto; } details > .card { border: 0; padding-top: 0; } details > .settings { margin: 0; padding: 0 1rem .9rem; font-size: .85rem; }
figure, .card { margin: 0; background: var(--card); border: 1px solid var(--rule); border-radius: .6rem; padding: .9rem 1rem; }
figcaption { font-weight: 600; margin-bottom: .4rem; }
figure svg { display: block; width: 100%; height: auto; }
.plot { color: var(--soft); font: 13px/1 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; max-width: 30rem; overflow: visible; }
.plot text { white-space: pre; } .plot .small { font-size: 11.5px; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; margin: 0 0 .3rem; font-size: .85rem; color: var(--soft); }
.chart .scroll { padding: 0; } .chart .scroll .plot { max-width: none; }
.samples img { display: block; max-width: 100%; height: auto; margin: 0 auto; border-radius: .3rem; background: #fff; }
pre { overflow-x: auto; }
details { background: var(--card); border: 1px solid var(--rule); border-radius: .6rem; margin: .75rem 0; }
summary { cursor: pointer; padding: .7rem 1rem; font-weight: 600; }
.scroll { overflow-x: auto; padding: 0 1rem .8rem; } .card .scroll { padding: 0; }
table { width: 100%; border-collapse: collapse; font-size: .92em; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; color: var(--soft); }
th, td { padding: .28rem .9rem .28rem 0; vertical-align: middle; }
tbody tr.first > * { border-top: 1px solid var(--rule); padding-top: .5rem; }
tbody tr.last > * { padding-bottom: .5rem; }
th.name { white-space: nowrap; } .number { text-align: right; white-space: nowrap; } .interval { color: var(--soft); white-space: nowrap; } .middle { text-align: center; padding-right: 0; }
tr.group th { color: var(--ink); font-weight: 600; padding-top: .8rem; }
tr.best td { font-weight: 700; } tr.best td.interval { font-weight: 400; color: var(--soft); }
td.bar { width: 40%; min-width: 6rem; padding-right: 0; }
td.bar svg { display: block; width: 100%; height: 1rem; }
.swatch { display: inline-block; width: .7em; height: .7em; border-radius: .15em; margin-right: .5em; }
.whisker { stroke: var(--ink); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.zero { stroke: var(--soft); stroke-width: 1; vector-effect: non-scaling-stroke; }
.up { color: var(--good); } .down { color: var(--bad); }
.note { color: var(--soft); }
footer { margin-top: 3rem; color: var(--soft); font-size: .85rem; }
@media (max-width: 40rem) {
  main { padding: 1.5rem .9rem 3rem; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .6rem; }
  .scroll { padding: 0 .8rem .6rem; }
  table { font-size: .85em; }
  th, td { padding-right: .6rem; }
  .chart { padding: .7rem .6rem; } .plot { font-size: 14.5px; } .plot .small { font-size: 12px; } .scroll .plot { font-size: 13px; }
  .samples { overflow-x: auto; } .samples img { max-width: none; width: 40rem; }
  th.name { white-space: normal; } .interval, .wide { display: none; } td.bar { width: 26%; min-width: 3.5rem; }
}
@media print {
  :root { --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --rule: #ccc; }
  body { font-size: 12px; } main { max-width: none; padding: 0; } h2 { margin-top: 1.6rem; } td.bar { width: 30%; }
  .wide-charts { display: block; } .wide-charts figure { margin-bottom: .8rem; } .wide-charts .scroll > div { max-width: 36rem !important; }
  figure, tr, .verdict, .findings li { break-inside: avoid; } h2, summary { break-after: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
