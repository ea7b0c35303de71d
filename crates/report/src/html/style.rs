//! The style of the page: light and dark, phone and paper.

/// One sheet inside the page; nothing is loaded from anywhere.
pub(crate) const STYLE: &str = "
:root{color-scheme:light dark;--bg:#f6f8fa;--card:#fff;--fg:#1b1f24;--dim:#57606a;--line:#d5dae0;--soft:#eef1f4;
--good:#15803d;--good-bg:#dcfce7;--warn:#9a5b00;--warn-bg:#fef3c7;--bad:#b91c1c;--bad-bg:#fee2e2;--info:#1d4ed8;--info-bg:#dbeafe;
--bar:#3b76d6;--bar2:#a9c5ef;--area:#15803d22}
@media (prefers-color-scheme:dark){:root{--bg:#0d1117;--card:#161b22;--fg:#e6edf3;--dim:#9da7b3;--line:#30363d;--soft:#21262d;
--good:#4ade80;--good-bg:#0f2d1a;--warn:#f0b849;--warn-bg:#3a2a08;--bad:#ff8a80;--bad-bg:#40151a;--info:#79b8ff;--info-bg:#12284c;
--bar:#4d8ee8;--bar2:#2b4a78;--area:#4ade8022}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 ui-sans-serif,system-ui,'Segoe UI',Roboto,sans-serif}
main{max-width:1120px;margin:0 auto;padding:20px 16px 48px}
h1{font-size:26px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
h2{font-size:17px;margin:34px 0 10px}
h3{font-size:15px;margin:0 0 4px}
p{margin:0 0 8px}
.dim{color:var(--dim)}.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}.info{color:var(--info)}
.outcome{border-radius:10px;padding:18px 20px;border:1px solid var(--line);border-left-width:8px;background:var(--card)}
.outcome.good{border-left-color:var(--good);color:var(--fg)}.outcome.warn{border-left-color:var(--warn);color:var(--fg)}
.outcome.bad{border-left-color:var(--bad);color:var(--fg)}.outcome.info{border-left-color:var(--info);color:var(--fg)}
.share{display:flex;height:14px;border-radius:7px;overflow:hidden;background:var(--soft);margin:14px 0 0}
.share i{display:block;height:100%}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:10px;margin-top:12px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px 14px}
.tile b{display:block;font-size:21px;white-space:nowrap;line-height:1.25;font-variant-numeric:tabular-nums}
.tile span{color:var(--dim);font-size:13px}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px;margin-bottom:10px;overflow-wrap:anywhere}
.card.bad{border-left:5px solid var(--bad);color:var(--fg)}.card.warn{border-left:5px solid var(--warn);color:var(--fg)}
.hint{background:var(--info-bg);border-radius:6px;padding:4px 10px;margin:6px 0 0}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:10px}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:10px}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{padding:6px 10px;text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums;border-top:1px solid var(--soft)}
th{color:var(--dim);font-weight:600;font-size:12.5px;border-top:0;background:var(--card);vertical-align:bottom}
th:first-child,td:first-child,.left{text-align:left}
td.wrap{white-space:normal;min-width:260px;overflow-wrap:anywhere;text-align:left}
.zero{color:var(--dim);opacity:.55}
code{font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
.bars{display:grid;grid-template-columns:minmax(70px,max-content) 1fr minmax(104px,max-content);gap:4px 12px;align-items:center;font-size:14px}
.bars .name{overflow:hidden;text-overflow:ellipsis;max-width:190px;white-space:nowrap}
.bars .value{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;font-size:13px}
.bars svg{display:block;width:100%;height:14px}
.b1{fill:var(--bar)}.b2{fill:var(--bar2)}
svg.chart{display:block;min-width:820px;width:100%;height:auto}
svg.chart text{fill:var(--dim);font-size:12px}
svg.chart .grid{stroke:var(--line);stroke-width:1}
svg.chart .lane{fill:var(--bar)}svg.chart .lane.open{fill:var(--bar2)}svg.chart .lane.over{fill:var(--bad)}
svg.chart .curve{fill:none;stroke:var(--good);stroke-width:2.5}svg.chart .area{fill:var(--area)}
svg.chart .mark{stroke:var(--warn);stroke-width:1.5;stroke-dasharray:4 3}svg.chart .tip{fill:var(--warn)}
.same{font-size:20px;margin:18px 0 8px}
svg.hist{display:block;width:100%;height:110px}
.axis{display:flex;justify-content:space-between;font-size:12.5px;color:var(--dim)}
.key{font-size:13px;color:var(--dim);margin:6px 0 0}.key i{display:inline-block;width:11px;height:11px;border-radius:3px;margin:0 5px 0 12px;vertical-align:-1px}
details>summary{cursor:pointer;padding:8px 0;font-weight:600}
ol.moments{list-style:none;margin:0;padding:0}ol.moments li{padding:5px 0;border-top:1px solid var(--soft);display:flex;gap:12px}
ol.moments li:first-child{border-top:0}ol.moments .when{color:var(--dim);min-width:92px;font-variant-numeric:tabular-nums}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 16px;margin:0}dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
.graph{padding:8px}.graph svg{max-width:none}
@media (max-width:560px){h1{font-size:21px}main{padding:12px 10px 32px}.tiles{grid-template-columns:repeat(2,1fr)}
.tile b{font-size:18px}dl{grid-template-columns:1fr}dt{margin-top:6px}
ol.moments li{display:block}ol.moments .when{display:block}th,td{padding:6px 8px}
td:first-child code{display:block;min-width:130px;white-space:normal}
.bars{grid-template-columns:1fr max-content;grid-auto-flow:dense;gap:2px 12px}.bars svg{grid-column:1/-1;margin-bottom:6px}}
@media print{:root{--bg:#fff;--card:#fff;--fg:#000;--dim:#444;--line:#bbb;--soft:#ddd}body{font-size:12px}main{max-width:none;padding:0}
.card,.tile,.outcome,tr{break-inside:avoid}.scroll{overflow:visible;border:0}svg.chart{min-width:0}h2{break-after:avoid}
.graph svg{max-width:100%;height:auto}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
";
