"""The look of the page, on a screen and on paper."""

CSS = """
:root { --ink: #1a1a1a; --grey: #555; --rule: #d9d9d9; --wash: #f6f6f4; --link: #1d4f91; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; color: var(--ink); background: #fff;
  font: 15px/1.5 "Segoe UI", system-ui, "Helvetica Neue", Arial, "Liberation Sans", sans-serif; }
main { max-width: 940px; margin: 0 auto; padding: 28px 32px 48px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 19px; margin: 0 0 4px; }
h3 { font-size: 15px; margin: 0 0 6px; }
p { margin: 0 0 10px; overflow-wrap: break-word; }
a { color: var(--link); }
.about { color: var(--grey); margin-bottom: 16px; }
section { border-top: 1px solid var(--rule); margin-top: 28px; padding-top: 18px; }
.lead { color: var(--grey); margin-bottom: 14px; }
.absent { color: var(--grey); font-style: italic; }
.verdict { border: 1px solid; border-left-width: 8px; border-radius: 4px; padding: 12px 16px;
  margin-bottom: 14px; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.verdict strong { font-size: 18px; letter-spacing: .02em; }
.verdict ul { list-style: none; margin: 6px 0 0; padding: 0; }
.verdict li { padding-left: 22px; text-indent: -22px; overflow-wrap: anywhere; }
.verdict li span { display: inline-block; width: 22px; text-indent: 0; font-weight: 700; }
.yes { border-color: #117733; background: #eff7f1; }
.no { border-color: #b3361b; background: #fdf2ef; }
.unsure { border-color: #b58900; background: #fdf8e6; }
pre { font-size: 13px; background: var(--wash); border: 1px solid var(--rule); padding: 10px 12px;
  overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
.unknown { border-color: #777; background: var(--wash); }
.cards { display: grid; grid-template-columns: repeat(3, 1fr); gap: 14px; }
.card { background: var(--wash); border: 1px solid var(--rule); border-radius: 4px;
  padding: 12px 16px; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.card b { display: block; font-size: 30px; line-height: 1.2; font-weight: 650; }
.card .of { color: var(--grey); font-size: 13.5px; overflow-wrap: anywhere; }
nav { margin-top: 16px; font-size: 14px; }
nav a { margin-right: 14px; white-space: nowrap; }
figure { margin: 0 0 14px; }
svg { display: block; width: 100%; height: auto; font-family: inherit; }
.three { display: grid; grid-template-columns: repeat(auto-fill, minmax(270px, 1fr));
  gap: 6px 18px; align-items: start; }
.two, .beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(400px, 1fr));
  gap: 10px 28px; align-items: start; }
.two > *, .three > *, .beside > * { min-width: 0; }
.table { overflow-x: auto; margin-bottom: 14px; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--grey); padding-bottom: 4px; }
th, td { text-align: left; padding: 4px 18px 4px 0; border-bottom: 1px solid var(--rule);
  vertical-align: top; overflow-wrap: break-word; }
th { font-weight: 600; }
thead th { border-bottom: 1.5px solid #888; vertical-align: bottom; }
td.n, th.n { text-align: right; overflow-wrap: normal; }
td.n { white-space: nowrap; }
td small { color: var(--grey); font-size: 12.5px; }
.names { columns: 200px auto; font-size: 13px; margin: 0 0 14px; padding: 0; list-style: none; }
.names li { break-inside: avoid; overflow-wrap: anywhere; padding-left: 32px; text-indent: -32px; }
.names b { display: inline-block; width: 26px; text-align: right; margin-right: 6px;
  text-indent: 0; }
.config { columns: 320px auto; column-gap: 32px; }
.config .table { break-inside: avoid; }
.config table { width: 100%; }
.query { display: grid; grid-template-columns: 96px 1fr; gap: 14px; padding: 10px 0;
  border-bottom: 1px solid var(--rule); break-inside: avoid; }
.near { display: flex; flex-wrap: wrap; gap: 8px 14px; border-left: 1px solid var(--rule);
  padding-left: 14px; }
.image { width: 92px; font-size: 12.5px; line-height: 1.3; }
.image img { display: block; width: 80px; height: 80px; object-fit: contain;
  image-rendering: pixelated; background: #fff; border: 2px solid #ccc; margin-bottom: 3px; }
.image.other img { border: 3px dashed #b3361b; }
.image span { display: block; overflow-wrap: anywhere; }
.image .sim { color: var(--grey); font-variant-numeric: tabular-nums; }
details { margin-bottom: 14px; }
summary { cursor: pointer; color: var(--link); font-size: 14px; }
.flag { border-left: 4px solid #b58900; background: #fdf8e6; padding: 6px 10px; font-size: 14px;
  max-width: none; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
footer { border-top: 1px solid var(--rule); margin-top: 28px; padding-top: 12px;
  color: var(--grey); font-size: 13px; }
@media (max-width: 900px) {
  table { font-size: 13px; }
  th, td { padding-right: 12px; }
  .image { width: 76px; }
  .image img { width: 70px; height: 70px; }
  .query { grid-template-columns: 80px 1fr; }
}
@media (max-width: 700px) {
  main { padding: 18px 16px 32px; }
  .cards { grid-template-columns: 1fr; }
  .two, .beside { grid-template-columns: 1fr; }
}
@media print {
  @page { size: A4; margin: 14mm 13mm; }
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  a { color: inherit; text-decoration: none; }
  section { margin-top: 16px; padding-top: 12px; }
  p { orphans: 3; widows: 3; }
  h2, h3, .lead, caption, thead { break-after: avoid; }
  figure, tr, .card, .verdict, .flag, .block { break-inside: avoid; }
  details:not([open]) { display: none; }
  .two { grid-template-columns: 1fr 1fr; gap: 8px 18px; }
  .three { grid-template-columns: 1fr 1fr; }
  .beside { grid-template-columns: 1fr; }
  .table { overflow: visible; }
  table { font-size: 9pt; }
  th, td { padding-right: 10px; }
  .image { width: 74px; }
  .image img { width: 62px; height: 62px; }
  .query { grid-template-columns: 78px 1fr; }
}
"""
