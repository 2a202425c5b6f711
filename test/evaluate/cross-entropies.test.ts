import { expect, test } from "vitest";
import { type Batch, objectiveOf } from "../../src/evaluate/cross-entropies.ts";
import { cat, integers, oneHot, ones, randn, zeros } from "../../src/torch/ops.ts";
import { manualSeed } from "../../src/torch/random.ts";
import { scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const CLASSES = 3;

/** Three fits to two parts, of which one has a column of zeros. */
function batch(): Batch {
  const labels = (count: number) => Array.from({ length: count }, (_, i) => i % CLASSES);
  const part = (count: number, columns: number) => ({
    x: cat([randn([count, columns]), zeros([count, 3 - columns]), ones([count, 1])], 1).to("f64"),
    target: oneHot(integers(labels(count)), CLASSES)
      .to("f64")
      .unsqueeze(1),
  });
  return { parts: [part(7, 3), part(5, 2)], partOf: [0, 0, 1], penalties: [0.5, 0.01, 2], classes: CLASSES, width: 4 };
}

test("gradient and curvature are the loss's slopes, also where rows are cut into terms", () => {
  manualSeed(0);
  scope(() => {
    const { objective, curvature } = objectiveOf(batch(), 4 * CLASSES);
    expect(objective.length).toBeGreaterThan(3);
    const problems = [0, 1, 2];
    const at = randn([3, CLASSES * 4]).to("f64");
    const summed = (tensors: Tensor[]) => tensors.reduce((sum, one) => sum.add(one));
    const loss = (points: Tensor) => summed(objective.map((term) => term(points, problems).loss));
    const gradient = (points: Tensor) => summed(objective.map((term) => term(points, problems).gradient));
    const [slopes, diagonals] = [gradient(at), summed(curvature.map((term) => term(at, problems)))];
    const step = 1e-5;
    for (let k = 0; k < CLASSES * 4; k++) {
      const aside = zeros([3, CLASSES * 4]).to("f64");
      aside.narrow(1, k, 1).add_(ones([3, 1]).to("f64"), { alpha: step });
      const slope = loss(at.add(aside))
        .sub(loss(at.sub(aside)))
        .div(2 * step);
      expectNear(slopes.select(1, k), slope);
      const bend = gradient(at.add(aside))
        .sub(gradient(at.sub(aside)))
        .div(2 * step);
      expectNear(diagonals.select(1, k), bend.select(1, k));
    }
  });
});

test("some of the problems alone give the same as among the others", () => {
  manualSeed(1);
  scope(() => {
    const { objective, curvature } = objectiveOf(batch());
    const at = randn([3, CLASSES * 4]).to("f64");
    const own = at.indexSelect(0, integers([0, 2]));
    for (const term of objective) {
      const [all, some] = [term(at, [0, 1, 2]), term(own, [0, 2])];
      expectNear(some.loss, all.loss.indexSelect(0, integers([0, 2])));
    }
    for (const term of curvature) expectNear(term(own, [0, 2]), term(at, [0, 1, 2]).indexSelect(0, integers([0, 2])));
  });
});

function expectNear(got: Tensor, expected: Tensor): void {
  const list = got.toArray();
  for (const [i, value] of expected.toArray().entries()) expect(list[i]).toBeCloseTo(value, 4);
}
