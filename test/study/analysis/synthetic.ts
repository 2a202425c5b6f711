/** Studies made from known effects: nothing is trained. */
import type { Difference, ResultRow } from "../../../src/evaluate/result.ts";
import { accuracy } from "../../../src/metric.ts";
import { randomAt, uniform } from "../../../src/random.ts";
import type { FinishedStudy } from "../../../src/study/analysis/result.ts";
import type { CellResult, Factors } from "../../../src/study/grid/cell.ts";

export interface Effects {
  /** Gain over the untrained network, of probability. */
  gain(factors: Factors): number;
  /** Default: 0.4. */
  untrained?(factors: Factors): number;
  /** Default: follows the gain. */
  pretext?(factors: Factors): number;
  /** How much accuracy is lost from the best layer to the last. Default: 0. */
  decay?(factors: Factors): number;
}

/** Test images of every cell; the same are hard for all. */
const IMAGES = 400;
const DRAWS = 5;
const LAYERS = ["block1", "block2", "block3", "block4"];

export function cell(given: Partial<Factors> & Pick<Factors, "task">, effects: Effects, images = IMAGES): CellResult {
  const factors: Factors = {
    ...{ model: "resnet18", width: 0.5, stem: undefined, imageSize: 64, trainImages: "all", options: {}, seed: 0 },
    ...given,
  };
  const { task, model, width, trainImages, seed, options } = factors;
  const name = [task, model, width, trainImages, ...Object.values(options), `seed${seed}`].join("-");
  const untrained = effects.untrained?.(factors) ?? 0.4;
  const gained = effects.gain(factors);
  const perImage = {
    trained: scores(untrained + gained, hash(name), images),
    untrained: scores(untrained, hash([model, width].join()), images),
  };
  const [value, baselineValue] = [mean(perImage.trained), mean(perImage.untrained)] as [number, number];
  const gains = perImage.trained.map((one, i) => one - (perImage.untrained[i] as number));
  const half = 1.96 * Math.sqrt(variance(gains) / images);
  const shared = { protocol: "linear", labelsPerClass: 25, metric: accuracy, n: images, draws: DRAWS } as const;
  const [id, baselineId] = [`run ${name}`, `untrained ${name}`];
  const [layer, baselineLayer] = ["block3", "block2"];
  const row = (kind: ResultRow["kind"], at: string, number: number): ResultRow => ({
    ...{ ...shared, id: kind === "pre-trained" ? id : baselineId, kind, layer: at, value: number },
    ...{ encoder: kind === "pre-trained" ? name : `${name}, untrained`, low: number - 0.03, high: number + 0.03 },
  });
  const late = effects.decay?.(factors) ?? 0;
  const difference: Difference = {
    ...{ ...shared, encoder: name, baseline: `${name}, untrained`, id, baselineId, baselineKind: "untrained" },
    ...{ layer, baselineLayer, value, baselineValue, difference: value - baselineValue },
    ...{ low: value - baselineValue - half, high: value - baselineValue + half, p: 0.001, comparisons: 1 },
    ...{ chance: 0.1, valueLow: value - 0.03, seen: 0, baselineRole: "untrained", trainings: 1 },
    shares: { trainings: 0, draws: 0, images: 1 },
  };
  return {
    ...{ name, factors, difference, perImage, tested: `${images} images` },
    ...{ drawVariance: { trained: 0, untrained: 0, gain: 0 }, notes: [] },
    pretext: { metric: accuracy, value: effects.pretext?.(factors) ?? 0.3 + gained, guess: 0.25 },
    rows: LAYERS.flatMap((at, i) => [
      row("pre-trained", at, value - ([0.1, 0.04, 0, late][i] as number)),
      row("untrained", at, baselineValue - ([0.05, 0, 0.05, 0.1][i] as number)),
    ]),
    parameters: Math.round(1e6 * width ** 2 * (model === "resnet18" ? 11 : 9)),
    seconds: { training: 60, measuring: 12 },
  };
}

/** A cell with exactly these scores of its test images. */
export function scored(
  given: Partial<Factors> & Pick<Factors, "task">,
  trained: readonly number[],
  untrained: readonly number[] = trained.map(() => 0),
): CellResult {
  const one = cell(given, { gain: () => 0 }, 1);
  const [value, baselineValue] = [mean(trained), mean(untrained)];
  const difference = value - baselineValue;
  const half = 1.96 * Math.sqrt(variance(trained.map((score, i) => score - (untrained[i] as number))) / trained.length);
  Object.assign(one.difference, { value, baselineValue, difference, low: difference - half, high: difference + half });
  const rows = one.rows.map((row) => ({ ...row, low: row.value, high: row.value })); // draws of labels change nothing
  return { ...one, rows, perImage: { trained: [...trained], untrained: [...untrained] } };
}

/** A pattern of ±1 with mean 0, orthogonal to that of other numbers (Hadamard's): for exact variances. `length` is a power of 2. */
export const pattern = (number: number, length: number): number[] =>
  Array.from({ length }, (_, i) => ((i & number).toString(2).replaceAll("0", "").length % 2 ? -1 : 1));

/** Every combination of the given factors. */
export function study(
  factors: { [Name in keyof Factors]?: readonly Factors[Name][] } & { task: readonly string[] },
  effects: Effects,
  images?: number,
): FinishedStudy {
  const combine = Object.entries(factors).reduce<Record<string, unknown>[]>(
    (before, [name, values]) => before.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
    [{}],
  );
  const cells = combine.map((one) => cell(one as Partial<Factors> & Pick<Factors, "task">, effects, images));
  return { name: "synthetic", config: { images: "photos" }, cells, failed: [], leftOut: [] };
}

/** The share of right answers of each image over the draws of labels. */
function scores(probability: number, seed: number, images: number): number[] {
  return Array.from({ length: images }, (_, i) => {
    const ease = uniform(randomAt(1, i), -0.25, 0.25); // the image's own
    const random = randomAt(seed, i);
    const right = Array.from({ length: DRAWS }, () => Number(uniform(random, 0, 1) < probability + ease));
    return mean(right);
  });
}

const hash = (text: string) => [...text].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) | 0, 17);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const variance = (values: readonly number[]) => {
  const middle = mean(values);
  return mean(values.map((value) => (value - middle) ** 2));
};
