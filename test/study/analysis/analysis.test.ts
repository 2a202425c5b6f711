import { describe, expect, it } from "vitest";
import { SelfsightError } from "../../../src/errors.ts";
import { studentInterval } from "../../../src/evaluate/statistics.ts";
import { estimateMean } from "../../../src/evaluate/variance.ts";
import { randomAt, uniform } from "../../../src/random.ts";
import { analyse } from "../../../src/study/analysis/analysis.ts";
import { varianceComponents } from "../../../src/study/analysis/components.ts";
import { contrast, estimate, gain, spreadOf } from "../../../src/study/analysis/estimates.ts";
import { fullGrid, gridOf } from "../../../src/study/analysis/grid.ts";
import { ordersOf } from "../../../src/study/analysis/orders.ts";
import { pretextLinks } from "../../../src/study/analysis/pretext.ts";
import { kendallTau, rankTest, spearmanRho } from "../../../src/study/analysis/rank-correlation.ts";
import { nextCommand, ranking } from "../../../src/study/analysis/ranking.ts";
import { resampled } from "../../../src/study/analysis/resample.ts";
import { cell, type Effects, study } from "./synthetic.ts";

const alone = { variance: 0, square: 0, freedom: 0 };
/** Of a study without repetitions. */
const none = { trained: alone, untrained: alone };

const tasks = ["rotation", "jigsaw", "exemplar"];
const models = ["resnet18", "vgg11"];
const byTask: Effects = { gain: ({ task }) => ({ rotation: 0.2, jigsaw: 0.1, exemplar: 0 })[task] ?? 0 };
const reversedOnVgg: Effects = {
  gain: ({ task, model }) =>
    model === "vgg11" ? 0.2 - byTask.gain({ task } as never) : byTask.gain({ task } as never),
};

function orders(effects: Effects, images?: number) {
  const { cells } = study({ task: tasks, model: models, seed: [0, 1] }, effects, images);
  const grid = gridOf(cells);
  const { rows, columns, at } = fullGrid(grid);
  return ordersOf({ items: rows, places: columns, at }, gain, spreadOf(cells, grid));
}

describe("rankings across architectures", () => {
  it("agree where tasks have the same effect everywhere", () => {
    const { outcome, agreements, ranks, swaps } = orders(byTask);
    expect(outcome).toBe("same");
    expect(agreements).toMatchObject([{ a: "resnet18", b: "vgg11", tau: 1, high: 1 }]);
    expect(agreements[0]?.low).toBeGreaterThan(0.9);
    expect(ranks).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect(swaps).toEqual([]);
  });

  it("change where an interaction was planted", () => {
    const { outcome, agreements, ranks, swaps } = orders(reversedOnVgg);
    expect(outcome).toBe("changes");
    expect(agreements[0]).toMatchObject({ tau: -1 });
    expect(agreements[0]?.high).toBeLessThan(0);
    expect(ranks[1]).toEqual([3, 2, 1]);
    expect(swaps[0]).toMatchObject({ one: "rotation", other: "exemplar", here: "resnet18", there: "vgg11" });
    expect(swaps[0]?.by).toBeCloseTo(0.2, 1);
  });

  it("are not said to change where all tasks are equally good", () => {
    let changes = 0;
    for (let run = 0; run < 20; run++) {
      const { outcome } = orders({ gain: () => 0.1 + run / 1000 }, 150);
      if (outcome === "changes") changes++;
    }
    expect(changes).toBeLessThanOrEqual(3); // 5 % of 20 is 1
  });
});

describe("rank correlations", () => {
  it("are not numbers where all are equal", () => {
    expect(kendallTau([1, 1, 1], [1, 2, 3])).toBeNaN();
    expect(spearmanRho([1, 1, 1], [1, 2, 3])).toBeNaN();
    expect(spearmanRho([1], [2])).toBeNaN();
    expect(rankTest([1, 1, 1, 1], [1, 2, 3, 4])).toBe(1);
  });

  it("have p-values that chance explains: two in 24 orders of four, and next to nothing for ten in a row", () => {
    expect(rankTest([1, 2, 3, 4], [1, 2, 3, 4])).toBeCloseTo(2 / 24, 1);
    const ten = Array.from({ length: 10 }, (_, i) => i);
    expect(rankTest(ten, ten)).toBeLessThan(0.001);
  });
});

