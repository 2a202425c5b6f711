/** What is blanked, and that only the blank is painted for. */
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

/** (B, 1, S, S): 1 where nothing of an image without zeros is shown, in any channel. */
const blank = (shown: Tensor) => shown.abs().amax([1], true).eq(0).to("f32");

test("the middle quarter is blank, and the image is shown around it", () => {
  scope(() => {
    const images = rand([2, 3, SIZE, SIZE]).add(1);
    const expected = images.clone();
    expected.narrow(2, 8, 16).narrow(3, 8, 16).zero_();
    expect(shownBy(inpainting, {}, images).toArray()).toEqual(expected.toArray());
  });
});

test("blocks cover a quarter, and one block more at most: other places of each image", () => {
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
    expect(holes.amax([0]).mean().item()).toBeGreaterThan(0.9); // anywhere: corners are covered seldom
  });
});

describe.each(["centre", "blocks"])("%s", (region) => {
  test("no pixel outside the blank is a target, every one inside is", () => {
    scope(() => {
      const encoder = new RecordingEncoder();
      const task = createWith(inpainting, { region }, encoder, SIZE);
      const images = randn([3, 3, SIZE, SIZE]).requiresGrad_();
      task.step([images], fixedBatch(3)).loss.backward(); // no gradient passes through what is seen
      const holes = blank(encoder.shown as Tensor).expand(3, 3, SIZE, SIZE);
      const counts = images.grad?.eq(0).to("f32").neg().add(1);
      expect(counts?.contiguous().toArray()).toEqual(holes.contiguous().toArray());
      disposeOf(task);
    });
  });

  test("the loss is the mean square of what was to be painted where nothing is", () => {
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
