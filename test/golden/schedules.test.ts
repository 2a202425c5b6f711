import { describe, expect, test } from "vitest";
import { constant, cosine, type Schedule, steps, warmUp } from "../../src/torch/optim/schedule.ts";
import { goldenJson } from "./store.ts";

interface Rates {
  baseRate: number;
  rates: number[];
  milestones?: number[];
  factor?: number;
  every?: number;
  warmUp?: number;
}

describe("learning rates match PyTorch's schedulers", () => {
  const golden = goldenJson<Record<string, Rates>>("schedules");
  const follow = (name: string, make: (rates: Rates) => Schedule) =>
    test(name, () => {
      const { baseRate, rates, ...rest } = golden[name] as Rates;
      const schedule = make({ baseRate, rates, ...rest });
      expect(rates).toHaveLength(20);
      for (const [step, rate] of rates.entries())
        expect(baseRate * schedule(step / rates.length), `step ${step}`).toBeCloseTo(rate, 12);
    });
  const part = (step: number) => step / 20;

  follow("cosine", () => cosine);
  follow("multi-step", ({ milestones = [], factor = 0 }) => steps(milestones.map(part), factor));
  follow("step", ({ every = 0, factor = 0 }) => steps([every, 2 * every, 3 * every].map(part), factor));
  follow("warm-up-then-cosine", ({ warmUp: first = 0 }) => warmUp(part(first), cosine, 1 / first));
});

test("a constant rate stays, and a warm-up of no steps changes nothing", () => {
  const places = [0, 0.25, 0.5, 1];
  expect(places.map(constant)).toEqual([1, 1, 1, 1]);
  expect(places.map(warmUp(0, cosine))).toEqual(places.map(cosine));
  expect(cosine(1)).toBe(0);
});
