/** A metric over the images that training has seen. */
import { short } from "../format.ts";
import { below, chanceLine, span, valueAxis } from "./axes.ts";
import { figure } from "./plot.ts";

export interface Curve {
  name: string;
  unit: string;
  /** (x, y) by increasing x: images seen, and the metric. */
  points: readonly (readonly [x: number, y: number])[];
  /** The score of guessing: a dashed line. */
  chance: number;
}

/** A line chart with the chance line. Points that are not finite break the line. */
export function curveChart({ name, unit, points, chance }: Curve): string {
  const caption = unit ? `${name} (${unit})` : name;
  const finite = points.filter((point) => point.every(Number.isFinite));
  return figure({
    caption,
    label: `${caption} over images seen`,
    hasData: finite.length > 0,
    draw: (plot) => ({
      height: 250,
      marginLeft: 50,
      marginTop: 14,
      marginBottom: 44,
      x: { domain: [0, Math.max(1, ...finite.map(([x]) => x))], nice: 5 },
      y: { domain: span([0, chance, ...finite.map(([, y]) => y)]), nice: 5 },
      marks: [
        valueAxis(plot, short),
        plot.axisX({ ...below, ticks: 5, tickFormat: short, label: "images seen" }),
        chanceLine(plot, chance, short),
        finite.length === 1 ? plot.dot(finite, { fill: "var(--s0)" }) : null,
        plot.line(points, { x: ([x]) => x, y: ([, y]) => y, stroke: "var(--s0)", strokeWidth: 2 }),
      ],
    }),
  });
}
