/** The contract of every protocol: a loop over the registry. */
import { describe, expect, test } from "vitest";
import { drawLabels } from "../../src/evaluate/draws.ts";
import { protocols } from "../../src/evaluate/index.ts";
import { type Known, type MeasureInput, measure, type Variant, variantsOf } from "../../src/evaluate/measure.ts";
import type { Protocol } from "../../src/evaluate/protocol.ts";
import { improvement } from "../../src/metric.ts";
import { ConvEncoder } from "../../src/models/model.ts";
import { randomAt, shuffle, uniform } from "../../src/random.ts";
import { BatchNorm2d, Conv2d } from "../../src/torch/nn/layers.ts";
import { randn, tensor } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { dispose, memory, scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";
import { memoryStore } from "../memory-store.ts";

expectNoLeak();

const CLASSES = 3;
const SIDE = 32;

/** An encoder whose training takes no time. */
class Small extends ConvEncoder {
  override readonly featureDims = { layer1: 8, layer2: 16 };
  override readonly outDim = 16;
  override readonly minImageSize = 16;
  readonly conv1 = new Conv2d(3, 8, 7, { stride: 8, padding: 3 });
  readonly bn1 = new BatchNorm2d(8);
  readonly conv2 = new Conv2d(8, 16, 3, { stride: 2, padding: 1 });
  readonly bn2 = new BatchNorm2d(16);

  override maps(images: Tensor) {
    const layer1 = this.bn1.forward(this.conv1.forward(images)).relu_(); // (B, 8, 4, 4)
    return { layer1, layer2: this.bn2.forward(this.conv2.forward(layer1)).relu_() };
  }
}

/**
 * Images of three classes, which differ in red if `apart` is above zero; green and blue are random, so that a network that
 * fits shuffled labels does not give the same answer to all images of a class. Features differ likewise.
 */
function part(count: number, apart: number, seed: number): Known & { labels: number[]; features: Tensor } {
  const labels = Array.from({ length: count }, (_, i) => i % CLASSES);
  const random = randomAt(seed);
  const store = memoryStore(
    SIDE,
    labels.map((label) => {
      const colour = [60 + Math.min(1, apart) * 60 * label, uniform(random, 0, 180), uniform(random, 0, 180)];
      return Uint8Array.from({ length: 3 * SIDE ** 2 }, (_, i) => (colour[i % 3] as number) + uniform(random, 0, 60));
    }),
  );
  const features = scope(() => {
    manualSeed(seed);
    const centres = tensor(labels.map((label) => [0, 1, 2, 3].map((i) => (i === label ? apart : 0))));
    return randn([count, 4]).add(centres);
  });
  return { store, features, truths: labels, labels };
}

const variants = Object.entries(protocols as Record<string, Protocol>).flatMap(([name, protocol]) =>
  variantsOf(name, protocol, protocol.options.parse(protocol.quick ?? {})).map((one): [string, Variant] => [
    one.name,
    one,
  ]),
);

describe.each(variants)("%s", (_, variant) => {
  const { protocol } = variant;
  const chance = protocol.guess(CLASSES);

  /** Fits on `train` and tests on `test`, with truths shuffled as `change` says. Returns scores, held-out value and metric. */
  async function run(apart: number, change: { train?: boolean; test?: boolean; groups?: number[] } = {}, seed = 0) {
    const [train, tested] = [part(90, apart, 1), part(150, apart, 2)];
    const shuffled = (known: typeof train) => shuffle([...known.labels], randomAt(9));
    const draws = [0, 1].map((draw) => drawLabels(train.labels, 20, 0, draw));
    const input: MeasureInput = {
      train: { ...train, truths: change.train ? shuffled(train) : train.labels, groups: change.groups },
      test: { ...tested, truths: change.test ? shuffled(tested) : tested.labels },
      encoder: () => {
        manualSeed(3);
        return new Small();
      },
      ...{ classes: CLASSES, draws, seed, compute: { device: "cpu" as const, precision: "f32" as const } },
    };
    const before = memory().tensors;
    const result = await measure(variant, input);
    expect(memory().tensors, "tensors left behind").toBe(before);
    dispose(train.features, tested.features);
    return { ...result, values: result.scores.map((scores) => protocol.reduce(scores)) };
  }

  let known: ReturnType<typeof run> | undefined;
  /** `run(1)`, of which one is enough for several tests. */
  const plainRun = () => {
    known ??= run(1);
    return known;
  };

  test("is far better than guessing if classes are far apart, on test and on held-out images", async () => {
    const { values, heldOut, scores } = await run(20);
    expect(scores.map(({ length }) => length)).toEqual([150, 150]);
    const half = improvement(protocol.metric, protocol.metric.perfect, chance) / 2;
    for (const value of [...values, heldOut]) expect(improvement(protocol.metric, value, chance)).toBeGreaterThan(half);
  });

  test("is at chance if nothing tells the classes apart", async () => {
    // Not with classes far apart and shuffled training labels: whole classes then are ranked first or last, which is no chance.
    const { values } = await run(0, { train: true });
    for (const value of values) expect(Math.abs(value - chance)).toBeLessThan(0.2);
  });

  test("makes the same choices whatever the test labels are", async () => {
    const [plain, changed] = [await plainRun(), await run(1, { test: true })];
    expect(changed.heldOut).toBe(plain.heldOut);
    expect(changed.scores).not.toEqual(plain.scores);
  });

  test("holds out whole groups: none of a class that is a single one", async () => {
    const known = Array.from({ length: 90 }, (_, i) => i % CLASSES);
    expect((await run(20, { groups: known })).heldOut).toBeNaN();
    expect(
      (await run(20, { groups: known.map((label, i) => (i < 45 ? label : label + CLASSES)) })).heldOut,
    ).not.toBeNaN();
  });

  test("gives the same result for the same seed", async () => {
    expect(await run(1)).toEqual(await plainRun());
  });
});
