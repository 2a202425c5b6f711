/** How the metric changes with what is counted or measured: width, images, parameters, a task's options. */
import { listed } from "../../data/names.ts";
import { mean } from "../../evaluate/protocol.ts";
import { type Metric, showDifference, signedValue } from "../../metric.ts";
import type { Analysis } from "../../study/analysis/analysis.ts";
import { contrast, significant } from "../../study/analysis/estimates.ts";
import { type Grid, groupBy, rowName, settingNames, settingText } from "../../study/analysis/grid.ts";
import type { CellResult } from "../../study/grid/cell.ts";
import { type NumberPoint, numberChart } from "../charts/numbers.ts";
import type { Series } from "../charts/series.ts";
import { hue, UNTRAINED } from "../colours.ts";
import { short } from "../format.ts";
import { section } from "../page.ts";
import { baselineWords } from "./baseline.ts";
import { charts, note, paragraph } from "./html.ts";
import { metricOf, ONE_SEED } from "./sentences.ts";

export interface Factor {
  heading: string;
  /** Of the axis. */
  name: string;
  at(cell: CellResult): number | "all";
  text(value: number): string;
  /** "with width 2". */
  words(value: number | "all"): string;
  /** The settings that change with it. */
  own: readonly string[];
  cells: readonly CellResult[];
  /** Whether its places can be had with the same architecture. */
  alone: boolean;
}

/** One section for each number that varies while task and architecture stay the same. */
export function numberSections(analysis: Analysis): string[] {
  const found = factorsOf(analysis).map((factor) => ({ factor, effect: effectOf(analysis, factor) }));
  const tested = found.flatMap(({ effect }) => (effect ? [effect] : []));
  const sure = significant(tested.map(({ p }) => p));
  const clear = new Set(tested.filter((_, i) => sure[i]));
  return found.map(({ factor, effect }) => {
    const sentence = effect ? effectSentence(analysis, factor, effect, clear.has(effect)) : "";
    return section(factor.heading, content(analysis, factor, sentence));
  });
}

function factorsOf({ study: { cells }, grid, full }: Analysis): Factor[] {
  const plain = (value: number) => value.toLocaleString("en-US");
  const settings: Factor[] = [
    {
      ...{ heading: "Width", name: "width", own: ["width"], cells, text: plain, alone: true },
      at: ({ factors }) => factors.width,
      words: (value) => `width ${value}`,
    },
    {
      ...{ heading: "Side of the input", name: "pixels", own: ["imageSize"], cells, text: plain, alone: true },
      at: ({ factors }) => factors.imageSize,
      words: (value) => `${value} pixels`,
    },
    {
      ...{ heading: "Images to train on", name: "images", own: ["trainImages"], cells, text: short, alone: true },
      at: ({ factors }) => factors.trainImages,
      words: (value) => (value === "all" ? "all images" : `${plain(value)} images`),
    },
  ];
  const varying = settings.filter(({ own }) => grid.varying.some((name) => own.includes(name)));
  // Tasks that were trained on every network, so that networks differ in nothing else.
  const inRows = full.rows.flatMap((row) => full.columns.flatMap((column) => full.at(row, column)));
  // A network is in one place, though a task may bring first layers with a few parameters more.
  const own = grid.varying.filter((name) => name === "width" || name === "stem");
  const networkOf = ({ factors }: CellResult) => JSON.stringify([factors.model, settingText(factors, own)]);
  const networks = [...groupBy(inRows, networkOf)];
  const sizes = new Map(
    networks.map(([key, alike]) => [key, Math.round(mean(alike.map(({ parameters }) => parameters)))]),
  );
  const size: Factor = {
    ...{
      heading: "Size of the network",
      name: "parameters",
      own: ["width", "stem"],
      cells: inRows,
      text: short,
      alone: false,
    },
    at: (cell) => sizes.get(networkOf(cell)) as number,
    words: (value) => `${value === "all" ? value : short(value)} parameters`,
  };
  return [
    ...varying,
    ...(new Set(sizes.values()).size > 2 && grid.columns.length > 1 ? [size] : []),
    ...optionFactors(cells),
  ];
}

