/** The results of benchmarks: one row per case, and a table of rows. */
import Table from "cli-table3";
import { median } from "simple-statistics";

/** Lower is better for `s` and `ns/call`, higher for `images/s` and `steps/s`. */
export type Unit = "images/s" | "steps/s" | "ns/call" | "s";

export interface Row {
  bench: string;
  case: string;
  /** Median over the rounds. */
  ours: number;
  peer: number;
  unit: Unit;
  /** Above 1: ours is faster. */
  ratio: number;
}

/** The row of a case from the measurements of its rounds. */
export function toRow(bench: string, name: string, unit: Unit, ours: readonly number[], peer: readonly number[]): Row {
  const [a, b] = [median([...ours]), median([...peer])];
  return { bench, case: name, ours: a, peer: b, unit, ratio: unit.endsWith("s/s") ? a / b : b / a };
}

export function table(rows: readonly Row[]): string {
  const drawn = new Table({
    head: ["bench", "case", "ours", "peer", "unit", "ratio"],
    colAligns: ["left", "left", "right", "right", "left", "right"],
    style: { head: [], border: [] },
  });
  for (const row of rows) {
    drawn.push([row.bench, row.case, digits(row.ours), digits(row.peer), row.unit, row.ratio.toFixed(2)]);
  }
  return drawn.toString();
}

const digits = (value: number) => value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
