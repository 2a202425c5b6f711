import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { describe, expect, it } from "vitest";
import { labelSavings } from "../../src/evaluate/label-savings.ts";
import { fractionInterval, meanInterval, pairedInterval, studentQuantile } from "../../src/evaluate/statistics.ts";
import { intervalOf, valuesOf } from "../../src/evaluate/uncertainty.ts";
import { estimateMean, freedomOf } from "../../src/evaluate/variance.ts";

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

const normal = (random: ReturnType<typeof xoroshiro128plus>) =>
  Math.sqrt(-2 * Math.log(1 - uniformFloat64(random))) * Math.cos(2 * Math.PI * uniformFloat64(random));

const width = ({ low, high }: { low: number; high: number }) => high - low;

/** Fraction of 300 simulated intervals that hold the truth. */
function coverage(interval: (seed: number) => { low: number; high: number }, truth: number): number {
  let covered = 0;
  for (let seed = 0; seed < 300; seed++) {
    const { low, high } = interval(seed);
    if (low <= truth && truth <= high) covered++;
  }
  return covered / 300;
}

describe("the variance of a mean", () => {
  it("is that of a two-way analysis of variance done by hand", () => {
    // Two draws of three images. Means: 2 and 4 by draw; 1, 3, 5 by image. Sums of squares: 6, 16 and, for what is left, 4.
    const { mean, variance, freedom } = estimateMean([
      [1, 1, 4],
      [1, 5, 6],
    ]);
    expect(mean).toBe(3);
    const [draws, images, rest] = [6 / 1, 16 / 2, 4 / 2].map((square) => square / 6) as [number, number, number];
    expect(variance).toBeCloseTo(draws + images - rest, 12);
    // One and two degrees of freedom: the mean of the quantiles 12.706 and 4.303, weighted by the factors' own variances.
    expect(studentQuantile(0.975, freedom)).toBeCloseTo((12.7062 * draws + 4.30265 * images) / (draws + images), 3);
  });

  it("has Satterthwaite's degrees of freedom where no factor has fewer than three", () => {
    const parts = [
      { variance: 3, freedom: 4 },
      { variance: 1, freedom: 399 },
    ];
    const interaction = { variance: 0.5, freedom: 1596 };
    expect(freedomOf(4, parts)).toBeCloseTo(16 / (9 / 4 + 1 / 399), 10);
    expect(freedomOf(3.5, parts, [...parts, interaction])).toBeCloseTo(3.5 ** 2 / (9 / 4 + 1 / 399 + 0.25 / 1596), 10);
  });

  it("is not surer of two or three trainings than Student's t of them, weighted by what they make up (Cochran 1964)", () => {
    for (const few of [1, 2]) {
      const quantile = (ours: number) => {
        const parts = [
          { variance: ours, freedom: few },
          { variance: 1, freedom: 1999 },
        ];
        return studentQuantile(0.975, freedomOf(ours + 1, parts));
      };
      const [t, z] = [studentQuantile(0.975, few), studentQuantile(0.975, 1999)];
      for (const ours of [0.1, 1, 8]) expect(quantile(ours)).toBeCloseTo((ours * t + z) / (ours + 1), 6);
      expect(quantile(0)).toBeCloseTo(z, 8);
    }
    expect(freedomOf(3, [{ variance: 3, freedom: 1 }])).toBe(1);
    // What trainings and draws make up together counts in both: there Satterthwaite's may be fewer.
    const both = [1, 4, 1999].map((freedom) => ({ variance: 1, freedom }));
    expect(freedomOf(1, both, [...both, { variance: 1, freedom: 4 }])).toBe(1);
    expect(freedomOf(0, [{ variance: 0, freedom: 1 }])).toBe(Number.POSITIVE_INFINITY);
  });

  it("covers the truth with two lucky trainings and many images", () => {
    const random = xoroshiro128plus(5);
    let covered = 0;
    for (let round = 0; round < 600; round++) {
      const images = Float64Array.from({ length: 60 }, () => normal(random));
      const rows = [0, 1].map(() => {
        const luck = 0.5 * normal(random);
        return images.map((image) => image + luck);
      });
      const { low, high } = meanInterval(rows, { trainings: 2 });
      if (low <= 0 && high >= 0) covered++;
    }
    expect(covered / 600).toBeGreaterThan(0.91); // by Satterthwaite's approximation 0.87
  });

  it("is never below that of the images, the draws or the trainings alone", () => {
    // Draws that contradict each other: what images have in common is 0, and the difference of mean squares negative.
    const { variance } = estimateMean([
      [1, 0, 1, 0],
      [0, 1, 0, 1],
    ]);
    expect(variance).toBe(0);
    const { variance: some } = estimateMean([
      [1, 0, 1, 1],
      [0, 1, 0, 1],
    ]);
    expect(some).toBeCloseTo(0.125 / 8, 12); // the mean square of the images, and of the draws, is 0.125
  });

  it("has the images' freedom where it is theirs", () => {
    // Every draw has three right: by hand, the mean squares of images are 1/12 and 1/6, what is left has 1/3 both times.
    const rows = [
      [1, 0, 1, 1],
      [1, 1, 0, 1],
      [1, 1, 1, 0],
    ];
    const three = estimateMean(rows);
    expect(three.variance).toBeCloseTo(1 / 12 / 12, 12);
    expect(three.freedom).toBeCloseTo(3, 12);
    const two = estimateMean(rows.slice(0, 2));
    expect(two.variance).toBeCloseTo(1 / 6 / 8, 12);
    expect(two.freedom).toBeCloseTo(3, 12);
  });

  it("counts trainings as trainings, not as further draws", () => {
    const row = (ones: number) => Uint8Array.from({ length: 100 }, (_, i) => ((i * 37) % 100 < ones ? 1 : 0));
    const rows = [row(40), row(41), row(60), row(59)];
    expect(estimateMean(rows, 2).variance).toBeGreaterThan(1.5 * estimateMean(rows).variance);
    expect(() => estimateMean(rows, 3)).toThrow(/4 draws are not as many of 3 each/);
  });
});

