/** The numbers beside attention pictures, as sentences and a table. */
import type { MapNumber } from "../evaluate/map-numbers.ts";
import type { Measure } from "../inspect/attention/measures.ts";
import type { AttentionNumbers } from "../study/attention/numbers.ts";
import { escapeHtml } from "./escape.ts";
import { count } from "./format.ts";
import { mapVerdict, massSentence, meanShare, measureNames, shownNumber, spreadSentence } from "./map-sentences.ts";

/** What the maps do, in a sentence: how much of them is on the objects, where these are known, or how far they spread. */
export function attentionSummary(numbers: AttentionNumbers): string | undefined {
  const { compared, withoutMap, uneven, unlike, maskClass } = numbers;
  const mass = withoutMap && massSentence(compared, withoutMap.area, maskClass);
  const found = mass ?? spreadSentence(compared);
  if (!found) return undefined;
  if (uneven) return `${found} These are maps of different powers, which cannot be compared.`;
  return unlike && !mass ? `${found} These are maps of different numbers of places, which cannot be compared.` : found;
}

/** In this order; a column is left out if nothing has it. */
const COLUMNS: readonly Measure[] = ["mass", "pointing", "corloc", "equivariance", "spread"];

/** Differences between encoders in sentences, then a line for each encoder and layer. */
export function numbersPart(all: AttentionNumbers): string {
  const { numbers, differences } = all;
  const verdicts = differences.map((one) => `<li>${escapeHtml(mapVerdict(one))}</li>`).join("\n");
  const columns = COLUMNS.filter((measure) => numbers.some((one) => one.measure === measure));
  const encoders = [...new Set(numbers.map(({ encoder }) => encoder))];
  const heads = columns.map((measure) => `<th class="number">${escapeHtml(measureNames[measure].name)}</th>`);
  const bodies = encoders.map((encoder) => {
    const own = numbers.filter((one) => one.encoder === encoder);
    const layers = [...new Set(own.map(({ layer }) => layer))];
    const lines = layers.map((layer) => line(layer, columns, own));
    return `<tbody><tr class="group"><th colspan="${columns.length + 1}">${escapeHtml(encoder)}</th></tr>\n${lines.join("\n")}</tbody>`;
  });
  return `${verdicts && `<ul>${verdicts}</ul>`}
<div class="card"><div class="scroll"><table><thead><tr><th>Layer</th>${heads.join("")}</tr></thead>
${bodies.join("\n")}
</table></div></div>
<p class="note">${escapeHtml(howMeasured(all))}</p>`;
}

function howMeasured({ images, withoutMap, powers }: AttentionNumbers): string {
  return [
    `Means over ${count(images, "image")} with 95 % intervals. Encoders are compared at the last of their layers here with 4×4 places or more; if all are coarser, at the last.`,
    withoutMap &&
      `Without any map: the middle of the image hits an object in ${meanShare(withoutMap.centre)} of the images, ` +
        `and a map that is even everywhere has ${meanShare(withoutMap.area)} of its mass on them${corloc(withoutMap.whole)}.`,
    `Maps are sums of |activation|^p, with p = ${powers.join(", ")}${powers.length > 1 ? " from early to late layers" : ""}.`,
    "Correlation with the turned-back map: of the map of the image turned by 90°, 180° and 270°, turned back, with that of the " +
      "image as it is; 1 if the map turns with the image.",
    "Effective area: the exponential of the map's entropy, as a part of the image.",
  ]
    .filter(Boolean)
    .join(" ");
}

/** What a box around everything gives; "" without boxes. */
function corloc(whole: ArrayLike<number>): string {
  const share = meanShare(whole);
  return Array.from(whole).every(Number.isNaN) ? "" : `; a box around the whole image has a CorLoc of ${share}`;
}

function line(layer: string, columns: readonly Measure[], own: readonly MapNumber[]): string {
  const cells = columns.map((measure) => {
    const one = own.find((number) => number.layer === layer && number.measure === measure);
    return `<td class="number">${one ? shownNumber(one).replace(" [", " <small>[").replace("]", "]</small>") : "–"}</td>`;
  });
  return `<tr><td>${escapeHtml(layer)}</td>${cells.join("")}</tr>`;
}
