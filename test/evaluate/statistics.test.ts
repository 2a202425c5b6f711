import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { describe, expect, it } from "vitest";
import { bootstrapMean, pairedBootstrap } from "../../src/evaluate/statistics.ts";

/** Simulated answers: each draw has some luck, and most images are hard or easy for all draws. */
function simulate(
  seed: number,
  { images, draws, ease }: { images: number; draws: number; ease: number },
): Uint8Array[] {
  const random = xoroshiro128plus(seed);
  const difficulty = Float64Array.from({ length: images }, () => uniformFloat64(random) - 0.5);
  return Array.from({ length: draws }, () => {
    const luck = 0.1 * (uniformFloat64(random) - 0.5);
    return Uint8Array.from(difficulty, (hard) => (uniformFloat64(random) < ease + luck - 1.6 * hard ? 1 : 0));
  });
}

const width = ({ low, high }: { low: number; high: number }) => high - low;

describe("the interval of a mean", () => {
  it.each([
    ["several draws", { images: 150, draws: 5, ease: 0.5 }],
    ["one draw", { images: 150, draws: 1, ease: 0.5 }],
  ])("covers the truth about as often as it says: %s", (_, shape) => {
    const rounds = 200;
    let covered = 0;
    for (let seed = 0; seed < rounds; seed++) {
      // One draw cannot show how lucky it was, so it is simulated without luck.
      const marks = shape.draws === 1 ? withoutLuck(seed, shape.images) : simulate(seed, shape);
      const { low, high } = bootstrapMean(marks, { seed, resamples: 400 });
      if (low <= shape.ease && shape.ease <= high) covered++;
    }
    expect(covered / rounds).toBeGreaterThan(0.9);
    expect(covered / rounds).toBeLessThan(0.995);
  });

  it("matches a binomial for one draw", () => {
    const marks = Uint8Array.from({ length: 400 }, (_, i) => (i < 100 ? 1 : 0));
    const { value, low, high } = bootstrapMean([marks], { seed: 1, resamples: 20_000 });
    const half = 1.96 * Math.sqrt((0.25 * 0.75) / 400);
    expect(value).toBe(0.25);
    expect(low).toBeCloseTo(0.25 - half, 2);
    expect(high).toBeCloseTo(0.25 + half, 2);
  });

  it("is wider if draws differ", () => {
    const half = (n: number) => Uint8Array.from({ length: 1000 }, (_, i) => ((i * 7) % 1000 < n ? 1 : 0));
    const alike = bootstrapMean([half(500), half(500), half(500)], { seed: 1 });
    const unlike = bootstrapMean([half(300), half(500), half(700)], { seed: 1 });
    expect(unlike.value).toBeCloseTo(alike.value, 10);
    expect(width(unlike)).toBeGreaterThan(3 * width(alike));
  });

  it("is wider at a higher level, and the same for the same seed", () => {
    const marks = simulate(3, { images: 200, draws: 3, ease: 0.5 });
    const at = (level: number, seed = 5) => bootstrapMean(marks, { seed, level });
    expect(width(at(0.99))).toBeGreaterThan(width(at(0.95)));
    expect(width(at(0.95))).toBeGreaterThan(width(at(0.5)));
    expect(at(0.95)).toEqual(at(0.95));
    expect(at(0.95, 6)).not.toEqual(at(0.95));
  });

  it("gives every class the same weight if labels are given", () => {
    const marks = [Uint8Array.of(1, 1, 1, 1, 1, 1, 0, 1, 0)];
    const labels = [0, 0, 0, 0, 0, 0, 1, 1, 3]; // class 2 has no image
    expect(bootstrapMean(marks, { seed: 0 }).value).toBeCloseTo(7 / 9, 12);
    const { value, low, high } = bootstrapMean(marks, { seed: 0, labels });
    expect(value).toBeCloseTo((1 + 0.5 + 0) / 3, 12);
    expect(low).toBeLessThan(value);
    expect(high).toBeGreaterThan(value);
  });

  it("has zero width for all right, all wrong and a single image", () => {
    const cases: [Uint8Array[], number][] = [
      [[new Uint8Array(9).fill(1), new Uint8Array(9).fill(1)], 1],
      [[new Uint8Array(9)], 0],
      [[Uint8Array.of(1)], 1],
    ];
    for (const [marks, value] of cases)
      expect(bootstrapMean(marks, { seed: 0 })).toEqual({ value, low: value, high: value });
  });

  it("still varies with the draws for a single image", () => {
    const { value, low, high } = bootstrapMean([Uint8Array.of(1), Uint8Array.of(0)], { seed: 0 });
    expect({ value, low, high }).toEqual({ value: 0.5, low: 0, high: 1 });
  });

  it("refuses data without a mean", () => {
    expect(() => bootstrapMean([], { seed: 0 })).toThrow(/at least one draw/);
    expect(() => bootstrapMean([new Uint8Array()], { seed: 0 })).toThrow(/one test image/);
    expect(() => bootstrapMean([new Uint8Array(2), new Uint8Array(3)], { seed: 0 })).toThrow(/2 and 3/);
    expect(() => bootstrapMean([new Uint8Array(2)], { seed: 0, labels: [1] })).toThrow(/1 labels came for 2/);
  });
});