/** The numeric options of tasks that vary: how difficult a task is. */
function optionFactors(cells: readonly CellResult[]): Factor[] {
  return [...groupBy(cells, ({ factors }) => factors.task)].flatMap(([task, own]) => {
    const names = [...new Set(own.flatMap(({ factors }) => Object.keys(factors.options)))];
    const numeric = names.filter((name) => {
      const values = own.map(({ factors }) => factors.options[name]);
      return values.every((value) => typeof value === "number") && new Set(values).size > 1;
    });
    return numeric.map(
      (name): Factor => ({
        ...{ heading: `Difficulty of ${task}: ${name}`, name, own: [name], cells: own, alone: true },
        at: ({ factors }) => factors.options[name] as number,
        text: (value) => value.toLocaleString("en-US"),
        words: (value) => `${name} ${value}`,
      }),
    );
  });
}

function content(analysis: Analysis, factor: Factor, sentence: string): string {
  const before = baselineWords(analysis);
  const metric = metricOf(analysis) as Metric;
  const chance = analysis.study.cells[0]?.difference.chance as number;
  const rowOf = (cell: CellResult) => rowWithout(cell, factor);
  const rows = factor.alone ? groupBy(factor.cells, rowOf) : new Map([["", factor.cells]]);
  const models = [...new Set(factor.cells.map(({ factors }) => factors.model))];
  const axis = {
    name: factor.name,
    log: isWide(factor),
    text: factor.text,
    say: (point: NumberPoint) => factor.words(point.at),
  };
  const line = (name: string, cells: readonly CellResult[], colour: string, measure: "performance" | "start") =>
    alike(cells, factor, analysis.grid).map(({ words, cells }) => ({
      ...{ name: [name, words].filter(Boolean).join(", "), colour },
      kind: measure === "start" ? ("untrained" as const) : ("pre-trained" as const),
      points: pointsOf(analysis, cells, factor, measure),
    }));
  const drawn: { title?: string; series: Series<NumberPoint>[] }[] =
    models.length > 1
      ? [...rows].map(([row, own]) => ({
          title: row,
          series: models.flatMap((model, i) => {
            const cells = own.filter(({ factors }) => factors.model === model);
            return [
              ...line(model, cells, hue(i), "performance"),
              ...line(`${model}, ${before.short}`, cells, hue(i), "start").map((one) => ({
                ...one,
                beside: true,
              })),
            ];
          }),
        }))
      : [
          {
            series: [
              ...[...rows].flatMap(([row, own], i) => line(row, own, hue(i), "performance")),
              ...line(before.short, factor.cells, UNTRAINED.colour, "start"),
            ],
          },
        ];
  return [
    paragraph(sentence),
    charts(
      drawn.map(({ title, series }) =>
        numberChart(
          {
            series: series.filter(({ points }) => points.length),
            metric,
            chance,
            ...(title && { title }),
          },
          axis,
        ),
      ),
    ),
    note(
      factor.alone ? "" : `Means over the tasks ${listed(analysis.full.rows)}.`,
      `Bands are 95 % intervals. Hollow dots: ${before.network}.`,
    ),
  ].join("\n");
}

interface Effect extends ReturnType<typeof contrast> {
  least: number | "all";
  most: number | "all";
}

/** From the smallest to the largest number, as far as the same things were trained with both. */
function effectOf({ estimate }: Analysis, factor: Factor): Effect | undefined {
  if (!factor.alone) return undefined; // other architectures differ in more than their size
  const places = inOrder(factor.cells.map(factor.at));
  const [least, most] = [places[0], places.at(-1)];
  if (least === undefined || most === undefined || least === most) return undefined;
  const things = groupBy(factor.cells, (cell) =>
    JSON.stringify([cell.factors.task, cell.factors.model, restOf(cell, factor)]),
  );
  const end = (at: number | "all", own: readonly CellResult[]) => own.filter((cell) => factor.at(cell) === at);
  const both = [...things.values()].filter((own) => end(least, own).length && end(most, own).length).flat();
  if (!both.length) return undefined;
  const [before, after] = [estimate(end(least, both), "quality"), estimate(end(most, both), "quality")];
  return { least, most, ...contrast(after, before) };
}