describe("components of variance", () => {
  it("find what was planted, on average over many tables", () => {
    const random = randomAt(3);
    // Uniform numbers of a variance.
    const draw = (variance: number) => Math.sqrt(12 * variance) * (uniform(random, 0, 1) - 0.5);
    const planted = { rows: 4, columns: 1, interaction: 0.5, repetitions: 0.25 };
    const sums = { rows: 0, columns: 0, interaction: 0, repetitions: 0 };
    const tables = 400;
    for (let t = 0; t < tables; t++) {
      const columns = Array.from({ length: 5 }, () => draw(planted.columns));
      const table = Array.from({ length: 5 }, () => {
        const row = draw(planted.rows);
        return columns.map((column, j) => {
          const own = row + column + draw(planted.interaction);
          return Array.from({ length: 1 + (j % 3) }, () => own + draw(planted.repetitions));
        });
      });
      const found = varianceComponents(table);
      for (const name of ["rows", "columns", "interaction", "repetitions"] as const) sums[name] += found[name] / tables;
    }
    expect(sums.rows).toBeCloseTo(4, 0);
    expect(sums.columns).toBeCloseTo(1, 0);
    expect(Math.abs(sums.interaction - 0.5)).toBeLessThan(0.05);
    expect(Math.abs(sums.repetitions - 0.25)).toBeLessThan(0.02);
  });

  it("say that nothing was repeated, and refuse a table with gaps", () => {
    expect(
      varianceComponents([
        [[1], [2]],
        [[3], [5]],
      ]).repetitions,
    ).toBeNaN();
    expect(() =>
      varianceComponents([
        [[1], []],
        [[3], [5]],
      ]),
    ).toThrow(/full table .* 2 × 2 with 3 cells/);
    expect(() => varianceComponents([[[1], [2]]])).toThrow(SelfsightError);
  });
});

describe("the grid", () => {
  it("takes options that vary into the rows, and what else varies as settings", () => {
    const { cells } = study(
      { task: ["jigsaw"], options: [{ permutations: 10 }, { permutations: 100 }], width: [0.5, 1], seed: [0, 1] },
      byTask,
    );
    const { rows, columns, settings, varying, at } = gridOf(cells);
    expect(rows).toEqual(["jigsaw (permutations 10)", "jigsaw (permutations 100)"]);
    expect([columns, settings, varying]).toEqual([["resnet18"], ["width 0.5", "width 1"], ["width"]]);
    expect(at("jigsaw (permutations 10)", "resnet18", "width 1").map(({ factors }) => factors.seed)).toEqual([0, 1]);
  });

  it("takes a factor that follows from the architecture as a part of it", () => {
    const cells = models.flatMap((model, i) =>
      tasks.map((task) => cell({ task, model, imageSize: 32 + 32 * i }, byTask)),
    );
    expect(gridOf(cells)).toMatchObject({ settings: [""], varying: [] });
    expect(fullGrid(gridOf(cells))).toMatchObject({ rows: tasks, columns: models, leftOut: "" });
  });

  it("leaves out settings with gaps, and tasks if no setting is without", () => {
    const { cells } = study({ task: tasks, model: models, width: [0.5, 1] }, byTask);
    const gap = cells.filter(({ name }) => name !== "jigsaw-vgg11-1-all-seed0");
    expect(fullGrid(gridOf(gap))).toMatchObject({ rows: tasks, settings: ["width 0.5"] });
    expect(fullGrid(gridOf(gap)).leftOut).toContain("width 1");
    expect(
      fullGrid(gridOf(gap))
        .at("jigsaw", "resnet18")
        .map(({ factors }) => factors.width),
    ).toEqual([0.5]);
    const gaps = gap.filter(({ name }) => name !== "exemplar-vgg11-0.5-all-seed0");
    expect(fullGrid(gridOf(gaps))).toMatchObject({ rows: ["rotation", "jigsaw"], settings: ["width 0.5"] });
  });

  it("leaves out an architecture that most tasks lack, not the tasks", () => {
    const { cells } = study({ task: tasks, model: models, width: [0.5, 1] }, byTask);
    const only = cells.filter(({ factors: { task, model } }) => model === "resnet18" || task === "rotation");
    const full = fullGrid(gridOf(only));
    expect(full).toMatchObject({ rows: tasks, columns: ["resnet18"], settings: ["width 0.5", "width 1"] });
    expect(full.leftOut).toBe("Left out because cells are missing: vgg11.");
    // Each architecture lacks another task.
    const holes = cells.filter(({ factors: { task, model } }) => (model === "vgg11") !== (task === "rotation"));
    expect(fullGrid(gridOf(holes))).toMatchObject({ rows: ["jigsaw", "exemplar"], columns: ["vgg11"] });
    expect(ranking({ cells: holes }).map(({ name }) => name)).toEqual(["jigsaw", "exemplar"]);
  });
});