describe("the interval of a difference", () => {
  const a = simulate(1, { images: 300, draws: 3, ease: 0.5 });
  /** Right wherever `a` is, and also on every tenth image. */
  const b = a.map((marks) => marks.map((mark, i) => (i % 10 === 0 ? 1 : mark)));

  it("is narrower if both are wrong on the same images than if they are independent", () => {
    const strangers = simulate(2, { images: 300, draws: 3, ease: 0.5 });
    const paired = pairedBootstrap(b, a, { seed: 0 });
    expect(paired.difference).toBeGreaterThan(0);
    expect(paired.low).toBeGreaterThan(0);
    expect(width(paired)).toBeLessThan(0.6 * width(pairedBootstrap(strangers, a, { seed: 0 })));
  });

  it("is the difference of the means, and changes sign with the order", () => {
    const [forth, back] = [pairedBootstrap(b, a, { seed: 0 }), pairedBootstrap(a, b, { seed: 0 })];
    const mean = (marks: Uint8Array[]) => bootstrapMean(marks, { seed: 0 }).value;
    expect(forth.difference).toBeCloseTo(mean(b) - mean(a), 12);
    expect(back.difference).toBeCloseTo(-forth.difference, 12);
    expect(back.low).toBeCloseTo(-forth.high, 12);
    expect(pairedBootstrap(a, a, { seed: 0 })).toEqual({ difference: 0, low: 0, high: 0 });
  });

  it("covers zero about as often as it says if there is no difference", () => {
    const rounds = 200;
    let covered = 0;
    for (let seed = 0; seed < rounds; seed++) {
      const one = simulate(2 * seed, { images: 150, draws: 5, ease: 0.5 });
      const other = simulate(2 * seed + 1, { images: 150, draws: 5, ease: 0.5 });
      const { low, high } = pairedBootstrap(one, other, { seed, resamples: 400 });
      if (low <= 0 && 0 <= high) covered++;
    }
    expect(covered / rounds).toBeGreaterThan(0.9);
  });

  it("refuses data that cannot be paired", () => {
    expect(() => pairedBootstrap(a, a.slice(1), { seed: 0 })).toThrow(/3 draws of 300 images came with 2 of 300/);
    expect(() => pairedBootstrap(a, [new Uint8Array(2)], { seed: 0 })).toThrow(/1 of 2/);
  });
});

function withoutLuck(seed: number, images: number): Uint8Array[] {
  const random = xoroshiro128plus(seed);
  return [Uint8Array.from({ length: images }, () => (uniformFloat64(random) < 0.5 ? 1 : 0))];
}
