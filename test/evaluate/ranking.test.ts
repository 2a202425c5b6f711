import { describe, expect, test } from "vitest";
import { averagePrecision, countByRank, ranking, ranksOf } from "../../src/evaluate/ranking.ts";
import { randomAt, uniform } from "../../src/random.ts";

/** Of scores from high to low, and whether each is relevant. */
const precisionOf = (scores: number[], relevant: number[], interpolated = false) =>
  averagePrecision(...countByRank(Float32Array.from(scores), relevant), { interpolated });

describe("ranking", () => {
  test("is the order of a plain sort, of negative numbers, zeros and infinities too", () => {
    const random = randomAt(1);
    const scores = Float32Array.from({ length: 5000 }, () => uniform(random, -1, 1) * 10 ** uniform(random, -30, 30));
    scores.set([0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-45, -1e-45], 100);
    const expected = [...scores.keys()].sort((a, b) => (scores[b] as number) - (scores[a] as number));
    expect([...ranking(scores)]).toEqual(expected);
  });

  test("keeps the order of equal scores, and reads only its part of a larger array", () => {
    const whole = Float32Array.from([9, 1, 2, 1, 2, 9]);
    expect([...ranking(whole.subarray(1, 5))]).toEqual([1, 3, 0, 2]);
    expect([...ranking(new Float32Array(0))]).toEqual([]);
  });

  test("equal scores have equal ranks, also 0 and −0", () => {
    expect([...ranksOf(Float32Array.from([5, -1, 0, -0, 7]))]).toEqual([3, 0, 1, 1, 4]);
  });
});

describe("average precision", () => {
  test("of rankings worked out by hand", () => {
    expect(precisionOf([4, 3, 2, 1], [1, 0, 1, 0])).toBeCloseTo((1 + 2 / 3) / 2, 12);
    expect(precisionOf([4, 3, 2, 1], [0, 1, 1, 0])).toBeCloseTo((1 / 2 + 2 / 3) / 2, 12);
    expect(precisionOf([1, 2, 3], [0, 0, 1])).toBe(1);
    expect(precisionOf([1, 2, 3], [0, 0, 0])).toBeNaN();
  });

  test("interpolated: the highest precision at that recall or beyond", () => {
    expect(precisionOf([4, 3, 2, 1], [0, 1, 1, 0], true)).toBeCloseTo(2 / 3, 12);
    expect(precisionOf([6, 5, 4, 3, 2, 1], [1, 0, 0, 1, 1, 0], true)).toBeCloseTo((1 + 3 / 5 + 3 / 5) / 3, 12);
  });

  test("of equal scores does not depend on their order: all equal give the relevant share", () => {
    expect(precisionOf([1, 1, 1, 1], [0, 0, 0, 1])).toBe(1 / 4);
    expect(precisionOf([2, 1, 1, 0], [0, 1, 0, 1])).toBe(precisionOf([2, 1, 1, 0], [0, 0, 1, 1]));
    expect(precisionOf([2, 1, 1, 0], [0, 1, 0, 1])).toBeCloseTo((1 / 3 + 2 / 4) / 2, 12);
  });
});
