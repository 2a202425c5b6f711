/** Which regions are blanked, and that the loss covers only these. */
import { describe, expect, test } from "vitest";
import { inpainting } from "../../src/tasks/inpainting.ts";
import { noGrad } from "../../src/torch/autograd.ts";
import { cat, rand, randn, zeros } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { createWith, disposeOf, fixedBatch, RecordingEncoder, shownBy } from "../batch.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const SIZE = 32;

/** (B, 1, S, S): 1 where all channels are blank. The images must not contain zeros. */
const blank = (shown: Tensor) => shown.abs().amax([1], true).eq(0).to("f32");

test("the middle quarter is blank, and the rest of the image is shown", () => {
  scope(() => {
    const images = rand([2, 3, SIZE, SIZE]).add(1);
    const expected = images.clone();
    expected.narrow(2, 8, 16).narrow(3, 8, 16).zero_();
    expect(shownBy(inpainting, {}, images).toArray()).toEqual(expected.toArray());
  });
});

test("blocks cover a quarter and at most one block more, at different places in each image", () => {
  scope(() => {
    const images = rand([8, 3, SIZE, SIZE]).add(1);
    const batches = Array.from({ length: 5 }, (_, place) => {
      const shown = shownBy(inpainting, { region: "blocks" }, images, place);
      expect(shown.toArray()).toEqual(images.mul(blank(shown).neg().add(1)).toArray());
      return blank(shown);
    });
    const holes = cat(batches);
    const parts = holes.mean([1, 2, 3]).toArray();
    expect(Math.min(...parts)).toBeGreaterThanOrEqual(1 / 4);
    expect(Math.max(...parts)).toBeLessThan(1 / 4 + (Math.round(SIZE / 3) / SIZE) ** 2);
    expect(new Set(parts.map((_, i) => holes.select(0, i).toArray().join(""))).size).toBe(parts.length);
    expect(holes.amax([0]).mean().item()).toBeGreaterThan(0.9); // anywhere, but corners are rarely covered
  });
});

describe.each(["centre", "blocks"])("%s", (region) => {
  test("the targets are exactly the blank pixels", () => {
    scope(() => {
      const encoder = new RecordingEncoder();
      const task = createWith(inpainting, { region }, encoder, SIZE);
      const images = randn([3, 3, SIZE, SIZE]).requiresGrad_();
      task.step([images], fixedBatch(3)).loss.backward(); // no gradient passes through the input
      const holes = blank(encoder.shown as Tensor).expand(3, 3, SIZE, SIZE);
      const counts = images.grad?.eq(0).to("f32").neg().add(1);
      expect(counts?.contiguous().toArray()).toEqual(holes.contiguous().toArray());
      disposeOf(task);
    });
  });

  test("the loss of an all-zero output is the mean square of the blanked pixels", () => {
    scope(() => {
      const encoder = new RecordingEncoder();
      const task = createWith(inpainting, { region }, encoder, SIZE);
      noGrad(() => {
        for (const parameter of task.trained["decoder"]?.parameters() ?? []) parameter.copy_(zeros(parameter.shape));
      });
      const images = randn([3, 3, SIZE, SIZE]);
      const loss = task.step([images], fixedBatch(3)).loss.item();
      const holes = blank(encoder.shown as Tensor);
      const squares = images.pow(2).mul(holes).sum().item();
      expect(loss).toBeCloseTo(squares / holes.sum().mul(3).item(), 4);
      disposeOf(task);
    });
  });
});
