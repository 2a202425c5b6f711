/** Everything that a study's cells say together. */
import { SelfsightError } from "../../errors.ts";
import { mean } from "../../evaluate/protocol.ts";
import type { CellResult } from "../grid/cell.ts";
import { type Components, repetitionsOf, varianceComponents } from "./components.ts";
import {
  type Estimate,
  estimate,
  gain,
  isIdleGain,
  type Measure,
  performance,
  quality,
  significant,
  spreadOf,
  start,
  testedGain,
} from "./estimates.ts";
import { type FullGrid, fullGrid, type Grid, gridOf, usesLabels, withoutLabels } from "./grid.ts";
import { type Orders, ordersOf } from "./orders.ts";
import { type PretextLink, pretextLinks } from "./pretext.ts";
import { bestFirst, type RankedTask, ranking } from "./ranking.ts";
import type { FinishedStudy } from "./result.ts";

export interface Analysis {
  study: FinishedStudy;
  /** Of all cells. */
  grid: Grid;
  /** Without tasks that learn from labels, and without gaps: what rankings and variances are about. */
  full: FullGrid;
  /** Whether cells were repeated with other seeds. */
  repeated: boolean;
  estimate(cells: readonly CellResult[], measure: MeasureName): Estimate;
  /** The gain at every place of the grid that has cells, in every setting. */
  places: Place[];
  ranking: RankedTask[];
  /** Of the tasks by their gain, at each architecture; undefined for one task or one architecture. */
  tasks?: Orders | undefined;
  /** Of the architectures by their metric, for each task. */
  networks?: Orders | undefined;
  links: PretextLink[];
  /** Of the metric, with tasks as rows and architectures as columns; the mean over the settings. Undefined like `tasks`. */
  components?: Components | undefined;
}

const measures = { gain, performance, quality, start } as const satisfies Record<string, Measure>;
export type MeasureName = keyof typeof measures;

export interface Place {
  row: string;
  column: string;
  setting: string;
  cells: CellResult[];
  /** Of a task that learns from labels: it takes no part in rankings. */
  yardstick: boolean;
  gain: Estimate;
  /** Corrected for all places. */
  significant: boolean;
  /** It would be significant, but the untrained network does worse than guessing, and this one is not clearly better than that. */
  idle: boolean;
}

/** @throws SelfsightError for cells that were measured on different test images */
export function analyse(study: FinishedStudy): Analysis {
  const { cells } = study;
  refuseOtherImages(cells);
  const grid = gridOf(cells);
  const unlabelled = withoutLabels(cells);
  const own = gridOf(unlabelled);
  const full = fullGrid(own);
  const spread = spreadOf(cells, grid);
  const of = (some: readonly CellResult[], name: MeasureName) => estimate(some, measures[name], spread);
  const crossed = full.rows.length > 1 && full.columns.length > 1;
  const { rows, columns } = full;
  return {
    ...{ study, grid, full, estimate: of, repeated: spreadOf(unlabelled, own).trained.freedom > 0 },
    places: placesOf(grid, (some) => of(some, "gain")),
    ranking: ranking(study),
    tasks: crossed ? ordersOf({ items: rows, places: columns, at: full.at }, gain, spread) : undefined,
    networks: crossed
      ? ordersOf({ items: columns, places: rows, at: (column, row) => full.at(row, column) }, quality, spread)
      : undefined,
    links: pretextLinks(unlabelled, own, spread),
    components: crossed ? componentsOf(full, own) : undefined,
  };
}

function refuseOtherImages(cells: readonly CellResult[]): void {
  const [first] = cells;
  if (!first) return;
  const imagesOf = ({ perImage }: CellResult) => perImage.trained.length;
  const other = cells.find(({ tested }) => tested !== first.tested);
  if (!other) return;
  const counts = imagesOf(first) === imagesOf(other) ? "" : `, ${imagesOf(first)} and ${imagesOf(other)}`;
  throw new SelfsightError(
    `${first.name} and ${other.name} were measured on different test images${counts}: they cannot be compared. ` +
      "The images have changed meanwhile: begin anew with another --out.",
  );
}

function placesOf(grid: Grid, of: (cells: CellResult[]) => Estimate): Place[] {
  const found = grid.settings.flatMap((setting) =>
    grid.rows.flatMap((row) =>
      grid.columns.flatMap((column) => {
        const cells = grid.at(row, column, setting);
        return cells.length ? [{ row, column, setting, cells, yardstick: isYardstick(cells), gain: of(cells) }] : [];
      }),
    ),
  );
  const sure = significant(found.map(({ gain, cells }) => testedGain(cells, gain)));
  return found.map((place, i) => {
    const idle = (sure[i] as boolean) && isIdleGain(place.cells);
    return { ...place, idle, significant: (sure[i] as boolean) && !idle };
  });
}

const isYardstick = ([first]: readonly CellResult[]) => usesLabels(first?.factors.task ?? "");

function componentsOf({ rows, columns, settings }: FullGrid, grid: Grid): Components {
  const tables = settings.map((setting) =>
    rows.map((row) => columns.map((column) => grid.at(row, column, setting).map(performance.value))),
  );
  // Of all settings: where nothing was repeated, luck would pass for an interaction.
  const repetitions = repetitionsOf(tables);
  const all = tables.map((table) => varianceComponents(table, repetitions));
  const of = (name: keyof Components) => mean(all.map((one) => one[name]));
  return { rows: of("rows"), columns: of("columns"), interaction: of("interaction"), repetitions };
}

/** The best place of tasks that learn without labels, as {@link bestFirst}. Undefined if there is none. */
export function bestPlace({ places }: Analysis): Place | undefined {
  const own = places.filter(({ yardstick }) => !yardstick);
  const [best] = bestFirst(own.map(({ cells }) => cells));
  return own.find(({ cells }) => cells === best);
}
