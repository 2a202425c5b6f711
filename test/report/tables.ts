/** Small confusion matrices and heat maps. */
import { accuracy } from "../../src/metric.ts";
import { confusionChart } from "../../src/report/charts/confusion.ts";
import { heatmapChart } from "../../src/report/charts/heatmap.ts";

export const EVIL = '<b>"x"&';
export const measured = (value: number) => ({ value, low: value - 0.1, high: value + 0.1 });

export const confusion = (size: number) =>
  confusionChart({
    classes: Array.from({ length: size }, (_, i) => (i ? `class ${i}` : EVIL)),
    counts: Array.from({ length: size }, (_, i) =>
      Array.from({ length: size }, (_, j) => (i === j ? 60 : 1 + ((i * j) % 40))),
    ),
    draws: 1,
  });
export const heat = (differences: boolean) =>
  heatmapChart({
    caption: "Gain",
    rows: ["rotation", EVIL],
    columns: ["resnet18", "alexnet"],
    metric: accuracy,
    differences,
    cells: [
      { row: "rotation", column: "resnet18", ...measured(0.4), significant: true },
      { row: "rotation", column: "alexnet", ...measured(0.2), significant: true },
      { row: EVIL, column: "alexnet", ...measured(-0.05), significant: false },
      { row: EVIL, column: "none such", ...measured(0.2), significant: true },
    ],
  });
