/** Line charts as inline SVG. Colours and type come from the page's style sheet, so that they follow light and dark. */

export interface Curve {
  name: string;
  unit: string;
  /** (x, y) by increasing x: images seen, and the metric. */
  points: readonly (readonly [x: number, y: number])[];
  /** The score of guessing: a dashed line. */
  chance: number;
}

const WIDTH = 420;
const HEIGHT = 240;
const MARGIN = { left: 52, right: 22, top: 14, bottom: 40 };

/** Escapes text for HTML and attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** A line chart with axes, labels and the chance line. Points that are not finite break the line. */
export function curveChart({ name, unit, points, chance }: Curve): string {
  const finite = points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
  const ys = [...finite.map(([, y]) => y), chance].filter(Number.isFinite);
  const xTicks = ticks(0, Math.max(1, ...finite.map(([x]) => x)), 5);
  const yTicks = ticks(Math.min(0, ...ys), Math.max(...ys, Number.MIN_VALUE), 5);
  const x = scale(xTicks, MARGIN.left, WIDTH - MARGIN.right);
  const y = scale(yTicks, HEIGHT - MARGIN.bottom, MARGIN.top);
  const [right, bottom] = [WIDTH - MARGIN.right, HEIGHT - MARGIN.bottom];
  const title = escapeHtml(unit ? `${name} (${unit})` : name);
  const grid = yTicks.map((tick) => {
    const at = y(tick).toFixed(1);
    return `<line class="grid" x1="${MARGIN.left}" x2="${right}" y1="${at}" y2="${at}"/><text class="tick" x="${MARGIN.left - 8}" y="${at}" dy="0.35em" text-anchor="end">${short(tick)}</text>`;
  });
  const below = xTicks.map(
    (tick) =>
      `<text class="tick" x="${x(tick).toFixed(1)}" y="${bottom + 16}" text-anchor="middle">${short(tick)}</text>`,
  );
  const chanceY = y(chance);
  const guess = Number.isFinite(chance)
    ? `<line class="chance" x1="${MARGIN.left}" x2="${right}" y1="${chanceY.toFixed(1)}" y2="${chanceY.toFixed(1)}"/><text class="tick" x="${right}" y="${(chanceY - 5).toFixed(1)}" text-anchor="end">chance ${short(chance)}</text>`
    : "";
  return `<figure><figcaption>${title}</figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title} over images seen">
${grid.join("")}
<line class="axis" x1="${MARGIN.left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>
${below.join("")}<text class="tick" x="${(MARGIN.left + right) / 2}" y="${HEIGHT - 6}" text-anchor="middle">images seen</text>
<path class="line" d="${path(points, x, y)}"/>
${guess}
</svg></figure>`;
}

function path(points: Curve["points"], x: (value: number) => number, y: (value: number) => number): string {
  let pen = "M";
  return points
    .map(([px, py]) => {
      if (!Number.isFinite(px) || !Number.isFinite(py)) {
        pen = "M";
        return "";
      }
      const part = `${pen}${x(px).toFixed(1)} ${y(py).toFixed(1)}`;
      pen = "L";
      return part;
    })
    .join("");
}

/** Round numbers from at most `low` to at least `high`: steps of 1, 2 or 5 times a power of ten. */
export function ticks(low: number, high: number, count: number): number[] {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const [first, last] = [Math.floor(low / step + 1e-9), Math.ceil(high / step - 1e-9)];
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function scale(marks: readonly number[], from: number, to: number): (value: number) => number {
  const [low, high] = [marks[0] ?? 0, marks.at(-1) ?? 1];
  return (value) => from + ((value - low) / (high - low)) * (to - from);
}

/** 12,000 to "12k", 1.38629 to "1.39". */
function short(value: number): string {
  if (Math.abs(value) >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (Math.abs(value) >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return Number(value.toPrecision(3)).toLocaleString("en-US");
}
