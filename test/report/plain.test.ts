import { expect, it } from "vitest";
import { plainResult } from "../../src/report/plain.ts";
import { difference } from "./sample.ts";

const pixels = difference({ baseline: "pixels", baselineKind: "pixels", baselineValue: 0.2 });
const handcrafted = difference({ baseline: "by hand", baselineKind: "handcrafted", baselineValue: 0.3 });

it("names every accuracy, and says in words whether it helped", () => {
  expect(
    plainResult({ untrained: difference(), pixels, handcrafted, neighbours: difference({ protocol: "knn-20" }) }),
  ).toEqual([
    "Pre-trained: 40.0 % of 700 test images right. The same network untrained: 25.0 %. Raw pixels: 20.0 %. Edges and colours, described by hand: 30.0 %. Guessing, always the commonest class: 10.0 %.",
    "Pre-training helped: +15.0 points; with other test images and other draws of these labels it would be +10.0 to +20.0 points (95 % interval).",
  ]);
});

it("adds the nearest neighbours' answer if it differs", () => {
  const neighbours = difference({
    protocol: "knn-20",
    value: 0.3,
    baselineValue: 0.31,
    difference: -0.01,
    low: -0.03,
    high: 0.01,
  });
  expect(plainResult({ untrained: difference(), pixels, handcrafted, neighbours }).at(-1)).toBe(
    "Nearest neighbours, without any classifier, say that it did not help: 30.0 % against 31.0 % (difference −3.0 to +1.0 points).",
  );
});

it("says when it did not help, when that is unclear, and how many test images pre-training saw", () => {
  const told = (changes: Parameters<typeof difference>[0]) => {
    const one = difference(changes);
    return plainResult({ untrained: one, pixels, handcrafted, neighbours: one }).slice(1);
  };
  expect(told({ difference: -0.08, low: -0.1, high: -0.06 })).toEqual([
    expect.stringMatching(/^Pre-training did not help here: −8\.0 points/),
  ]);
  expect(told({ difference: 0.02, low: -0.02, high: 0.06 })[0]).toMatch(
    /^Whether pre-training helped cannot be told yet: \+2\.0 points, but .* More minutes may bring more; .* would tell\.$/,
  );
  expect(told({ difference: 0.08, low: 0.01, high: 0.15, p: 0.3, comparisons: 18 })[0]).toMatch(
    /cannot be told yet: \+8\.0 points; .* but among 18 comparisons .*luck alone.*; if that is the true difference, about 1,600 test images instead of 700 would tell\.$/,
  );
  expect(told({ seen: 120 }).at(-1)).toBe("Pre-training saw 120 of the 700 test images, without their labels.");
});
