/** The frame of every report: one self-contained HTML page. Its script unfolds everything for printing; a page may add its own. */
import { escapeHtml } from "./escape.ts";
import { style } from "./style.ts";

export interface Page {
  title: string;
  /** HTML of what stands first. */
  opening: string;
  /** HTML. */
  sections: readonly string[];
  /** CSS for this page alone. */
  style?: string;
  /** A script for this page alone. */
  script?: string;
}

export function pageHtml({ title, opening, sections, style: own = "", script = "" }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${style}${own}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${opening}
${sections.join("\n")}
<footer>Written by Selfsight.</footer>
</main>
<script>addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => (one.open = true)));${script}</script>
</body>
</html>
`;
}

/** @param content HTML */
export function section(heading: string, content: string): string {
  return `<section><h2>${escapeHtml(heading)}</h2>\n${content}</section>`;
}

/** Names with what is said of each, as plain text. */
export function factList(facts: readonly (readonly [name: string, value: string])[]): string {
  return `<dl>${facts.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`).join("\n")}</dl>`;
}

/** A PNG with a note below it. @param note HTML */
export function pictureFigure(png: Uint8Array, { alt, note }: { alt: string; note: string }): string {
  const data = Buffer.from(png).toString("base64");
  return `<figure class="samples"><img alt="${escapeHtml(alt)}" src="data:image/png;base64,${data}"></figure>
<p class="note">${note}</p>`;
}
