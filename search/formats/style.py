"""How the HTML page of a report looks: its template and its style sheet."""

from typing import Final

TEMPLATE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{{ report.study }}: report</title>
<style>{{ style }}</style>
</head>
<body>
<header>
<p class="kind">Report</p>
<h1>{{ report.study }}</h1>
<p class="about">{{ report.title }}</p>
<nav aria-label="Contents">
<ol>
{% for section in report.sections %}
<li><a href="#{{ section.name }}">{{ section.title }}</a></li>
{% endfor %}
</ol>
</nav>
</header>
<main>
{% set place = namespace(n=0) %}
{% for section in report.sections %}
<section id="{{ section.name }}">
<h2>{{ section.title }}</h2>
{% for block in section.blocks %}
{% set kind = block|kind %}
{% if kind == "Paragraph" %}
{% if block.tone == "plain" %}
<p>{{ block.text|prose }}</p>
{% else %}
<p class="{{ block.tone }}"><strong>{{ block.tone|capitalize }}</strong> {{ block.text|prose }}</p>
{% endif %}
{% elif kind == "Items" %}
<ul>
{% for line in block.lines %}
<li>{{ line|prose }}</li>
{% endfor %}
</ul>
{% elif kind == "Facts" %}
<dl>
{% for name, text in block.rows %}
<div><dt>{{ name }}</dt><dd>{{ text|prose }}</dd></div>
{% endfor %}
</dl>
{% elif kind == "Code" %}
<figure class="code">
<figcaption>{{ block.label }}</figcaption>
<pre tabindex="0">{{ block.text }}</pre>
</figure>
{% elif kind == "Table" %}
{% set place.n = place.n + 1 %}
<figure class="table{{ " short" if block.rows|length <= 20 }}">
<figcaption id="table-{{ place.n }}">{{ block.caption|prose }}</figcaption>
<div class="wide" role="region" aria-labelledby="table-{{ place.n }}" tabindex="0">
<table aria-labelledby="table-{{ place.n }}">
<thead>
<tr>
{% for column in block.columns %}
<th scope="col"{% if column is number %} class="n"{% endif %}>{{ column.heading }}</th>
{% endfor %}
</tr>
</thead>
<tbody>
{% for row in block.rows %}
<tr{% if loop.index0 in block.strong %} class="strong"{% endif %}>
{% for content in row %}
{% set column = block.columns[loop.index0] %}
{% set exact = content|exact(column) %}
<td class="{{ content|look(column) }}">
{%- if exact is none %}{{ content|shown(column) }}
{%- else %}<data value="{{ exact }}">{{ content|shown(column) }}</data>
{%- endif %}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</div>
</figure>
{% elif kind == "Heading" %}
<h3>{{ block.text }}</h3>
{% elif kind == "Picture" and block.name in pictures %}
<figure class="picture">
<div class="wide" tabindex="0">{{ pictures[block.name][0] }}</div>
<figcaption>Figure {{ pictures[block.name][1]|prose }}</figcaption>
</figure>
{% endif %}
{% endfor %}
</section>
{% endfor %}
</main>
<footer>
<p>Written by <code>python -m search report</code> from the record of the training.
{% if report.typed %}
Every number comes from it but those of {{ report.typed|join(" and ") }}.</p>
{% else %}
Every number comes from it; none was typed.</p>
{% endif %}
</footer>
{% if report.record %}
<data id="record" hidden value="{{ report.record }}"></data>
{% endif %}
</body>
</html>
"""

STYLE: Final = """
:root {
  color-scheme: light dark;
  --page: #fff; --ink: #1a1c20; --soft: #565b64; --line: #d9dce1; --band: #f4f5f7;
  --link: #0b5cad; --warning: #9a3b00; --warned: #fff4ea; --noted: #eef4fb; --strong: #eaf3ec;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #15171a; --ink: #e6e7ea; --soft: #a3a9b3; --line: #363a41; --band: #1e2126;
    --link: #7fb8f5; --warning: #ffb37a; --warned: #33241a; --noted: #1a2633; --strong: #1d2d22;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 66rem;
  background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  overflow-wrap: break-word;
}
.kind { margin: 0; color: var(--soft); font-size: .85rem; }
h1 { margin: 0; font-size: 1.7rem; line-height: 1.25; }
.about { margin: .2rem 0 1.2rem; color: var(--soft); }
h2 {
  margin: 2.4rem 0 .8rem; padding-top: .6rem; border-top: 1px solid var(--line);
  font-size: 1.2rem; line-height: 1.3;
}
h3 { margin: 1.6rem 0 .5rem; font-size: 1rem; line-height: 1.35; }
p, ul, dl { margin: 0 0 .9rem; max-width: 44rem; }
ul { padding-left: 1.2rem; }
li { margin-bottom: .3rem; }
a { color: var(--link); }
nav ol {
  margin: 0; padding: 0; list-style: none; display: flex; flex-wrap: wrap; gap: .35rem 1.1rem;
  font-size: .9rem;
}
nav li { margin: 0; }
nav a { display: inline-block; padding: .2rem 0; }
.warning, .note { padding: .6rem .8rem; border-left: 3px solid var(--line); font-size: .95rem; }
.warning { background: var(--warned); border-color: var(--warning); }
.warning strong { color: var(--warning); }
.note { background: var(--noted); border-color: var(--link); }
.warning strong::after, .note strong::after { content: ":"; }
dl { border-top: 1px solid var(--line); font-size: .95rem; }
dl > div { display: grid; grid-template-columns: 11rem 1fr; gap: 0 1rem; padding: .35rem 0;
  border-bottom: 1px solid var(--line); }
