/** How long a run trains, by epochs or by minutes, and at which learning rates. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { withCleanup } from "../../src/cleanup.ts";
import type { StepRecord } from "../../src/run/events.ts";
import { pretrainOptions, type TrainingConfig } from "../../src/run/options.ts";
import { full } from "../../src/torch/ops.ts";
import { cosine, warmUp } from "../../src/torch/optim/schedule.ts";
import { budgetOf, countedSeconds, progressAt, type TrainingRun, train } from "../../src/train/loop.ts";
import { firstEncoder, prepareTraining } from "../../src/train/prepare.ts";
import { resolveOptions } from "../../src/train/pretrain.ts";
import { expectNoLeak } from "../live.ts";
import { memoryStore } from "../memory-store.ts";
import { smallRun } from "../small-run.ts";

expectNoLeak();
afterEach(() => vi.restoreAllMocks());

const images = {
  store: memoryStore(
    16,
    Array.from({ length: 20 }, (_, i) => new Uint8Array(16 * 16 * 3).fill(10 * i)),
  ),
  labels: null,
  classes: null,
};

describe("the budget", () => {
  /** Of a run on 20 images, 8 in a batch. */
  const budget = (
    config: Partial<TrainingConfig>,
    { size = 1, instances }: { size?: number; instances?: number } = {},
  ) => budgetOf({ config: { batchSize: 8, ...config }, images, task: { instances }, world: { size } } as TrainingRun);

  test("is a number of seconds, or of whole batches", () => {
    const infinite = Number.POSITIVE_INFINITY;
    expect(budget({ minutes: 2 })).toEqual({ step: infinite, seconds: 120 });
    expect(budget({ epochs: 3 })).toEqual({ step: 6, seconds: infinite });
    expect(budget({ epochs: 3 }, { instances: 10 }).step).toBe(3);
    expect(budget({ epochs: 3 }, { size: 2 }).step).toBe(3);
    expect(budget({ epochs: 0.75 }).step).toBe(2); // 1.5, rounded
    expect(budget({ epochs: 0.1 }).step).toBe(1);
  });

  test("is used up by seconds or by steps, and never by more than all of it", () => {
    const [timed, counted] = [budget({ minutes: 2 }), budget({ epochs: 3 })];
    expect(progressAt({ step: 0, seconds: 0 }, timed)).toBe(0);
    expect(progressAt({ step: 1e6, seconds: 30 }, timed)).toBe(0.25);
    expect(progressAt({ step: 1, seconds: 120 }, timed)).toBe(1);
    expect(progressAt({ step: 1, seconds: 121 }, timed)).toBe(1);
    expect(progressAt({ step: 3, seconds: 1e6 }, counted)).toBe(0.5);
    expect(progressAt({ step: 7, seconds: 0 }, counted)).toBe(1);
  });
});

/** A run on these images, and what `look` finds out about it. */
async function withRun<Found>(
  options: Parameters<typeof resolveOptions>[0],
  look: (run: TrainingRun) => Promise<Found>,
): Promise<Found> {
  return withCleanup(async (cleanup) => {
    const config = resolveOptions(options);
    const encoder = firstEncoder(config);
    cleanup.push(() => encoder.dispose());
    const compute = { device: "cpu", precision: "f32" } as const;
    const { run } = await prepareTraining({ config, compute, encoder, images }, cleanup);
    return look(run);
  });
}

const small = { ...smallRun, images: "pictures", out: "run" };

test("a run of two minutes that is resumed at its last second ends when that has passed", async () => {
  const timed = { ...small, minutes: 2 };
  await withRun(timed, async (run) => {
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => {
      now += 250; // each step looks at its start and at its end
      return now;
    });
    const records: StepRecord[] = [];
    for await (const record of train({ ...run, start: { step: 40, seconds: 119 } })) records.push(record);
    expect(records.map(({ step, seconds }) => [step, seconds])).toEqual([
      [41, 119.25],
      [42, 119.5],
      [43, 119.75],
      [44, 120],
    ]);
    expect(records.map(({ progress }) => progress * 120)).toEqual([119.25, 119.5, 119.75, 120]);
    const { learningRate, warmup } = run.config;
    const rate = (seconds: number) => expect.closeTo(learningRate * warmUp(warmup, cosine)(seconds / 120), 12);
    expect(records.map((record) => record.learningRate)).toEqual([119, 119.25, 119.5, 119.75].map(rate));
    for await (const record of train({ ...run, start: { step: 44, seconds: 120 } })) throw new Error(`${record.step}`);
  });
});

test("minutes in which the process stood still do not count", async () => {
  expect([countedSeconds(60, 0), countedSeconds(9, 0.1), countedSeconds(60, 7), countedSeconds(60, 5)]).toEqual([
    60, 9, 60, 5,
  ]);
  expect(countedSeconds(60, 5, true)).toBe(60); // the machine has become slow
  await withRun({ ...small, minutes: 2 }, async (run) => {
    let now = 0;
    let looks = 0;
    vi.spyOn(performance, "now").mockImplementation(() => {
      now += ++looks === 6 ? 3_600_000 : 30_000; // an hour in the third step
      return now;
    });
    const records: StepRecord[] = [];
    for await (const record of train(run)) records.push(record);
    expect(records.map(({ seconds }) => seconds)).toEqual([30, 60, 90, 120]);
    expect(records.map(({ stoodStill }) => stoodStill)).toEqual([undefined, undefined, 3570, undefined]);
  });
});

test("the learning rate follows the schedule that is asked for, after its warm-up", async () => {
  const places = [0, 0.1, 0.29, 0.3, 0.6, 0.8, 1];
  const factors = (options: object) =>
    withRun({ ...small, epochs: 1, ...options }, async ({ schedule }) => places.map(schedule));
  expect(await factors({ schedule: "step", warmup: 0 })).toEqual(
    [1, 1, 1, 0.2, 0.04, 0.008, 0.008].map((factor) => expect.closeTo(factor, 12)),
  );
  // Milestones are parts of what follows the warm-up, as the help says.
  expect((await factors({ schedule: "step", warmup: 0.05 })).slice(3)).toEqual(
    [1, 0.2, 0.04, 0.008].map((factor) => expect.closeTo(factor, 12)),
  );
  expect(pretrainOptions.shape.schedule.description).toMatch(/30, 60 and 80 % of what follows the warm-up/);
  expect(await factors({ schedule: "cosine", warmup: 0.3 })).toEqual(places.map(warmUp(0.3, cosine)));
});

test.each([
  ["f32", "a lower --learning-rate or a longer --warmup. "],
  ["bf16", "a lower --learning-rate, a longer --warmup or --precision f32. "],
] as const)(
  "in %s, a loss that is not finite names the flags that help, and that resuming does not",
  async (precision, flags) => {
    await withRun({ ...small, epochs: 1 }, async (run) => {
      const step = () => ({ loss: full([], Number.NaN), metrics: {} });
      const broken = { ...run, compute: { ...run.compute, precision }, task: { ...run.task, step } };
      await expect(train(broken).next()).rejects.toThrow(`Start anew with ${flags}`);
      await expect(train(broken).next()).rejects.toThrow(/before, but --resume would go the same way\./);
    });
  },
);
