import { expect, it } from "vitest";
import { accuracy } from "../../src/metric.ts";
import type { StepRecord } from "../../src/run/events.ts";
import { type Output, progressLine } from "../../src/run/progress.ts";
import { duration } from "../../src/setup/terminal.ts";

const guess = { value: 0.25, loss: Math.log(4) };

/** A run of 100 steps at one second per step. */
const record = (step: number, values: Partial<StepRecord> = {}): StepRecord => ({
  step,
  seconds: step,
  epoch: Math.floor((step - 1) / 10),
  loss: 1,
  learningRate: 0.1,
  metrics: { accuracy: 0.5 },
  progress: step / 100,
  images: 64,
  ...values,
});

/** Shows steps, one per second, and collects the output. */
function watch(steps: Iterable<StepRecord>, output: Omit<Output, "write"> = {}): string[] {
  const written: string[] = [];
  let time = 0;
  const line = progressLine({
    metric: accuracy,
    guess,
    output: { ...output, write: (text) => written.push(text) },
    now: () => time,
  });
  for (const step of steps) {
    time += 1000;
    line.step(step);
  }
  line.end();
  return written;
}

const steps = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => record(first + i));

it("writes a plain line every ten seconds without a terminal, and the last step", () => {
  expect(watch(steps(1, 25))).toEqual([
    "10 % · epoch 1, step 10 · loss 1.000 (chance 1.386) · accuracy 50.0 % (chance 25.0 %) · 64 images/s · 1 min 30 s left\n",
    "20 % · epoch 2, step 20 · loss 1.000 (chance 1.386) · accuracy 50.0 % (chance 25.0 %) · 64 images/s · 1 min 20 s left\n",
    "25 % · epoch 3, step 25 · loss 1.000 (chance 1.386) · accuracy 50.0 % (chance 25.0 %) · 64 images/s · 1 min 15 s left\n",
  ]);
});

it("writes no line twice", () => {
  expect(watch(steps(1, 20))).toHaveLength(2);
  expect(watch([])).toEqual([]);
});

it("redraws in place on a terminal, within its width", () => {
  const written = watch(steps(1, 3), { isTTY: true, columns: 40 });
  expect(written).toHaveLength(4);
  expect(written[0]).toBe("\r\x1b[K1 % · epoch 1, step 1 · loss 1.000 (ch…");
  expect(written[3]).toBe("\n");
});

it("after a resume, time left counts the whole run, and speed only the new steps", () => {
  const [line] = watch(steps(51, 60));
  expect(line).toContain("60 % · epoch 6, step 60");
  expect(line).toContain("64 images/s · 40 s left");
});

it("averages over the last ten seconds", () => {
  const noisy = steps(1, 100).map((one) => ({ ...one, loss: one.step <= 50 ? 3 : one.step % 2 }));
  const lines = watch(noisy);
  const loss = Number(/loss ([\d.]+)/.exec(lines.at(-1) ?? "")?.[1]);
  expect(loss).toBeGreaterThan(0.4);
  expect(loss).toBeLessThan(0.65);
});

it("leaves out a metric that the task does not report", () => {
  const [line] = watch([record(1, { metrics: {} })]);
  expect(line).toBe("1 % · epoch 1, step 1 · loss 1.000 (chance 1.386) · 1 min 39 s left\n");
});

it.each([
  [0, "0 s"],
  [59_400, "59 s"],
  [75_000, "1 min 15 s"],
  [3_599_700, "1 h 0 min"],
  [7_260_000, "2 h 1 min"],
  [Number.NaN, "?"],
  [Number.POSITIVE_INFINITY, "?"],
])("%d ms is %s", (milliseconds, text) => {
  expect(duration(milliseconds)).toBe(text);
});
