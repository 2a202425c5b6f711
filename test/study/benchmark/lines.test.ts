/** The lines of a benchmark's charts are means over the trainings of a task. */
import { expect, test } from "vitest";
import type { Measured } from "../../../src/evaluate/compare.ts";
import { linear } from "../../../src/evaluate/linear.ts";
import type { Protocol } from "../../../src/evaluate/protocol.ts";
import type { Kind, Representation } from "../../../src/evaluate/representations.ts";
import { intervalOf } from "../../../src/evaluate/uncertainty.ts";
import { accuracy, type Metric, mAP } from "../../../src/metric.ts";
import { linesOf } from "../../../src/study/benchmark/lines.ts";
import type { TaskResult } from "../../../src/study/benchmark/task-results.ts";
import { difference } from "../../report/sample.ts";

const IMAGES = 40;
/** Two draws, in which so many of the images are right. */
const scoresOf = (right: number) =>
  [0, 2].map((more) => Array.from({ length: IMAGES }, (_, i) => (i < right + more ? 1 : 0)));
const measured = (id: string, kind: Kind, layer: string, labels: number | "all", right: number): Measured => {
  const size = { value: 0, low: 0, high: 0, n: IMAGES, draws: 2 };
  const row = { id, encoder: id, kind, protocol: "linear", layer, labelsPerClass: labels, metric: accuracy, ...size };
  return {
    row,
    protocol: linear as unknown as Protocol,
    scores: scoresOf(right),
    values: scoresOf(right),
    heldOut: right,
  };
};
const representation = (id: string, kind: Kind, role: string, baselines: string[] = []): Representation => ({
  ...{ id, kind, role, baselines, label: id, imageSize: 32 },
  features: async () => ({}),
});

test("a line is the mean over trainings, each at its best layer, and its band allows for their differences", () => {
  const representations = [
    representation("a", "pre-trained", "a", ["untrained a", "pixels"]),
    representation("b", "pre-trained", "b", ["untrained b", "pixels"]),
    representation("untrained a", "untrained", "untrained"),
    representation("untrained b", "untrained", "untrained"),
    representation("pixels", "pixels", "raw pixels"),
  ];
  const all = [2, 4].flatMap((labels) => [
    measured("a", "pre-trained", "early", labels, 20),
    measured("a", "pre-trained", "late", labels, 10),
    measured("b", "pre-trained", "early", labels, 15),
    measured("b", "pre-trained", "late", labels, 30),
    measured("untrained a", "untrained", "early", labels, 6),
    measured("untrained b", "untrained", "early", labels, 8),
    measured("pixels", "pixels", "pixels", labels, 5),
  ]);
  const task = { title: "Rotation", ids: ["a", "b"], untrained: difference({ protocol: "linear" }) } as TaskResult;
  const lines = linesOf({ tasks: [task], measured: all, representations, headline: 2 });
  expect(lines.map(({ name, kind }) => [name, kind])).toEqual([
    ["Rotation", "pre-trained"],
    ["untrained", "untrained"],
    ["pixels", "pixels"],
  ]);
  const [rotation, untrained] = lines;
  expect(rotation?.labels.map(({ labels }) => labels)).toEqual([2, 4]);
  const scores = [...scoresOf(20), ...scoresOf(30)];
  const reduce = linear.reduce as Protocol["reduce"];
  expect(rotation?.labels[0]).toEqual({ labels: 2, ...intervalOf(scores, scores, reduce, { trainings: 2 }) });
  expect(rotation?.labels[0]?.value).toBeCloseTo(26 / IMAGES);
  expect(rotation?.layers.map(({ layer, value }) => [layer, value])).toEqual([
    ["early", 18.5 / IMAGES],
    ["late", 21 / IMAGES],
  ]);
  expect(untrained?.labels[0]?.value).toBeCloseTo(8 / IMAGES);
});

test("accuracy from scratch has no line on a chart of mean average precision", () => {
  const representations = [
    representation("a", "pre-trained", "a", ["untrained a", "scratch"]),
    representation("untrained a", "untrained", "untrained"),
    representation("scratch", "from-scratch", "from scratch"),
  ];
  const all = representations.map(({ id, kind }) => measured(id, kind, "output", 2, 10));
  const kinds = (metric: Metric) => {
    const task = { title: "Rotation", ids: ["a"], untrained: difference({ protocol: "linear", metric }) } as TaskResult;
    return linesOf({ tasks: [task], measured: all, representations, headline: 2 }).map(({ kind }) => kind);
  };
  expect(kinds(accuracy)).toEqual(["pre-trained", "untrained", "from-scratch"]);
  expect(kinds(mAP)).toEqual(["pre-trained", "untrained"]);
});