describe("estimates", () => {
  it("of one cell that was trained once are its own interval", () => {
    const one = cell({ task: "rotation" }, byTask);
    const { value, low, high } = estimate([one], gain, none);
    expect([value, low, high]).toEqual([one.difference.difference, one.difference.low, one.difference.high]);
  });

  it("are as sure as the comparison that they come from, however few the draws", () => {
    // Two draws that disagree: Student's t of one degree of freedom makes the interval far wider than 1.96 deviations.
    const scores = [0, 1].map((draw) => Float64Array.from({ length: 200 }, (_, i) => 0.2 * draw + 0.3 * (i % 2)));
    const whole = estimateMean(scores);
    const one = cell({ task: "rotation" }, byTask, 200);
    const trained = Array.from(scores[0] as Float64Array, (_, i) => 0.1 + 0.3 * (i % 2));
    one.perImage = { trained, untrained: trained.map(() => 0) };
    Object.assign(one.difference, { difference: whole.mean, draws: 2, ...studentInterval(whole) });
    one.drawVariance.gain = whole.variance * (1 - whole.shares.images);
    const { luck, images } = estimate([one], gain, none);
    expect(luck + estimateMean([images]).variance).toBeCloseTo(whole.variance, 10);
  });

  it("allow for the luck of training where seeds show it", () => {
    const lucky: Effects = { gain: ({ seed }) => 0.1 + 0.05 * (seed % 2 ? 1 : -1) };
    const widths = [byTask, lucky].map((effects) => {
      const { cells } = study({ task: ["jigsaw"], seed: [0, 1, 2, 3] }, effects);
      const spread = spreadOf(cells, gridOf(cells));
      const { low, high } = estimate(cells, gain, spread);
      return { width: high - low, deviation: Math.sqrt(spread.trained.variance) };
    });
    expect(widths[0]?.deviation).toBeLessThan(0.01);
    expect(widths[1]?.deviation).toBeCloseTo(0.058, 1);
    expect(widths[1]?.width).toBeGreaterThan(2 * (widths[0]?.width ?? 0));
  });

  it("are compared on the same images, and resampled to the same variance", () => {
    const { cells } = study({ task: ["rotation", "jigsaw"] }, byTask);
    const [a, b] = cells.map((one) => estimate([one], gain, none)) as [
      ReturnType<typeof estimate>,
      ReturnType<typeof estimate>,
    ];
    const { value, low, high } = contrast(a, b);
    const samples = resampled([a, b])
      .map(([x = 0, y = 0]) => x - y)
      .sort((x, y) => x - y);
    expect(samples).toHaveLength(1000);
    expect(samples[25]).toBeCloseTo(low, 2);
    expect(samples[974]).toBeCloseTo(high, 2);
    expect(value).toBeCloseTo(0.1, 1);
    expect(resampled([a, b])).toEqual(resampled([a, b]));
    const fewer = estimate([cell({ task: "rotation" }, byTask, 10)], gain, none);
    expect(() => resampled([a, fewer])).toThrow(/different test images/);
  });
});