describe("the shares of a variance", () => {
  /** Luck of each row, which is shared by its images: trainings × draws. */
  const shares = (luck: number[][], images: number) =>
    estimateMean(
      luck.flatMap((draws, s) =>
        draws.map((own, d) => Float64Array.from({ length: images }, (_, i) => own + 0.1 * (((i * 7 + d + s) % 5) - 2))),
      ),
      luck.length,
    ).shares;

  it("belong to what varies, and to nothing of which there is only one", () => {
    const byDraw = shares([[0, 0.2, 0.4]], 500);
    expect(byDraw.draws).toBeGreaterThan(0.9);
    expect(byDraw.images).toBeLessThan(0.1);
    expect(byDraw.trainings).toBe(0);
    const byTraining = shares([[0], [0.2], [0.4]], 500);
    expect(byTraining.trainings).toBeGreaterThan(0.9);
    expect(byTraining.draws).toBe(0);
    expect(shares([[0]], 50)).toEqual({ trainings: 0, draws: 0, images: 1 });
    expect(estimateMean([[1, 1]]).shares).toEqual({ trainings: 0, draws: 0, images: 0 });
  });
});

describe("the interval of a mean", () => {
  it.each([
    ["several draws", { images: 150, draws: 5, ease: 0.5 }],
    ["one draw", { images: 150, draws: 1, ease: 0.5 }],
  ])("covers the truth as often as it says: %s", (_, shape) => {
    // One draw cannot show how lucky it was, so it is simulated without luck.
    const answers = (seed: number) => (shape.draws === 1 ? withoutLuck(seed, shape.images) : simulate(seed, shape));
    for (const interval of [fractionInterval, meanInterval]) {
      const covered = coverage((seed) => interval(answers(seed)), shape.ease);
      expect(covered).toBeGreaterThan(0.91);
      expect(covered).toBeLessThan(0.985);
    }
  });

  it("is Wilson's for one draw", () => {
    const marks = Uint8Array.from({ length: 400 }, (_, i) => (i < 100 ? 1 : 0));
    const { value, low, high } = fractionInterval([marks]);
    expect(value).toBe(0.25);
    expect(low).toBeCloseTo(0.2101, 3); // R: binom.confint(100, 400, methods = "wilson")
    expect(high).toBeCloseTo(0.2947, 3);
  });

  it("is wider if draws differ", () => {
    const half = (n: number) => Uint8Array.from({ length: 1000 }, (_, i) => ((i * 7) % 1000 < n ? 1 : 0));
    const alike = fractionInterval([half(500), half(500), half(500)]);
    const unlike = fractionInterval([half(300), half(500), half(700)]);
    expect(unlike.value).toBeCloseTo(alike.value, 10);
    expect(width(unlike)).toBeGreaterThan(3 * width(alike));
  });

  it("is wider at a higher level", () => {
    const marks = simulate(3, { images: 200, draws: 3, ease: 0.5 });
    const at = (level: number) => meanInterval(marks, { level });
    expect(width(at(0.99))).toBeGreaterThan(width(at(0.95)));
    expect(width(at(0.95))).toBeGreaterThan(width(at(0.5)));
  });

  it("stays within 0 and 1, and has a width where every answer is right or wrong", () => {
    const right = fractionInterval([new Uint8Array(50).fill(1), new Uint8Array(50).fill(1)]);
    expect(right.value).toBe(1);
    expect(right.high).toBe(1);
    expect(right.low).toBeCloseTo(1 - 3.84 / 53.84, 3); // Wilson's lower end for 50 of 50
    const wrong = fractionInterval([new Uint8Array(50)]);
    expect([wrong.value, wrong.low]).toEqual([0, 0]);
    expect(wrong.high).toBeCloseTo(3.84 / 53.84, 3);
  });

  it("refuses data without a mean", () => {
    expect(() => meanInterval([])).toThrow(/at least one draw/);
    expect(() => meanInterval([new Uint8Array()])).toThrow(/one test image/);
    expect(() => fractionInterval([new Uint8Array(2), new Uint8Array(3)])).toThrow(/2 and 3/);
  });

  it("takes Student's quantiles from the tables", () => {
    expect(studentQuantile(0.975, 1)).toBeCloseTo(12.706, 3);
    expect(studentQuantile(0.975, 4)).toBeCloseTo(2.776, 3);
    expect(studentQuantile(0.975, Number.POSITIVE_INFINITY)).toBeCloseTo(1.96, 3);
  });
});

