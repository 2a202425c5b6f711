/**
 * What intervals say of another set of labels: `npx tsx bench/coverage-pool.ts --rounds 500`. Labels are drawn from a pool of so many a
 * class; a nearest-centroid classifier of Gaussian classes learns from them. Prints how many of the 95 % intervals hold the accuracy
 * over new draws from the same pool, and over new pools. Nothing is trained: it is arithmetic on one core.
 */
import { Command } from "commander";
import { errorFunction } from "simple-statistics";
import { drawLabels } from "../src/evaluate/draws.ts";
import { fractionInterval } from "../src/evaluate/statistics.ts";
import { randomAt } from "../src/random.ts";
import { normal, type Random } from "./normal.ts";

/** Dimensions of the features, and how far each class's middle is from 0 in each of them. */
const [WIDTH, APART] = [20, 0.25];
const CLASSES = [-1, 1];

const point = (label: number, random: Random) =>
  Float64Array.from({ length: WIDTH }, () => (CLASSES[label] as number) * APART + normal(random));

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
};

/** A hyperplane half way between the two middles: class 1 where w · x > b. */
function nearestMiddle(points: readonly Float64Array[], labels: readonly number[]): { w: Float64Array; b: number } {
  const middles = CLASSES.map((_, label) => {
    const own = points.filter((_, i) => labels[i] === label);
    return Float64Array.from(
      { length: WIDTH },
      (_, i) => own.reduce((sum, one) => sum + (one[i] as number), 0) / own.length,
    );
  }) as [Float64Array, Float64Array];
  const w = middles[1].map((value, i) => value - (middles[0][i] as number));
  return { w, b: (dot(w, middles[0]) + dot(w, middles[1])) / 2 };
}

/** Its accuracy over all images that there could be. */
function accuracyOf({ w, b }: ReturnType<typeof nearestMiddle>): number {
  const size = Math.sqrt(dot(w, w));
  const middle = APART * w.reduce((sum, value) => sum + value, 0);
  const below = (at: number) => (1 + errorFunction(at / Math.SQRT2)) / 2;
  return (below((b + middle) / size) + below((middle - b) / size)) / 2;
}

interface World {
  pool: number;
  labels: number;
  draws: number;
  images: number;
}

/** Classifiers of some draws from one pool. */
function classifiers({ pool, labels: count, draws }: World, random: Random, seed: number) {
  const labels = Array.from({ length: 2 * pool }, (_, i) => i % 2);
  const points = labels.map((label) => point(label, random));
  return Array.from({ length: draws }, (_, draw) => {
    const rows = drawLabels(labels, count, seed, draw);
    return nearestMiddle(
      rows.map((row) => points[row] as Float64Array),
      rows.map((row) => labels[row] as number),
    );
  });
}

const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;

function coverage(world: World, rounds: number): { same: number; others: number } {
  const others = mean(
    Array.from({ length: 2000 }, (_, i) =>
      accuracyOf(classifiers({ ...world, draws: 1 }, randomAt(1, i), i)[0] as never),
    ),
  );
  const covered = { same: 0, others: 0 };
  for (let round = 0; round < rounds; round++) {
    const known = classifiers(world, randomAt(2, round), round);
    const same = mean(classifiers({ ...world, draws: 100 }, randomAt(2, round), rounds + round).map(accuracyOf));
    const random = randomAt(3, round);
    const tested = Array.from({ length: world.images }, (_, i) => point(i % 2, random));
    const answers = known.map(({ w, b }) => tested.map((x, i) => Number(dot(w, x) > b === (i % 2 === 1))));
    const { low, high } = fractionInterval(answers);
    covered.same += Number(low <= same && same <= high);
    covered.others += Number(low <= others && others <= high);
  }
  return covered;
}

await new Command("coverage-pool")
  .option("--rounds <number>", "simulations", Number, 500)
  .option("--labels <number>", "labels a class in a draw", Number, 8)
  .option("--draws <number>", "draws", Number, 5)
  .option("--images <number>", "test images", Number, 1000)
  .action(({ rounds, labels, draws, images }: Record<"rounds" | "labels" | "draws" | "images", number>) => {
    process.stdout.write("| labels a class there are | new draws from them | new labels |\n|---|---|---|\n");
    for (const pool of [1000, 100, 32, 16, 12].filter((size) => size > labels)) {
      const { same, others } = coverage({ pool, labels, draws, images }, rounds);
      const [a, b] = [same, others].map((count) => `${((100 * count) / rounds).toFixed(1)} %`);
      process.stdout.write(`| ${pool} | ${a} | ${b} |\n`);
    }
  })
  .parseAsync();
