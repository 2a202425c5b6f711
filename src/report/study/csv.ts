/** The cells of a study as a table for spreadsheets and scripts. */
import { csvFormat } from "d3-dsv";
import type { CellResult } from "../../study/grid/cell.ts";

/** One line for each cell, with a header. Values as they were measured: fractions, not percent. */
export function studyCsv(cells: readonly CellResult[]): string {
  return `${csvFormat(cells.map(line), columns)}\n`;
}

const columns = [
  ...["name", "task", "model", "width", "stem", "image_size", "train_images", "options", "seed", "parameters"],
  ...["pretext_metric", "pretext_value", "pretext_guess", "protocol", "labels_per_class", "best_layer"],
  ...["metric", "held_out", "value", "untrained", "difference", "low", "high", "p"],
  ...["training_seconds", "measuring_seconds"],
] as const;

function line({
  name,
  factors,
  pretext,
  difference,
  heldOut,
  parameters,
  seconds,
}: CellResult): Record<(typeof columns)[number], string | number> {
  const { task, model, width, stem = "", imageSize, trainImages, options, seed } = factors;
  const { protocol, labelsPerClass, layer, metric, value, baselineValue, low, high, p } = difference;
  return {
    ...{ name, task, model, width, stem, seed, parameters, protocol, value, low, high, p },
    ...{ image_size: imageSize, train_images: trainImages, options: JSON.stringify(options) },
    ...{ pretext_metric: pretext.metric.name, pretext_value: pretext.value, pretext_guess: pretext.guess },
    ...{ labels_per_class: labelsPerClass, best_layer: layer, metric: metric.name, held_out: heldOut ?? "" },
    ...{ untrained: baselineValue, difference: difference.difference },
    ...{ training_seconds: seconds.training, measuring_seconds: seconds.measuring },
  };
}