describe("pretext accuracy", () => {
  const widths = [0.25, 0.5, 1, 2, 4];
  const links = (effects: Effects, width = widths) => {
    const { cells } = study({ task: ["rotation", "jigsaw"], model: models, width }, effects);
    const grid = gridOf(cells);
    return pretextLinks(cells, grid, spreadOf(cells, grid));
  };
  const better: Effects = {
    gain: ({ width }) => 0.05 * Math.log2(4 * width),
    pretext: ({ width, task }) => (task === "rotation" ? 0.4 + width / 10 : 0.5),
  };

  it("is held against the features task by task, over networks and within an architecture", () => {
    const [over, resnet, vgg, jigsaw] = links(better);
    expect(over).toMatchObject({ row: "rotation", model: undefined });
    expect(over?.points).toHaveLength(10);
    expect(over?.found?.rho).toBeGreaterThan(0.8);
    expect(over?.found?.p).toBeLessThan(0.05);
    expect(over?.found?.low).toBeGreaterThan(0.5);
    expect([resnet?.model, vgg?.model, resnet?.points.length]).toEqual([...models, 5]);
    expect(jigsaw).toMatchObject({ row: "jigsaw" }); // all its scores are the same
    expect(jigsaw?.found).toBeUndefined();
  });

  it("has no number for fewer than four points", () => {
    const few = links(better, [0.5]);
    expect(few).toHaveLength(2);
    expect(few[0]?.points).toHaveLength(2);
    expect(few[0]?.found).toBeUndefined();
  });
});

describe("a scout", () => {
  const scouted = study(
    { task: [...tasks, "supervised"] },
    { gain: (one) => (one.task === "supervised" ? 0.4 : byTask.gain(one)) },
  );

  it("ranks the tasks without labels, with what can be told apart", () => {
    const ranked = ranking(scouted);
    expect(ranked.map(({ name, rank, tied, significant }) => [name, rank, tied, significant])).toEqual([
      ["rotation", 1, false, true],
      ["jigsaw", 2, false, true],
      ["exemplar", 3, false, false],
    ]);
    const [first] = ranked;
    expect(first?.low).toBeLessThan(first?.difference as number);
    expect(
      ranking(study({ task: tasks }, { gain: () => 0.1 }, 100))
        .slice(1)
        .every(({ tied }) => tied),
    ).toBe(true);
  });

  it("counts each network once, however many seeds it has", () => {
    const effects: Effects = {
      gain: ({ task, model }) => (task === "jigsaw" ? 0.12 : model === "vgg11" ? 0 : 0.2),
      untrained: () => 0.4,
    };
    const all = study({ task: ["rotation", "jigsaw"], model: models, seed: [0, 1, 2] }, effects, 2000);
    const cells = all.cells.filter(
      ({ factors: { seed, task, model } }) => !seed || (task === "rotation" && model !== "vgg11"),
    );
    expect(cells).toHaveLength(6);
    expect(ranking({ cells }).map(({ name }) => name)).toEqual(["jigsaw", "rotation"]);
    expect(ranking({ cells })[1]?.difference).toBeCloseTo(0.1, 1);
    const { components } = analyse({
      ...all,
      cells: [...cells, ...study({ task: ["rotation", "jigsaw"], model: models, width: [1] }, effects, 2000).cells],
    });
    expect(components?.repetitions).toBeGreaterThanOrEqual(0); // one setting alone was repeated
  });

  it("names the command for the best", () => {
    expect(nextCommand({ ...scouted, config: { images: "photos", preset: "auto", minutes: 1 } })).toBe(
      "npx selfsight pretrain photos --task rotation --model resnet18 --width 0.5 --image-size 64 --preset quick --minutes 30",
    );
    const more = study({ task: ["jigsaw"], options: [{ permutations: 10 }], stem: ["cifar"] }, byTask);
    for (const one of more.cells) one.seconds.training = 600;
    expect(nextCommand({ ...more, config: { images: "my photos" } })).toBe(
      "npx selfsight pretrain 'my photos' permutations=10 --task jigsaw --model resnet18 --width 0.5 --stem cifar --image-size 64 --preset paper --minutes 100",
    );
    const config = { images: "photos", preset: "paper", crop: "auto", flip: false, learningRate: 0.02, epochs: 3 };
    expect(nextCommand({ ...scouted, config })).toBe(
      "npx selfsight pretrain photos --task rotation --model resnet18 --width 0.5 --image-size 64 --preset paper --no-flip --learning-rate 0.02 --minutes 30",
    );
    expect(nextCommand({ ...more, cells: [] })).toBeUndefined();
  });
});
