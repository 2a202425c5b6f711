/** What chance in training, in drawing labels and in the choice of the first adds to the estimates of a study. */
import { describe, expect, it } from "vitest";
import { studentQuantile } from "../../../src/evaluate/statistics.ts";
import { estimateMean } from "../../../src/evaluate/variance.ts";
import { analyse } from "../../../src/study/analysis/analysis.ts";
import { varianceComponents } from "../../../src/study/analysis/components.ts";
import {
  contrast,
  estimate,
  gain,
  performance,
  quality,
  spreadOf,
  start,
} from "../../../src/study/analysis/estimates.ts";
import { gridOf, startOf } from "../../../src/study/analysis/grid.ts";
import { pretextLinks } from "../../../src/study/analysis/pretext.ts";
import { ranking } from "../../../src/study/analysis/ranking.ts";
import type { CellResult, Factors } from "../../../src/study/grid/cell.ts";
import { cell, pattern, scored } from "./synthetic.ts";

const IMAGES = 256;
const seeds = [0, 1, 2];
/** Scores of a level, with noise that is the same for all. */
const level = (value: number) => pattern(1, IMAGES).map((sign) => value + 0.02 * sign);
const spread = (cells: readonly CellResult[]) => spreadOf(cells, gridOf(cells));

describe("an untrained network", () => {
  /** Each seed's untrained network is compared with every one of these. */
  const compared = (others: readonly Partial<Factors>[]) =>
    seeds.flatMap((seed) =>
      others.map((other, i) =>
        scored(
          { task: "rotation", seed, stem: "cifar", ...other },
          level(0.4 + 0.01 * ((seed + i) % 3)),
          level(0.4 + 0.03 * seed),
        ),
      ),
    );

  it("is one piece of evidence, however many tasks and numbers of images are compared with it", () => {
    const cells = compared([1000, 5000, 20_000, "all"].map((trainImages) => ({ trainImages }) as Partial<Factors>));
    const { trained, untrained } = spread(cells);
    expect([trained.freedom, untrained.freedom]).toEqual([8, 2]);
    expect(untrained.variance).toBeCloseTo(0.03 ** 2, 12);
    const { luck } = estimate(cells, gain, spread(cells));
    expect(luck).toBeCloseTo(trained.variance / 12 + untrained.variance / 3, 12);
    const before = estimate(cells, start, spread(cells));
    expect(before.luck).toBeCloseTo(untrained.variance / 3, 12);
    expect(before.high - before.value).toBeCloseTo(studentQuantile(0.975, 2) * Math.sqrt(before.luck), 2);
  });

  it("does not come between two tasks that are compared with it", () => {
    const cells = compared([{ task: "rotation" }, { task: "exemplar" }]);
    const of = (task: string) => cells.filter(({ factors }) => factors.task === task);
    const [a, b] = [of("rotation"), of("exemplar")].map((own) => estimate(own, gain, spread(cells))) as [
      ReturnType<typeof estimate>,
      ReturnType<typeof estimate>,
    ];
    const { low, high } = contrast(a, b);
    const deviation = Math.sqrt((2 * spread(cells).trained.variance) / 3);
    expect(high - low).toBeCloseTo(2 * studentQuantile(0.975, 4) * deviation, 6);
  });

  it("is another one where a task brings a stem", () => {
    const at = (task: string, model: string, stem?: string) =>
      startOf(cell({ task, model, stem }, { gain: () => 0 }, 1));
    expect(at("jigsaw", "resnet18")).not.toBe(at("rotation", "resnet18"));
    expect(at("jigsaw", "resnet18", "cifar")).toBe(at("rotation", "resnet18", "cifar"));
    expect(at("jigsaw", "vgg11")).toBe(at("rotation", "vgg11"));
    expect(at("of elsewhere", "resnet18", "cifar")).toBe(at("rotation", "resnet18", "cifar"));
  });
});

it("two seeds that are alike by chance are no proof that all are", () => {
  const noise = pattern(2, IMAGES).map((sign) => 0.3 * sign);
  const cells = [0, 1].map((seed) =>
    scored(
      { task: "rotation", seed },
      level(0.4 + 0.005 * seed).map((score, i) => score + (seed ? 1 : -1) * (noise[i] as number)),
    ),
  );
  expect(spread(cells).trained.variance).toBe(0); // single images explain it
  const { freedom } = estimate(cells, quality, spread(cells));
  const { low, high, images } = estimate(cells, quality, spread(cells));
  expect(freedom).toBe(Number.POSITIVE_INFINITY);
  expect(high - low).toBeGreaterThan(3 * 2 * 1.97 * Math.sqrt(estimateMean([images]).variance));
});

describe("a gain", () => {
  const few = Array.from({ length: 200 }, (_, i) => Number(i < 100 || i >= 196)); // right on four images more
  const before = Array.from({ length: 200 }, (_, i) => Number(i < 100));

  it("of few images is no surer by a second seed that says the same", () => {
    const cells = [0, 1].map((seed) => scored({ task: "rotation", seed }, few, before));
    expect(estimate(cells, gain, spread(cells)).p).toBeGreaterThanOrEqual(0.125);
  });

  it("over networks that do worse than guessing says nothing, unless the encoder is clearly better than that", () => {
    const helped = (chance: number) => {
      const cells = [0, 1].map((seed) => {
        const one = scored({ task: "rotation", seed }, level(0.7), level(0.6));
        Object.assign(one.difference, { chance, valueLow: 0.68 });
        return one;
      });
      return ranking({ cells })[0]?.significant;
    };
    expect([helped(0.1), helped(0.9)]).toEqual([true, false]);
  });
});

