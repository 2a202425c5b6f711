/** Pieces of HTML that sections share. */
import { escapeHtml } from "../escape.ts";

export interface TableCell {
  /** HTML. */
  html: string;
  /** Classes of the style sheet: "number", "wide note". */
  kind?: string;
  head?: boolean;
}

/** A table on a card. Texts in the head are escaped, the rest is HTML. */
export function table(head: readonly (string | TableCell)[], lines: readonly (readonly TableCell[])[]): string {
  const heading = head.map((one) => tag("th", typeof one === "string" ? { html: escapeHtml(one) } : one));
  const body = lines.map((line) => `<tr>${line.map((one) => tag(one.head ? "th" : "td", one)).join("")}</tr>`);
  return `<div class="card"><div class="scroll"><table><thead><tr>${heading.join("")}</tr></thead><tbody>
${body.join("\n")}
</tbody></table></div></div>`;
}

const tag = (name: string, { html, kind }: TableCell) => `<${name}${kind ? ` class="${kind}"` : ""}>${html}</${name}>`;

export const text = (words: string, kind?: string): TableCell => ({
  html: escapeHtml(words),
  ...(kind !== undefined && { kind }),
});
export const number = (words: string): TableCell => text(words, "number");
export const heading = (words: string): TableCell => ({ html: escapeHtml(words), head: true, kind: "name" });

/** Charts side by side where there is room for them. */
export const charts = (some: readonly string[]): string => `<div class="charts">${some.join("\n")}</div>`;

/** Charts below each other, as wide as the page. */
export const wideCharts = (some: readonly string[]): string =>
  `<div class="charts wide-charts">${some.join("\n")}</div>`;

/** @param sentences those that are not false or empty are shown */
export function note(...sentences: (string | false | undefined)[]): string {
  const shown = sentences.filter(Boolean);
  return shown.length ? `<p class="note">${escapeHtml(shown.join(" "))}</p>` : "";
}

/** With more settings than this, they are only counted. */
const FEW = 4;

/** What numbers are means of; "" for one setting. */
export function meansOver(settings: readonly string[]): string {
  if (settings.length < 2) return "";
  return settings.length > FEW ? `Means over ${settings.length} settings.` : `Means over ${settings.join("; ")}.`;
}

export const paragraph = (sentence: string): string => (sentence ? `<p>${escapeHtml(sentence)}</p>` : "");
