/** Whatever happens to a folder between `pretrain` and `evaluate`: no test image is one whose label was learned. */
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import sharp from "sharp";
import { beforeAll, expect, test } from "vitest";
import { type ImageSet, subset } from "../../src/data/images.ts";
import { openImages } from "../../src/data/open.ts";
import { labelledParts } from "../../src/data/splits.ts";
import { evaluate } from "../../src/evaluate/evaluate.ts";
import { fairParts } from "../../src/evaluate/leaks.ts";
import { randomAt, uniform } from "../../src/random.ts";
import { readLearned } from "../../src/run/learned.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { fakeSet } from "../data/fake-set.ts";
import fc from "../fast-check.ts";
import { scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun } from "../small-run.ts";

const root = scratch();
const CLASSES = ["cat", "dog"];
const quick = { protocol: ["knn"], labelsPerClass: [2], draws: 1 } satisfies Partial<Parameters<typeof evaluate>[0]>;
let pool: Buffer[] = [];
let cases = 0;

expectNoLeak();

beforeAll(async () => {
  pool = await Promise.all(
    Array.from({ length: 60 }, (_, i) => {
      const random = randomAt(7, i);
      const pixels = Buffer.from(Array.from({ length: 16 * 16 * 3 }, () => Math.floor(uniform(random, 0, 256))));
      return sharp(pixels, { raw: { width: 16, height: 16, channels: 3 } })
        .png()
        .toBuffer();
    }),
  );
});

/** Writes the first `count` images of the pool as class folders, or as class folders in train and test. */
function layOut(folder: string, parted: boolean, count: number): void {
  for (let i = 0; i < count; i++) {
    const part = parted ? (i % 3 === 2 ? "test" : "train") : "";
    const file = join(folder, part, CLASSES[i % 2] as string, `${i}.png`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, pool[i] as Buffer);
  }
}

function filesUnder(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[])
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort();
}

const change = fc.record({
  kind: fc.constantFrom("add", "remove", "rename", "copy", "move", "link"),
  from: fc.nat(1000),
  to: fc.nat(1000),
});
type Change = typeof change extends fc.Arbitrary<infer Value> ? Value : never;

function apply(folder: string, { kind, from, to }: Change, number: number): void {
  const files = filesUnder(folder);
  const file = files[from % files.length] as string;
  const folders = [...new Set(files.map((name) => dirname(name)))];
  const target = join(folder, folders[to % folders.length] as string, `changed-${number}.png`);
  if (kind === "add") writeFileSync(target, pool[40 + (to % 20)] as Buffer);
  else if (kind === "copy") cpSync(join(folder, file), target, { dereference: true });
  else if (kind === "link") symlinkSync(relative(dirname(target), join(folder, file)), target);
  // Each folder keeps two files: empty classes are not the subject here.
  else if (files.filter((name) => dirname(name) === dirname(file)).length <= 2) return;
  else if (kind === "remove") rmSync(join(folder, file));
  else if (kind === "rename") renameSync(join(folder, file), join(folder, dirname(file), `renamed-${number}.png`));
  else if (kind === "move") renameSync(join(folder, file), target);
}

