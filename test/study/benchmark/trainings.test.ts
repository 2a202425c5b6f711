/** What a benchmark trains its tasks with. */
import { expect, test } from "vitest";
import { parseOptions } from "../../../src/options.ts";
import { type BenchmarkOptions, benchmarkOptions } from "../../../src/study/benchmark/options.ts";
import { trainingsOf } from "../../../src/study/benchmark/train-all.ts";

const trainings = (options: Partial<BenchmarkOptions>) => {
  const config = parseOptions(benchmarkOptions, { images: "photos", ...options });
  return trainingsOf({ ...config, out: "out", budget: "1h" }, 10);
};

test("has a folder for each, numbered from the second seed on", () => {
  const folders = trainings({ tasks: ["rotation", "jigsaw"], seeds: 2, seed: 5 }).map(({ folder }) => folder);
  expect(folders).toEqual(["rotation", "rotation-6", "jigsaw", "jigsaw-6"].map((name) => `out/runs/${name}`));
});

test("takes the preset that is given, else what suits the minutes", () => {
  const preset = (options: Partial<BenchmarkOptions>) =>
    trainings({ tasks: ["rotation"], ...options })[0]?.options.preset;
  expect([preset({}), preset({ preset: "quick" }), preset({ preset: "paper" })]).toEqual([undefined, "quick", "paper"]);
});
