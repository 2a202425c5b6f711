/** What a benchmark says of its tasks. */
import { expect, test } from "vitest";
import type { Measured } from "../../../src/evaluate/compare.ts";
import { linear } from "../../../src/evaluate/linear.ts";
import type { Protocol } from "../../../src/evaluate/protocol.ts";
import type { Kind, Representation } from "../../../src/evaluate/representations.ts";
import { accuracy } from "../../../src/metric.ts";
import { taskResults } from "../../../src/study/benchmark/task-results.ts";
import { difference } from "../../report/sample.ts";

const IMAGES = 200;

function measured(id: string, kind: Kind, labelsPerClass: number | "all", right: number): Measured {
  const values = [Array.from({ length: IMAGES }, (_, i) => (i < right ? 1 : 0))];
  const size = { value: 0, low: 0, high: 0, n: IMAGES, draws: 1 };
  const row = { id, encoder: id, kind, protocol: "linear", layer: "layer1", labelsPerClass, metric: accuracy, ...size };
  return { row, protocol: linear as unknown as Protocol, scores: values, values, heldOut: right };
}

function representation(id: string, kind: Kind, baselines: string[], folder?: string): Representation {
  const shared = { id, kind, role: id, label: id, imageSize: 32, baselines, features: async () => ({}) };
  return folder === undefined ? shared : { ...shared, folder };
}

test("labels a class are counted as they were drawn, where small classes give all they have", () => {
  const [own] = taskResults({
    trainings: [{ task: "rotation", seed: 0, folder: "runs/rotation", options: { images: "photos" } }],
    measured: [
      measured("ours", "pre-trained", 8, 150),
      ...[50, 80, 100].map((right, i) =>
        measured("scratch", "from-scratch", [8, 64, "all"][i] as number | "all", right),
      ),
    ],
    representations: [
      representation("ours", "pre-trained", ["scratch"], "runs/rotation"),
      representation("scratch", "from-scratch", []),
    ],
    differences: [difference({ id: "ours", labelsPerClass: 8 })],
    ...{ probe: "linear", headline: 8, counts: [8, 64, "all"] as const },
    sizes: [100, 100, 100, 1, 1],
  });
  // Of 8 labels a class, 5.2 are drawn on average, and 60.4 are all there are.
  expect(own?.savings).toMatchObject({
    own: 5.2,
    labels: 60.4,
    low: 60.4,
    open: { labels: true, low: true, high: true },
  });
});