describe("draws of labels", () => {
  const draws = [0.2, 0.4].map((share) =>
    Uint8Array.from({ length: 400 }, (_, i) => ((i * 37) % 100 < 100 * share ? 1 : 0)),
  );
  const whole = estimateMean(draws);
  const trained = Array.from({ length: 400 }, (_, i) => ((draws[0]?.[i] as number) + (draws[1]?.[i] as number)) / 2);
  const cells = seeds.slice(0, 2).map((seed) => {
    const one = scored({ task: "rotation", seed }, trained, trained);
    Object.assign(one.difference, { draws: 2 });
    const variance = whole.variance * (1 - whole.shares.images);
    return { ...one, drawVariance: { trained: variance, untrained: variance, gain: 0 } };
  });

  it("make a mean as unsure as what it is the mean of", () => {
    for (const measure of [performance, start]) {
      const { images, luck } = estimate(cells, measure, spread(cells));
      expect(luck + estimateMean([images]).variance).toBeCloseTo(whole.variance, 10);
    }
  });
});

describe("the first task", () => {
  /** Gains that differ by as much as two independent noises have for a deviation times this. */
  const ranked = (...behind: number[]) => {
    const unit = 0.1 * Math.sqrt(2 / (IMAGES - 1));
    const cells = ["rotation", "jigsaw", "exemplar"].map((task, i) =>
      scored(
        { task },
        pattern(i + 1, IMAGES).map((sign) => 0.4 - unit * (behind[i] as number) + 0.1 * sign),
      ),
    );
    return ranking({ cells }).map(({ name, tied }) => [name, tied]);
  };

  it("is compared with the others as one of all pairs, as nobody knew which it would be", () => {
    // 2.34 deviations: p = 0.02, which is 0.04 as one of two contrasts, and 0.06 as one of three.
    expect(ranked(0, 2.3, 2.34)).toEqual([
      ["rotation", false],
      ["jigsaw", true],
      ["exemplar", true],
    ]);
    expect(ranked(0, 1, 2.6)).toEqual([
      ["rotation", false],
      ["jigsaw", true],
      ["exemplar", false],
    ]);
  });
});

describe("points of the pretext score", () => {
  const links = (factors: readonly Partial<Factors>[]) => {
    const cells = factors.map((one, i) => ({
      ...scored({ task: "rotation", ...one }, level(0.4 + 0.01 * i)),
      pretext: { ...cell({ task: "rotation" }, { gain: () => 0 }, 1).pretext, value: 0.3 + 0.01 * i },
    }));
    return pretextLinks(cells, gridOf(cells), spread(cells));
  };
  const each = (widths: readonly number[], own = seeds) =>
    widths.flatMap((width) => own.map((seed) => ({ width, seed })));

  it("are settings, whose seeds move together; and seeds where nothing else varies", () => {
    const [three] = links(each([0.25, 0.5, 1]));
    expect(three?.points.map(({ pretext }) => pretext)).toEqual(
      [0.31, 0.34, 0.37].map((one) => expect.closeTo(one, 10)),
    );
    expect(three?.found).toBeUndefined();
    expect(links(each([0.5], [0, 1, 2, 3, 4]))[0]?.points).toHaveLength(5);
    const models = ["resnet18", "vgg11"].flatMap((model) => each([0.25, 0.5, 1, 2]).map((one) => ({ ...one, model })));
    expect(links(models).map(({ model, points }) => [model, points.length])).toEqual([
      [undefined, 8],
      ["resnet18", 4],
      ["vgg11", 4],
    ]);
  });
});

it("chance in training is not an interaction in settings that were not repeated", () => {
  const luck = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8];
  const models = ["resnet18", "vgg11"];
  const tasks = ["rotation", "exemplar"];
  const cells = [0.5, 1].flatMap((width) =>
    tasks.flatMap((task) =>
      models.flatMap((model) => (width === 1 ? [0] : [0, 1]).map((seed) => ({ task, model, width, seed }))),
    ),
  );
  const measured = cells.map((one, i) => scored(one, level(0.01 * (luck[i] as number))));
  const at = (width: number) =>
    tasks.map((task) =>
      models.map((model) =>
        measured
          .filter(({ factors }) => factors.task === task && factors.model === model && factors.width === width)
          .map(performance.value),
      ),
    );
  const [repeated, once] = [varianceComponents(at(0.5)), varianceComponents(at(1))];
  const { components } = analyse({ config: { images: "photos" }, cells: measured, failed: [], leftOut: [] });
  expect(once.repetitions).toBeNaN();
  expect(components?.repetitions).toBeCloseTo(repeated.repetitions, 12);
  expect(components?.interaction).toBeCloseTo((repeated.interaction + once.interaction - repeated.repetitions) / 2, 12);
});