test("never tests on an image whose label was learned, and reports how many images were seen", async () => {
  const scenario = fc.record({
    parted: fc.boolean(),
    task: fc.constantFrom("supervised", "rotation"),
    everything: fc.boolean(),
    changes: fc.array(change, { maxLength: 8 }),
    spelling: fc.nat(3),
  });
  let [refused, measured, seenSome] = [0, 0, 0];
  await fc.assert(
    fc.asyncProperty(scenario, async ({ parted, task, everything, changes, spelling }) => {
      const folder = join(root, `case-${cases++}`);
      const [images, run] = [join(folder, "images"), join(folder, "run")];
      layOut(images, parted, 36);
      const before = new Map(filesUnder(images).map((name) => [name, readFileSync(join(images, name))]));
      const split = everything ? { split: parted ? "train+test" : "all" } : {};
      await pretrain({ ...smallRun, images, task, ...split, epochs: 0.3, out: run });

      // What training saw, worked out here from the files' bytes.
      const learned = [...(readLearned(run)?.values() ?? [])];
      const bytesOf = (name: string) => (before.get(name) as Buffer).toString("base64");
      const seen = new Set(learned.map(({ image }) => bytesOf(image)));
      const learnedLabels = new Set(learned.filter(({ label }) => label).map(({ image }) => bytesOf(image)));
      expect(seen.size).toBe(everything ? 36 : parted ? 24 : learned.length);
      expect(learnedLabels.size).toBe(task === "supervised" ? seen.size : 0);

      for (const [number, one] of changes.entries()) {
        try {
          apply(images, one, number);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error; // a link to a removed file
        }
      }
      symlinkSync(images, join(folder, "link"));
      const place = [images, `${images}/`, join(folder, "run", "..", "images"), join(folder, "link")][
        spelling
      ] as string;

      const parts = await labelledParts(await openImages(place), {});
      const learner = { id: "run run", name: "run", learned: readLearned(run), usesLabels: task === "supervised" };
      const bytes = async (set: typeof parts.test) =>
        Promise.all(
          Array.from({ length: set.length }, async (_, i) => {
            const image = await set.read(i);
            return "encoded" in image ? Buffer.from(image.encoded).toString("base64") : "";
          }),
        );
      const overlap = (await bytes(parts.test)).filter((one) => learnedLabels.has(one)).length;
      const options = { runs: [run], images: place, ...quick };
      if (overlap) {
        refused++;
        await expect(evaluate(options)).rejects.toThrow(
          `run learned the labels of ${overlap} of the ${parts.test.length}`,
        );
        if (overlap === parts.test.length) return;
      }
      const fair = await fairParts(parts, [learner], "leave-out");
      const tested = await bytes(fair.test);
      expect(tested.filter((one) => learnedLabels.has(one))).toEqual([]);
      expect((await bytes(fair.train)).filter((one) => tested.includes(one))).toEqual([]);

      const { differences, notes } = await evaluate({ ...options, seenLabels: "leave-out" });
      const memorised = (await bytes(fair.train)).filter((one) => learnedLabels.has(one)).length;
      const told = `run learned the labels of ${memorised} of ${fair.train.length} training images`;
      expect(notes.join().includes(told)).toBe(memorised > 0);
      measured++;
      const known = tested.filter((one) => seen.has(one)).length;
      if (known) seenSome++;
      for (const { n, seen: said } of differences) expect([n, said]).toEqual([tested.length, known]);
    }),
    { numRuns: 24, seed: 11 },
  );
  // The scenarios cover every outcome.
  expect(Math.min(refused, measured, seenSome)).toBeGreaterThan(2);
}, 300_000);

test("copies among the training images whose labels differ are told", async () => {
  const classes = ["cat", "dog"];
  const copies = (labels: number[]): ImageSet => ({
    ...fakeSet("train", { labels, classes }),
    read: async (i) => ({ encoded: Uint8Array.of(100 + (i % 3)) }), // images 0 and 3, 1 and 4, 2 and 5 are the same
  });
  const test = fakeSet("test", { labels: [0, 1], classes });
  const { notes } = await fairParts({ train: copies([0, 1, 0, 1, 1, 0]), test }, [], "refuse");
  expect(notes).toEqual([
    "1 training image has a copy with another label: train#0 (cat) and train#3 (dog). One of the two is wrong, or each shows both.",
  ]);
  expect((await fairParts({ train: copies([0, 1, 0, 0, 1, 0]), test }, [], "refuse")).notes).toEqual([]);
});

test("what is tested on is something else with other groups", async () => {
  const train = fakeSet("train", { labels: [0, 1], classes: CLASSES });
  const tested = async (groups: string[]) => {
    const test = fakeSet("test", { labels: [0, 1, 1], classes: CLASSES, groups });
    return (await fairParts({ train: subset(train, [0]), test: subset(test, [1, 2]) }, [], "refuse")).tested;
  };
  expect(await tested(["a", "b", "b"])).not.toBe(await tested(["a", "a", "b"]));
  expect(await tested(["a", "b", "b"])).toBe(await tested(["x", "y", "y"]));
});
