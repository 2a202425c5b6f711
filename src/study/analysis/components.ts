/**
 * Components of variance of a crossed design with random rows and columns (tasks and architectures, for example), their
 * interaction, and what repetitions of one cell differ in: y = μ + row + column + interaction + repetition. By the method of
 * moments, on the cells' means, which is exact where all cells have the same number of repetitions and unbiased where they do
 * not (the analysis of unweighted means; Searle, Casella & McCulloch, Variance Components, 1992, section 5.6).
 */
import { SelfsightError } from "../../errors.ts";
import { mean } from "../../evaluate/protocol.ts";

export interface Components {
  /** Variances, in squared units of the values. An estimate below 0 means that there is hardly any: it is given as it is. */
  rows: number;
  columns: number;
  /** With one repetition of each cell, that of single repetitions is part of it. */
  interaction: number;
  /** NaN if no cell was repeated. */
  repetitions: number;
}

/** Rows × columns × repetitions. */
type Table = readonly (readonly (readonly number[])[])[];

/** The variance within cells, of several tables together; NaN if no cell was repeated. */
export function repetitionsOf(tables: readonly Table[]): number {
  const cells = tables.flat(2);
  const freedom = cells.reduce((sum, { length }) => sum + length - 1, 0);
  const within = cells.reduce((sum, cell) => sum + squares(cell, mean(cell)), 0);
  return freedom > 0 ? within / freedom : Number.NaN;
}

/**
 * @param table rows × columns × repetitions; cells may have different numbers of repetitions, but each at least one
 * @param repetitions their variance; default: that within this table
 * @throws SelfsightError for fewer than two rows or columns, and for a cell without values
 */
export function varianceComponents(table: Table, repetitions = repetitionsOf([table])): Components {
  const [r, c] = [table.length, table[0]?.length ?? 0];
  const cells = table.flat();
  if (r < 2 || c < 2 || cells.length !== r * c || cells.some(({ length }) => length === 0)) {
    throw new SelfsightError(
      `Components of variance need a full table of at least two rows and two columns; got ${r} × ${c} with ${cells.filter(({ length }) => length > 0).length} cells.`,
    );
  }
  const means = table.map((row) => row.map(mean));
  const all = mean(means.flat());
  const rowMeans = means.map(mean);
  const columnMeans = Array.from({ length: c }, (_, j) => mean(means.map((row) => row[j] as number)));
  const inverse = mean(cells.map(({ length }) => 1 / length)); // of the harmonic mean number of repetitions
  // Mean squares of the cells' means.
  const ofRows = (c * squares(rowMeans, all)) / (r - 1);
  const ofColumns = (r * squares(columnMeans, all)) / (c - 1);
  const rest = means.flatMap((row, i) =>
    row.map((value, j) => value - (rowMeans[i] as number) - (columnMeans[j] as number) + all),
  );
  const ofInteraction = squares(rest, 0) / ((r - 1) * (c - 1));
  return {
    rows: (ofRows - ofInteraction) / c,
    columns: (ofColumns - ofInteraction) / r,
    interaction: ofInteraction - (Number.isNaN(repetitions) ? 0 : repetitions * inverse),
    repetitions,
  };
}

const squares = (values: readonly number[], middle: number) =>
  values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
