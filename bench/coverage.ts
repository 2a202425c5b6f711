/**
 * Do the intervals cover the truth as often as they say? `npx tsx bench/coverage.ts --rounds 1000` simulates answers whose true
 * accuracy is known: images are hard or easy, draws of labels and trainings lucky or not, and each answer has noise of its own.
 * Prints how many of the 95 % intervals hold the true value. Nothing is trained: it is arithmetic on one core.
 */
import { Command } from "commander";
import { errorFunction } from "simple-statistics";
import { labelSavings } from "../src/evaluate/label-savings.ts";
import { fractionInterval, pairedInterval } from "../src/evaluate/statistics.ts";
import { randomAt } from "../src/random.ts";
import { normal, type Random } from "./normal.ts";

/** Standard deviations on the scale of a normal variable that is above zero where the answer is right. */
interface World {
  images: number;
  draws: number;
  trainings: number;
  /** Luck of a training, of a draw of labels, and of both together. */
  training: number;
  draw: number;
  both: number;
}
const HARDNESS = 1;
/** Of a draw or a training with single images. */
const TASTE = 0.4;
const NOISE = 0.5;

/** What two networks share, so that they can be paired: the images' hardness and the draws' luck. */
function shared({ images, draws, draw }: World, random: Random) {
  const list = (length: number, deviation: number) => Float64Array.from({ length }, () => deviation * normal(random));
  return { hardness: list(images, HARDNESS), draw: list(draws, draw), taste: list(draws * images, TASTE) };
}

/** Answers (trainings · draws × images) of a network with the given ease. */
function answers(world: World, ease: number, common: ReturnType<typeof shared>, random: Random): Float64Array[] {
  const { images, draws, trainings } = world;
  const rows: Float64Array[] = [];
  for (let s = 0; s < trainings; s++) {
    const training = world.training * normal(random);
    const taste = Float64Array.from({ length: images }, () => (trainings > 1 ? TASTE * normal(random) : 0));
    for (let d = 0; d < draws; d++) {
      const luck = training + (common.draw[d] as number) + world.both * normal(random);
      rows.push(
        Float64Array.from({ length: images }, (_, i) => {
          const image =
            (common.hardness[i] as number) + (common.taste[d * images + i] as number) + (taste[i] as number);
          return ease + luck + image + NOISE * normal(random) > 0 ? 1 : 0;
        }),
      );
    }
  }
  return rows;
}

/** The accuracy over all images, draws and trainings that there could be. */
function truth({ draw, both, training, trainings }: World, ease: number): number {
  const taste = TASTE ** 2 * (trainings > 1 ? 2 : 1);
  const deviation = Math.sqrt(HARDNESS ** 2 + taste + NOISE ** 2 + draw ** 2 + both ** 2 + training ** 2);
  return (1 + errorFunction(ease / deviation / Math.SQRT2)) / 2;
}

/** Numbers of labels, and the ease of a network from scratch with them. */
const LABELS = [1, 2, 4, 8, 16, 32];
const scratch = LABELS.map((_, i) => -0.6 + 0.25 * i);
/** Pre-trained with 4 labels: as good as scratch with 4 · 2^1.5, on the line between two measured numbers. */
const OURS = (truthAt: (ease: number) => number) => {
  const [low, high] = [truthAt(scratch[3] as number), truthAt(scratch[4] as number)];
  return (low + high) / 2; // half way, on the logarithmic axis: at 8 · √2 labels
};

/** The ease that has a given accuracy. */
function easeOf(world: World, accuracy: number): number {
  let [low, high] = [-5, 5];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (truth(world, middle) < accuracy) low = middle;
    else high = middle;
  }
  return low;
}

function coverage(world: World, rounds: number) {
  const covered = { accuracy: 0, difference: 0, savings: 0 };
  const options = { trainings: world.trainings };
  const ours = easeOf(
    world,
    OURS((ease) => truth(world, ease)),
  );
  for (let round = 0; round < rounds; round++) {
    const random = randomAt(round, world.images, world.draws, world.trainings);
    const common = shared(world, random);
    const inside = (low: number, high: number, value: number) => Number(low <= value && value <= high);
    const [a, b] = [0.5, 0.3].map((ease) => answers(world, ease, common, random)) as [Float64Array[], Float64Array[]];
    const one = fractionInterval(a, options);
    covered.accuracy += inside(one.low, one.high, truth(world, 0.5));
    const two = pairedInterval(a, b, options);
    covered.difference += inside(two.low, two.high, truth(world, 0.5) - truth(world, 0.3));
    const curve = LABELS.map((labels, i) => ({
      labels,
      values: answers(world, scratch[i] as number, common, random),
    }));
    const saved = labelSavings({ labels: 4, values: answers(world, ours, common, random) }, curve, world.trainings);
    const [low, high] = [saved.open.low ? 0 : saved.low, saved.open.high ? Number.POSITIVE_INFINITY : saved.high];
    covered.savings += inside(low, high, 8 * Math.SQRT2);
  }
  return covered;
}

const luck = [
  { training: 0.02, draw: 0.02, both: 0.01 },
  { training: 0.1, draw: 0.1, both: 0.05 },
  { training: 0.2, draw: 0.1, both: 0.05 },
];
/** One training cannot tell how lucky it was: its interval is about this training. */
const single = luck.slice(0, 2).map((one) => ({ trainings: 1, ...one, training: 0 }));
/** Many images leave two trainings' luck alone with one degree of freedom. */
const two = luck.slice(1).map((one) => ({ trainings: 2, images: 2000, ...one }));
const several = [3, 5].flatMap((trainings) => luck.map((one) => ({ trainings, ...one })));
const kinds: (Omit<World, "images" | "draws"> & { images?: number })[] = [...single, ...several, ...two];

await new Command("coverage")
  .option("--rounds <number>", "simulations", Number, 1000)
  .option("--images <number>", "test images", Number, 400)
  .option("--draws <number>", "draws of labels", Number, 5)
  .option("--skip <number>", "lines of the table to leave out at its beginning", Number, 0)
  .option("--lines <number>", "lines of the table at most", Number, kinds.length)
  .action(
    ({ rounds, images, draws, skip, lines }: Record<"rounds" | "images" | "draws" | "skip" | "lines", number>) => {
      process.stdout.write(
        "| trainings | test images | luck of trainings, draws | accuracy | paired difference | label savings |\n|---|---|---|---|---|---|\n",
      );
      for (const kind of kinds.slice(skip, skip + lines)) {
        const world = { images, draws, ...kind };
        const covered = coverage(world, rounds);
        const [a, d, s] = Object.values(covered).map((count) => `${((100 * count) / rounds).toFixed(1)} %`);
        process.stdout.write(
          `| ${kind.trainings} | ${world.images} | ${kind.training}, ${kind.draw} | ${a} | ${d} | ${s} |\n`,
        );
      }
    },
  )
  .parseAsync();
