import { expect, it } from "vitest";
import { whatWouldTell } from "../../src/report/evidence.ts";
import { difference } from "./sample.ts";

/** 4 points, and 6 to either side: with (4/6)² of the variance, the interval would exclude zero. */
const unclear = { difference: 0.04, low: -0.02, high: 0.1, comparisons: 1 };
const images = (share: number) => ({ trainings: 0, draws: 1 - share, images: share });

it("names the kind of evidence that the interval's width is owed to, and how much of it would tell", () => {
  // 1 − 0.9 · (1 − 1/k) = 4/9 at k = 2.61: 1,829 of 700.
  expect(whatWouldTell(difference({ ...unclear, shares: images(0.9) }))).toBe(
    "if that is the true difference, about 1,900 test images instead of 700 would tell",
  );
  expect(whatWouldTell(difference({ ...unclear, groups: 20, shares: images(1) }))).toMatch(
    /about 45 groups of test images instead of 20 would tell$/,
  );
  expect(whatWouldTell(difference({ ...unclear, shares: images(0.1) }))).toMatch(
    /about 14 draws of labels instead of 5 would tell$/,
  );
  expect(
    whatWouldTell(difference({ ...unclear, trainings: 3, shares: { trainings: 1, draws: 0.2, images: 0.1 } })),
  ).toMatch(/about 7 trainings with other seeds instead of 3 would tell$/);
});

it("asks for several kinds where one alone would not do, and for no number where none would help", () => {
  expect(whatWouldTell(difference({ ...unclear, shares: images(0.52) }))).toBe(
    "if that is the true difference, about 3 times as many test images and draws of labels would tell",
  );
  const far = { difference: 0.001, low: -0.5, high: 0.502 };
  expect(whatWouldTell(difference({ ...far, shares: images(1) }))).toMatch(/a hundred times the evidence/);
});

it("allows for the number of comparisons, and for a difference that is too small to be worthwhile", () => {
  const more = whatWouldTell(difference({ ...unclear, comparisons: 6, shares: images(0.9) }));
  expect(more).toMatch(/about 4,400 test images/); // the interval of 99.2 % is 1.35 times as wide
  // 1 point worse: half of a width of 3 points would exclude a gain of 2.
  const small = { difference: -0.01, low: -0.05, high: 0.03, comparisons: 1, shares: images(1) };
  expect(whatWouldTell(difference(small))).toMatch(/about 1,300 test images instead of 700/);
  // Already clear, but for another doubt.
  expect(whatWouldTell(difference({ shares: images(0.9) }))).toBe("more test images would tell");
  expect(whatWouldTell(difference({ shares: images(0.1) }))).toBe("more draws of labels would tell");
});
