import { expect, it } from "vitest";
import { outcome, verdict } from "../../src/report/verdict.ts";
import { difference } from "./sample.ts";

it.each([
  ["all above zero", 0.01, 0.2, "helped"],
  ["barely above zero", 0.0001, 0.01, "helped"],
  ["all below zero", -0.2, -0.01, "did not help"],
  ["about zero, with no room for a gain", -0.05, 0.015, "did not help"],
  ["exactly zero", 0, 0, "did not help"],
  ["about zero, with room for a gain", -0.02, 0.06, "cannot tell"],
  ["touching zero", 0, 0.06, "cannot tell"],
])("an interval %s: %d to %d", (_, low, high, expected) => {
  expect(outcome(difference({ low, high }))).toBe(expected);
});

it("does not take equal answers on a few images for proof that nothing changed", () => {
  const equal = { difference: 0, low: 0, high: 0, p: 1 };
  expect(outcome(difference({ ...equal, n: 160 }))).toBe("did not help");
  expect(outcome(difference({ ...equal, n: 12 }))).toBe("cannot tell");
  expect(outcome(difference({ ...equal, n: 1600, groups: 12 }))).toBe("cannot tell");
  expect(verdict(difference({ ...equal, n: 12 }))).toMatch(
    /^Cannot tell yet: .*; 151 test images instead of 12 would tell \(/,
  );
});

it("does not take one image that differs for more proof than none", () => {
  const one = (n: number) => difference({ difference: 1 / n, low: -0.98 / n, high: 2.98 / n, p: 1, n });
  expect([160, 190, 400].map((n) => outcome(one(n)))).toEqual(["cannot tell", "cannot tell", "did not help"]);
});

it("asks for images where only their number is in the way, and leaves metrics of other units alone", () => {
  const shares = { images: 0.2, draws: 0.3, trainings: 0.5 };
  expect(verdict(difference({ difference: -0.008, low: -0.018, high: 0.002, p: 0.5, n: 100, shares }))).toMatch(
    /; 108 test images instead of 100 would tell \(/,
  );
  const metric = { name: "error", unit: "m", better: "lower", perfect: 0, worthwhile: 0.1 } as const;
  expect(outcome(difference({ metric, difference: 0, low: -0.01, high: 0.01, n: 25 }))).toBe("did not help");
});

it("says of a sure gain that it is small", () => {
  const small = difference({ difference: 0.006, low: 0.001, high: 0.011 });
  expect(verdict(small)).toMatch(/^It helped, but by less than 2 points: demo is 0\.6 points of accuracy above/);
});

it("asks for other evidence where the encoder is no better than guessing, however sure the gain is", () => {
  const idle = {
    value: 0.85,
    valueLow: 0.84,
    baselineValue: 0.65,
    chance: 0.9,
    difference: 0.2,
    low: 0.19,
    high: 0.21,
  };
  expect(verdict(difference({ ...idle, p: 1e-9, n: 20_000 }))).toMatch(
    /^Cannot tell yet: .* did worse than guessing \(90\.0 %\), .*; more labels would tell, or test images with another share of each class \(/,
  );
});

it("says that it helped, by how much, and what was compared with how many labels", () => {
  expect(verdict(difference())).toBe(
    "It helped: demo is 15.0 points of accuracy above demo, untrained (40.0 % against 25.0 %; 95 % interval of the " +
      "difference +10.0 to +20.0 points; linear; 5 labels per class; 700 test images; 5 draws of labels).",
  );
});

it("counts the trainings that are compared together, and the draws of each", () => {
  expect(verdict(difference({ trainings: 3 }))).toMatch(/700 test images; 3 trainings, 5 draws of labels each\)\.$/);
});

it("says when it did harm", () => {
  const text = verdict(
    difference({ value: 0.17, difference: -0.08, low: -0.1, high: -0.06, labelsPerClass: "all", draws: 1 }),
  );
  expect(text).toBe(
    "It did not help: demo is 8.0 points of accuracy below demo, untrained (17.0 % against 25.0 %; 95 % interval of the difference −10.0 to " +
      "−6.0 points; linear; all labels; 700 test images; 1 draw of labels).",
  );
});

it("says when the gain is not worthwhile", () => {
  expect(verdict(difference({ difference: 0.003, low: -0.01, high: 0.016 }))).toMatch(
    /^It did not help: demo gains less than 2 points of accuracy over demo, untrained \(.*−1\.0 to \+1\.6 points/,
  );
});

it("says when it cannot tell, in both directions", () => {
  expect(verdict(difference({ difference: 0.02, low: -0.02, high: 0.06 }))).toMatch(
    /^Cannot tell yet: demo is 2\.0 points of accuracy above demo, untrained, which chance alone could give; if that is the true difference, about .* would tell \(40/,
  );
  expect(verdict(difference({ difference: -0.02, low: -0.06, high: 0.02 }))).toMatch(/^Cannot tell yet: .* below /);
});

it("does not report a gain that luck often gives among so many comparisons", () => {
  const lucky = difference({ difference: 0.389, low: 0.01, high: 0.6, p: 0.2, comparisons: 4, n: 18 });
  expect(outcome(lucky)).toBe("cannot tell");
  expect(verdict(lucky)).toMatch(
    /^Cannot tell yet: demo is 38\.9 points .* above .*, but among 4 comparisons on 18 test images, luck alone often/,
  );
});

it("does not report a gain that is only over a baseline worse than guessing", () => {
  const unlucky = { value: 0.55, valueLow: 0.45, baselineValue: 0.3, chance: 0.5 };
  expect(outcome(difference(unlucky))).toBe("cannot tell");
  expect(verdict(difference(unlucky))).toMatch(/demo, untrained did worse than guessing \(50\.0 %\)/);
  expect(outcome(difference({ ...unlucky, valueLow: 0.51 }))).toBe("helped");
});

it("says how many test images pre-training saw, or that this is unknown", () => {
  expect(verdict(difference())).not.toMatch(/saw/);
  expect(verdict(difference({ seen: 120 }))).toMatch(
    /pre-training saw 120 of the 700 test images, without their labels/,
  );
  expect(verdict(difference({ seen: null }))).toMatch(/which test images pre-training saw is not known/);
});
