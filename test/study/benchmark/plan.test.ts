/** What is measured when time is short. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { measuringTime, minutesEach, minutesOf, timeLeft } from "../../../src/study/benchmark/budget.ts";
import { wholeVariants } from "../../../src/study/benchmark/measure-all.ts";
import { benchmarkOptions } from "../../../src/study/benchmark/options.ts";
import {
  areChosenFrom,
  byImportance,
  chooseWhole,
  decisionsIn,
  growingCounts,
  isPlanFor,
  withDraws,
} from "../../../src/study/benchmark/plan.ts";
import { scratch } from "../../images.ts";

const counts = [1, 2, 4, 8, 16, "all"] as const;
/** As many seconds as labels a class; all are 50. */
const cost = (count: number | "all") => (count === "all" ? 50 : count);
const whole = (allowed: number, draws = 3) =>
  chooseWhole(allowed, { draws, counts, headline: 4 }, { scratch: 1, further: 2 }, cost);

test("budgets are read as people write them", () => {
  expect([minutesOf("30m"), minutesOf("1.5h"), minutesOf("90"), minutesOf(" 45 min "), minutesOf("30s")]).toEqual([
    30, 90, 90, 45, 0.5,
  ]);
  for (const wrong of ["", "0", "-3m", "1d"]) expect(() => minutesOf(wrong)).toThrow(/--budget/);
});

test("the time left counts what was used before", () => {
  let now = 5000;
  const left = timeLeft(2, 30, () => now);
  now += 10_000;
  expect(left()).toBe(80);
});

test("time of measuring adds up over starts", () => {
  const file = join(scratch(), "spent.json");
  expect(measuringTime(file).before).toBe(0);
  writeFileSync(file, '{"seconds": 100}');
  const second = measuringTime(file);
  second.note();
  expect([second.before, measuringTime(file).before >= 100]).toEqual([100, true]);
  for (const damaged of ["{", "{}", "null"]) {
    writeFileSync(file, damaged);
    expect(measuringTime(file).before).toBe(0);
  }
});

test("trainings get two thirds of what reading and decoding leave, and never nothing", () => {
  expect(minutesEach(30, { left: 30, trainings: 4, preparing: 0 })).toBeCloseTo(5);
  expect(minutesEach(30, { left: 30, trainings: 4, preparing: 3 })).toBeCloseTo(1.5);
  expect(minutesEach(30, { left: 30, trainings: 4, preparing: 100 })).toBeCloseTo(1.25);
  expect(minutesEach(30, { left: -2, trainings: 4, preparing: 1 })).toBeCloseTo(1.25); // reading them took that long
});

test("the headline's number of labels comes first, and all labels last", () => {
  expect(byImportance(counts, 4)).toEqual([4, 2, 8, 1, 16, "all"]);
  expect(byImportance(["all"], "all")).toEqual(["all"]);
});

test("numbers of labels are added while all encoders fit, and the first always", () => {
  const growing = growingCounts(100, 4);
  expect([growing.enough(4, 10), growing.enough(2, 10), growing.enough(8, 10)]).toEqual([false, false, true]);
  expect(growing.chosen).toEqual([4, 2]);
  const late = growingCounts(-5, 4);
  expect([late.enough(4, 10), late.chosen]).toEqual([true, [4]]);
});

test("what matters least is left out first, and what going on to it takes is told", () => {
  const all = 3 * (1 + 2 + 4 + 8 + 16) + 50 + 2 * (3 * 4 + 50);
  expect(whole(all)).toEqual({ draws: 3, scratch: [...counts], further: [4, "all"], left: 0 });
  expect(whole(all - 1)).toMatchObject({ draws: 3, scratch: [...counts], further: [4], left: 2 * 50 });
  expect(whole(166)).toMatchObject({ draws: 3, scratch: [4, 8, 16, "all"], further: [4] });
  expect(whole(134)).toMatchObject({ draws: 3, scratch: [4, 8, 16, "all"], further: [] });
  expect(whole(60)).toMatchObject({ draws: 3, scratch: [4, 16], further: [], left: all - 60 });
  expect(whole(36)).toMatchObject({ draws: 3, scratch: [4, 8], further: [] });
  expect(whole(12)).toMatchObject({ draws: 3, scratch: [4], further: [] });
  expect(whole(11)).toEqual({ draws: 0, scratch: [], further: [], left: all });
  expect(whole(4, 1)).toMatchObject({ draws: 1, scratch: [4] });
});

test("a plan is kept while its numbers of labels are still wanted", () => {
  const plan = { draws: 2, scratch: [4, 16], further: [4], left: 0 };
  expect(isPlanFor(counts, 4)(plan)).toBe(true);
  expect(isPlanFor(counts, 8)(plan)).toBe(false); // the verdict is about another number
  expect(isPlanFor([2, 4, 8, "all"], 4)(plan)).toBe(false);
  expect(isPlanFor([1, 3], 3)({ draws: 0, scratch: [], further: [], left: 9 })).toBe(true);
  expect(withDraws(plan, 3)).toEqual({ ...plan, draws: 3 });
  expect(withDraws({ ...plan, left: 9 }, 3)).toMatchObject({ draws: 2 }); // there was no time for more
});

test("chosen numbers of labels are kept while they are wanted and hold the headline", () => {
  const holds = (counts: readonly (number | "all")[], headline: number) => areChosenFrom(counts, headline)([2, 4]);
  expect(holds(counts, 4)).toBe(true);
  expect(holds(counts, 8)).toBe(false); // more labels have moved it
  expect(holds([1, 4, 8], 4)).toBe(false);
});

test("decisions are made once, unless they no longer hold", async () => {
  const file = join(scratch(), "plan.json");
  let asked = 0;
  const decide = () => ++asked;
  expect(await decisionsIn(file).once("minutes", decide)).toBe(1);
  expect(await decisionsIn(file).once("counts", () => [2])).toEqual([2]);
  expect(await decisionsIn(file).once("minutes", decide)).toBe(1);
  expect(
    await decisionsIn(file).once(
      "counts",
      () => [3],
      (before) => before.includes(3),
    ),
  ).toEqual([3]);
  expect(await decisionsIn(file).once("counts", () => [5])).toEqual([3]);
  writeFileSync(file, "{");
  expect(await decisionsIn(file).once("minutes", decide)).toBe(2);
});

test("training from scratch learns from every label, as the probes do that it is compared with", () => {
  const of = (options: object) => wholeVariants(benchmarkOptions.parse({ images: "photos", ...options }));
  expect(of({})[0]?.options).toMatchObject({ holdOut: 0, steps: 200 });
  expect(of({ scratchSteps: 10 })[0]?.options).toMatchObject({ holdOut: 0, steps: 10 });
});