describe("the interval of a difference", () => {
  const a = simulate(1, { images: 300, draws: 3, ease: 0.5 });
  /** Right wherever `a` is, and also on every tenth image. */
  const b = a.map((marks) => marks.map((mark, i) => (i % 10 === 0 ? 1 : mark)));

  it("is narrower if both are wrong on the same images than if they are independent", () => {
    const strangers = simulate(2, { images: 300, draws: 3, ease: 0.5 });
    const paired = pairedInterval(b, a);
    expect(paired.value).toBeGreaterThan(0);
    expect(paired.low).toBeGreaterThan(0);
    expect(width(paired)).toBeLessThan(0.6 * width(pairedInterval(strangers, a)));
  });

  it("is the difference of the means, and changes sign with the order", () => {
    const [forth, back] = [pairedInterval(b, a), pairedInterval(a, b)];
    const mean = (marks: Uint8Array[]) => meanInterval(marks).value;
    expect(forth.value).toBeCloseTo(mean(b) - mean(a), 12);
    expect(back.value).toBeCloseTo(-forth.value, 12);
    expect(back.low).toBeCloseTo(-forth.high, 12);
    expect(pairedInterval(a, a)).toEqual({ value: 0, low: 0, high: 0 });
  });

  it("covers zero as often as it says if there is no difference", () => {
    const shape = { images: 150, draws: 5, ease: 0.5 };
    const covered = coverage((seed) => pairedInterval(simulate(2 * seed, shape), simulate(2 * seed + 1, shape)), 0);
    expect(covered).toBeGreaterThan(0.91);
    expect(covered).toBeLessThan(0.985);
  });

  it("refuses data that cannot be paired", () => {
    expect(() => pairedInterval(a, a.slice(1))).toThrow(/3 draws of 300 images came with 2 of 300/);
    expect(() => pairedInterval(a, [new Uint8Array(2)])).toThrow(/1 of 2/);
  });
});

describe("a metric that is not a mean", () => {
  const rms = (scores: ArrayLike<number>) =>
    Math.sqrt(Array.from(scores).reduce((sum, one) => sum + one ** 2, 0) / scores.length);

  const interval = (scores: number[][]) => intervalOf(scores, valuesOf(scores, rms), rms);

  it("has the interval of its jackknife, which covers the truth", () => {
    const random = xoroshiro128plus(7);
    const errors = () => [Array.from({ length: 200 }, () => 2 * uniformFloat64(random))];
    const covered = coverage(() => interval(errors()), Math.sqrt(4 / 3));
    expect(covered).toBeGreaterThan(0.9);
    expect(covered).toBeLessThan(0.985);
  });

  it("has a width even if it is perfect, and stays within 0 and 1 where it is a fraction", () => {
    const perfect = [new Array<number>(6).fill(1)];
    const of = (scores: number[][]) => intervalOf(scores, valuesOf(scores, rms), rms, { answers: scores[0]?.length });
    expect(of(perfect)).toMatchObject({ value: 1, high: 1 });
    expect(of(perfect).low).toBeCloseTo(0.61, 2); // Wilson's for 6 of 6
    expect(of([new Array<number>(5000).fill(1)]).low).toBeGreaterThan(0.999); // more images than a jackknife's parts
    const { low, high } = of([[1, 1, 1, 1, 1, 0.2]]);
    expect(low).toBeGreaterThan(0.4);
    expect(high).toBeLessThanOrEqual(1);
  });

  it("has pseudo-values whose mean is the metric, up to its bias", () => {
    const scores = [Array.from({ length: 250 }, (_, i) => (i * 17) % 11)];
    const [values] = valuesOf(scores, rms);
    expect(values?.length).toBe(100);
    expect(meanInterval([values as ArrayLike<number>]).value).toBeCloseTo(rms(scores[0] as number[]), 2);
    expect(interval(scores).value).toBe(rms(scores[0] as number[]));
  });
});