function effectSentence(analysis: Analysis, factor: Factor, effect: Effect, clear: boolean): string {
  const metric = metricOf(analysis) as Metric;
  const { least, most, value, low, high } = effect;
  const interval = `95 % interval ${signedValue(metric, low)} to ${signedValue(metric, high)}`;
  const reserve = clear && !analysis.repeated ? ` in these trainings; ${ONE_SEED}` : "";
  const change = clear ? `${value > 0 ? "improves" : "becomes worse"}${reserve}` : "does not clearly change";
  const numbers = showDifference(metric, value);
  return `From ${factor.words(least)} to ${factor.words(most)}, ${metric.name} ${change}: ${numbers} (${interval}).`;
}

function pointsOf(
  { estimate }: Analysis,
  cells: readonly CellResult[],
  { at }: Factor,
  measure: "performance" | "start",
): NumberPoint[] {
  return inOrder(cells.map(at)).map((place) => {
    const { value, low, high } = estimate(
      cells.filter((cell) => at(cell) === place),
      measure,
    );
    return { at: place, value, low, high };
  });
}

/**
 * The cells of those other settings that were trained at every place. If there is no such setting, those of each set of places apart,
 * with their settings in words: a line joins what differs in nothing else.
 */
function alike(cells: readonly CellResult[], factor: Factor, grid: Grid): { words: string; cells: CellResult[] }[] {
  const rests = [...groupBy(cells, (cell) => restOf(cell, factor)).values()];
  const placesOf = (own: readonly CellResult[]) => inOrder(own.map(factor.at));
  const full = rests.filter((own) => placesOf(own).length === placesOf(cells).length);
  if (full.length) return [{ words: "", cells: full.flat() }];
  const names = grid.varying.filter((name) => !factor.own.includes(name));
  return [...groupBy(rests, (own) => JSON.stringify(placesOf(own))).values()].map((some) => ({
    words: [...new Set(some.flat().map(({ factors }) => settingText(factors, names)))].join("; "),
    cells: some.flat(),
  }));
}

/** What a cell has beside this factor, its task, architecture and seed. */
const restOf = ({ factors }: CellResult, { own }: Factor) =>
  JSON.stringify([
    settingText(
      factors,
      settingNames.filter((name) => !own.includes(name)),
    ),
    optionsWithout(factors.options, own),
  ]);

const optionsWithout = (options: CellResult["factors"]["options"], own: readonly string[]) =>
  Object.entries(options).filter(([name]) => !own.includes(name));

/** The task, with those options that vary in these cells beside this factor. */
function rowWithout(cell: CellResult, { cells, own }: Factor): string {
  const same = cells.filter(({ factors }) => factors.task === cell.factors.task);
  const varies = ([name]: [string, unknown]) =>
    new Set(same.map(({ factors }) => JSON.stringify(factors.options[name]))).size > 1;
  const options = optionsWithout(cell.factors.options, own).filter(varies);
  return rowName(
    cell.factors.task,
    options.map(([name, value]) => `${name} ${value}`),
  );
}

/** Whether numbers are better seen on a logarithmic axis. */
function isWide({ cells, at }: Factor): boolean {
  const places = cells.map(at);
  const numbers = places.filter((place) => place !== "all");
  const least = Math.min(...numbers);
  return least > 0 && (places.includes("all") || Math.max(...numbers) >= 4 * least);
}

const inOrder = (places: readonly (number | "all")[]) =>
  [...new Set(places)].sort((a, b) => (a === "all" ? 1 : b === "all" ? -1 : a - b));