dt { color: var(--soft); }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
.table figcaption { margin-bottom: .3rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .55rem; text-align: left; vertical-align: top; }
th { border-bottom: 1.5px solid var(--ink); font-weight: 600; vertical-align: bottom; }
td { border-bottom: 1px solid var(--line); }
tbody tr:last-child td { border-bottom: 1.5px solid var(--ink); }
.n { text-align: right; white-space: nowrap; }
.b { white-space: nowrap; }
.l { min-width: 13rem; }
th.n { white-space: normal; }
tr.strong td { background: var(--strong); font-weight: 600; }
figure { margin: 0 0 1.4rem; }
figcaption { color: var(--soft); font-size: .85rem; }
.picture { max-width: 40rem; }
.picture svg { display: block; width: 100%; height: auto; background: #fff; border-radius: 4px; }
.picture figcaption { margin-top: .4rem; }
.picture svg * { stroke-linejoin: round; stroke-linecap: butt; }
.code { max-width: 100%; }
pre, code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
code { font-size: .9em; }
pre {
  margin: .25rem 0 0; padding: .7rem .8rem; background: var(--band); border-radius: 4px;
  font-size: .82rem; line-height: 1.5; white-space: pre-wrap; overflow-wrap: anywhere;
}
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
footer { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: .8rem;
  color: var(--soft); font-size: .85rem; }
@media (max-width: 36rem) {
  dl > div { grid-template-columns: 1fr; }
  dt { font-size: .85rem; }
  th, td { padding: .3rem .45rem; }
  table { font-size: .84rem; }
  /* Small letters of a figure that shrank to the screen could not be read. */
  .picture svg { min-width: 28rem; }
}
@media print {
  @page { margin: 18mm 15mm; }
  :root {
    --page: #fff; --ink: #000; --soft: #444; --line: #bbb; --band: #f4f4f4;
    --link: #000; --warning: #000; --warned: #fff; --noted: #fff; --strong: #eee;
  }
  html { font-size: 9.5pt; }
  body { padding: 0; max-width: none; }
  nav { display: none; }
  .wide { overflow: visible; }
  table { font-size: 7.5pt; }
  th, td { padding: 1.5pt 4pt; }
  thead { display: table-header-group; }
  tr, .short, .picture, .warning, .note, dl > div { break-inside: avoid; }
  h2, h3, .table figcaption { break-after: avoid; }
  .picture { max-width: 12cm; }
  pre { font-size: 7.5pt; }
}
"""
