/**
 * Images whose label looks wrong, by confident learning: Northcutt, Jiang & Chuang, JAIR 2021, https://arxiv.org/abs/1911.00068. A
 * probe that has not learned from an image gives it probabilities. It is confident that the image is of a class where that class's
 * probability is at least the mean that images with this label get for it. An image of which it is confident that it is of
 * another class than its label says is a suspect.
 */
import { randomAt, shuffle } from "../random.ts";
import { integers } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import { byClass } from "./draws.ts";
import { groupsOf } from "./groups.ts";
import { choosePenalty } from "./linear.ts";
import { disposeModel, fitLogistic, logits } from "./logistic.ts";
import type { Labelled } from "./logistic-plan.ts";

/** Classes with fewer images, or groups of them, are not checked: a probe that learned from so few would be right by luck. */
const FOLDS = 5;
/** L2 strengths to choose from, with the first fold held out. Fewer than a linear probe's: an ordinary fit will do here. */
const PENALTIES = [1, 0.1, 0.01];
const MAX_ITERATIONS = 100;

export interface Suspect {
  row: number;
  /** The label that it has, and the class that the probe takes it for. */
  given: number;
  predicted: number;
  /** Their probabilities, 0 to 1. */
  givenProbability: number;
  predictedProbability: number;
}

export interface LabelNoise {
  /** Images that were checked. */
  checked: number;
  /** Fraction of them that the probe, without having learned from them, takes for what their label says. */
  accuracy: number;
  /** Estimated number of wrong labels. Too high where the probe is confidently wrong. */
  estimated: number;
  /** The largest margin between the two probabilities first. */
  suspects: Suspect[];
}

/** Features (N, D), the class of each row (N), and the number of its group (N); undefined if each is alone. */
type Labels = Omit<Labelled, "rows"> & { groups: Int32Array | undefined };

/**
 * Cross-validates a logistic regression, and asks it about each row: one that learned from no image of its group. Rows with a
 * negative label are left out.
 * @throws InterruptedError when the signal aborts
 */
export async function findLabelNoise(
  all: Labels,
  { classes, seed, signal }: { classes: number; seed: number; signal?: AbortSignal | undefined },
): Promise<LabelNoise> {
  const enough = (rows: readonly number[]) => new Set(groupsOf(rows, all.groups) ?? rows).size >= FOLDS;
  const usable = byClass(all.labels).map((rows) => (enough(rows) ? rows : []));
  const rows = usable.flat().sort((a, b) => a - b);
  if (usable.filter(({ length }) => length).length < 2) return { checked: 0, accuracy: 0, estimated: 0, suspects: [] };
  const probabilities = await heldOutProbabilities(all, usable, { classes, seed, signal });
  return labelNoise(probabilities, all.labels, rows, classes);
}

/** Probabilities (N, C) of rows that the probe did not learn from; zeros for rows that are in no class. */
async function heldOutProbabilities(
  all: Labels,
  members: readonly (readonly number[])[],
  { classes, seed, signal }: { classes: number; seed: number; signal: AbortSignal | undefined },
): Promise<Float32Array> {
  const folds = dealFolds(members, all.groups, seed);
  const probabilities = new Float32Array(all.labels.length * classes);
  let chosen: number | undefined;
  for (const [number, held] of folds.entries()) {
    const part = { ...all, rows: folds.filter((_, other) => other !== number).flat() };
    const penalties = chosen === undefined ? PENALTIES : [chosen]; // the first fold's is kept for the others
    const fits = penalties.map((penalty) => ({ part, penalty }));
    const models = await fitLogistic(fits, { classes, maxIterations: MAX_ITERATIONS, signal });
    chosen ??= choosePenalty(penalties, models, { ...all, rows: held }).penalty;
    const model = models[penalties.indexOf(chosen)];
    const values = scope(() => {
      const features = all.features.indexSelect(0, integers(held, all.features.device));
      return model && logits(model, features).softmax(1).toArray();
    });
    for (const one of models) disposeModel(one);
    for (const [k, row] of held.entries())
      for (let label = 0; label < classes; label++)
        probabilities[row * classes + label] = values?.[k * classes + label] ?? 0;
  }
  return probabilities;
}

/** The rows of each fold: those of every class, or their groups, dealt in turn in random order. */
function dealFolds(members: readonly (readonly number[])[], groups: Int32Array | undefined, seed: number): number[][] {
  const folds = Array.from({ length: FOLDS }, (): number[] => []);
  const foldOf = new Map<number, number>();
  for (const [label, own] of members.entries()) {
    let dealt = label;
    for (const row of shuffle([...own], randomAt(seed, FOLD, label))) {
      const group = groups?.[row] ?? row;
      if (!foldOf.has(group)) foldOf.set(group, dealt++ % FOLDS);
      (folds[foldOf.get(group) as number] as number[]).push(row);
    }
  }
  return folds;
}

/** Keeps these draws apart from others of the same seed. */
const FOLD = 5;

/**
 * @param probabilities (N, C)
 * @param labels (N)
 * @param rows those to check
 */
export function labelNoise(
  probabilities: Float32Array,
  labels: ArrayLike<number>,
  rows: readonly number[],
  classes: number,
): LabelNoise {
  const of = (row: number, label: number) => probabilities[row * classes + label] as number;
  const own = (row: number) => labels[row] as number;
  const [sizes, sums] = [new Float64Array(classes), new Float64Array(classes)];
  for (const row of rows) {
    sizes[own(row)] = (sizes[own(row)] as number) + 1;
    sums[own(row)] = (sums[own(row)] as number) + of(row, own(row));
  }
  // Mean probability of each class over the images with this label: section 3.1, equation 2. None: no image is of that class.
  const thresholds = sums.map((sum, label) =>
    sizes[label] ? sum / (sizes[label] as number) : Number.POSITIVE_INFINITY,
  );
  const [confident, others] = [new Float64Array(classes), new Float64Array(classes)]; // by given label
  const suspects: Suspect[] = [];
  let right = 0;
  for (const row of rows) {
    const given = own(row);
    const [likeliest, predicted] = [largest(classes, (label) => of(row, label)), confidentClass(row)];
    right += Number(likeliest === given);
    if (predicted < 0) continue;
    confident[given] = (confident[given] as number) + 1;
    if (predicted === given) continue;
    others[given] = (others[given] as number) + 1;
    suspects.push({
      ...{ row, given, predicted },
      ...{ givenProbability: of(row, given), predictedProbability: of(row, predicted) },
    });
  }
  const margin = (one: Suspect) => one.predictedProbability - one.givenProbability;
  suspects.sort((a, b) => margin(b) - margin(a) || a.row - b.row);
  // Counts of confident images stand for all with that label: equation 3.
  const estimated = others.reduce(
    (sum, count, label) => sum + (count && (count * (sizes[label] as number)) / (confident[label] as number)),
    0,
  );
  return { checked: rows.length, accuracy: rows.length ? right / rows.length : 0, estimated, suspects };

  /** The likeliest class of those at or above their thresholds; −1 if there is none. */
  function confidentClass(row: number): number {
    return largest(classes, (label) => {
      const value = of(row, label);
      return value >= (thresholds[label] as number) ? value : Number.NEGATIVE_INFINITY;
    });
  }
}

/** The class with the largest value, the first of several; −1 if all are −∞. */
function largest(classes: number, value: (label: number) => number): number {
  let [best, most] = [-1, Number.NEGATIVE_INFINITY];
  for (let label = 0; label < classes; label++) if (value(label) > most) [best, most] = [label, value(label)];
  return best;
}