describe("label savings", () => {
  /** Right on the first `ones` of 1,000 images, in a scattered order. */
  const right = (ones: number) => [Uint8Array.from({ length: 1000 }, (_, i) => ((i * 387) % 1000 < ones ? 1 : 0))];
  const scratch = [300, 400, 500, 600].map((ones, i) => ({ labels: 2 ** i, values: right(ones) }));

  it("are read off the baseline's curve, on a logarithmic axis", () => {
    const saved = labelSavings({ labels: 1, values: right(450) }, scratch);
    expect(saved.labels).toBeCloseTo(2 * Math.SQRT2, 6);
    expect(saved.low).toBeLessThan(saved.labels);
    expect(saved.high).toBeGreaterThan(saved.labels);
    expect(saved.open).toEqual({ labels: false, low: false, high: false });
    expect(saved.below).toEqual({ labels: false, low: false });
  });

  it("say where the curve ends before the answer", () => {
    const beyond = labelSavings({ labels: 1, values: right(800) }, scratch);
    expect(beyond).toMatchObject({ labels: 8, low: 8, high: 8, open: { labels: true, low: true, high: true } });
    const below = labelSavings({ labels: 4, values: right(100) }, scratch);
    expect(below.labels).toBe(1);
    expect(below.below).toEqual({ labels: true, low: true });
    expect(below.high).toBeLessThan(2);
    // As good as the baseline with its fewest labels, and so perhaps as good as with fewer.
    const atTheEnd = labelSavings({ labels: 1, values: right(302) }, scratch);
    expect(atTheEnd.labels).toBeGreaterThan(1);
    expect(atTheEnd.below).toEqual({ labels: false, low: true });
  });

  it("reach over one number of labels with which the baseline was lucky, but not over more", () => {
    const shuffled = (ones: number, step: number) => [
      right(ones)[0]?.map((_, i, all) => all[(i * step) % 1000] as number) ?? [],
    ];
    const saved = (lucky: number) => {
      const curve = [530, lucky, 530, 900].map((ones, i) => ({ labels: 2 ** i, values: shuffled(ones, 377 + 2 * i) }));
      return labelSavings({ labels: 1, values: right(500) }, curve);
    };
    expect(saved(545).high).toBe(4); // two labels a class are nearly as good: equal again beside them
    expect(saved(700).high).toBeLessThan(2);
  });

  it("let one draw of all labels stand for every draw", () => {
    const [one] = right(450) as [Uint8Array];
    const several = scratch.map(({ labels, values }, i) => ({
      labels,
      values: i < 3 ? [...values, ...values] : values,
    }));
    const saved = labelSavings({ labels: 1, values: [one, one] }, several);
    expect(saved.labels).toBeCloseTo(2 * Math.SQRT2, 6);
  });

  it("cover the truth as often as they say", () => {
    const at = (seed: number, ease: number) => simulate(seed, { images: 150, draws: 5, ease });
    const covered = coverage((seed) => {
      const curve = [0.3, 0.4, 0.5, 0.6].map((ease, i) => ({ labels: 2 ** i, values: at(10 * seed + i, ease) }));
      const { low, high, open } = labelSavings({ labels: 1, values: at(10 * seed + 5, 0.45) }, curve);
      return { low: open.low ? 0 : low, high: open.high ? Number.POSITIVE_INFINITY : high };
    }, 2 * Math.SQRT2);
    expect(covered).toBeGreaterThan(0.91);
    expect(covered).toBeLessThan(0.99);
  });
});

function withoutLuck(seed: number, images: number): Uint8Array[] {
  const random = xoroshiro128plus(seed);
  return [Uint8Array.from({ length: images }, () => (uniformFloat64(random) < 0.5 ? 1 : 0))];
}
