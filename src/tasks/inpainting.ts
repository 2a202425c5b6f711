/**
 * Inpainting: part of each image is blanked, and the network paints it from its surroundings. Pathak, Krähenbühl,
 * Donahue, Darrell & Efros, CVPR 2016 ("context encoders"), https://arxiv.org/abs/1604.07379
 *
 * Only the reconstruction loss, without the adversarial loss that sharpens images. Departures: the decoder upsamples and
 * convolves instead of deconvolving; the last feature map is the bottleneck, without a channel-wise layer; pixels at the
 * border of the blank do not count ten times.
 */
import { z } from "zod";
import { Decoder } from "../heads/decoder.ts";
import { paintedCells } from "../heads/painted.ts";
import { featureShapes } from "../models/model.ts";
import { type RandomGenerator, randomInt, uniform } from "../random.ts";
import { fromTypedArray, resize } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";
import { defineTask } from "./task.ts";

export const inpainting = defineTask({
  title: "Inpainting (context encoder)",
  paper: "https://arxiv.org/abs/1604.07379",
  // In a small crop, the surroundings are more of the same. In a few minutes, many small steps teach more: docs/RESULTS.md.
  defaults: { minArea: 0.4, batchSize: 32, learningRate: 0.1 },
  options: z.strictObject({
    region: z
      .enum(["centre", "blocks"])
      .default("centre")
      .describe("what is blanked: the middle quarter of the area, or small blocks anywhere until a quarter is covered"),
  }),
  create({ encoder, images: { size, sample } }, { region }) {
    const [channels, side] = Object.values(featureShapes(encoder, size)).at(-1) as [number, number, number];
    const decoder = new Decoder(channels, 3, Math.ceil(Math.log2(size / side)));
    const mask = region === "centre" ? centre : blocks;
    // The loss of painting the mean colour everywhere.
    const blanked = region === "centre" ? middle(sample) : sample;
    const spread = blanked
      .sub(blanked.mean([0, 2, 3], true))
      .pow(2)
      .mean()
      .item();

    /** Blanks images where `holes` (B, 1, S, S) is 1, and paints the whole images (B, 3, S, S), f32. */
    function paint(images: Tensor, holes: Tensor): Tensor {
      const seen = images.mul(holes.neg().add(1)); // 0 is the mean colour
      const maps = Object.values(encoder.encode(seen).maps).at(-1) as Tensor;
      const painted = decoder.forward(maps).to("f32");
      return painted.size(2) === size ? painted : resize(painted, size, size);
    }

    return {
      trained: { decoder },
      metric: { name: "error", unit: "", better: "lower", perfect: 0, worthwhile: 0 }, // root mean square, of normalised pixels
      guess: { value: Math.sqrt(spread), loss: spread },
      lossUnit: "squared error",
      step([images], { random }) {
        const holes = mask(images, random);
        // Squared error over the blank pixels (section 3.2).
        const wrong = paint(images, holes).sub(images).mul(holes).pow(2);
        const loss = wrong.sum().div(holes.sum().mul(3));
        return { loss, metrics: { error: loss.detach().sqrt() } };
      },
      preview([images], { random }) {
        const holes = mask(images, random);
        const painted = images.add(paint(images, holes).sub(images).mul(holes));
        const seen = images.mul(holes.neg().add(1));
        return paintedCells(seen, painted, images);
      },
    };
  },
});

/** The middle square, half as wide as the image: where it starts, and its side. */
function middleOf(size: number): [from: number, side: number] {
  const from = Math.floor(size / 4);
  return [from, Math.floor((3 * size) / 4) - from];
}

/** (B, C, S, S) to the pixels of the middle square. */
function middle(images: Tensor): Tensor {
  const [from, side] = middleOf(images.size(2));
  return images.narrow(2, from, side).narrow(3, from, side);
}

/** (B, 1, S, S): the middle square. */
function centre(images: Tensor): Tensor {
  const [from, side] = middleOf(images.size(2));
  return drawn(images, 1, (fill) => void fill(0, from, from, side)).expand(images.size(0), -1, -1, -1);
}

/** (B, 1, S, S): squares of an eighth to a third of the side, possibly overlapping, until a quarter of the area is covered. */
function blocks(images: Tensor, random: RandomGenerator): Tensor {
  const size = images.size(2);
  return drawn(images, images.size(0), (fill) => {
    for (let i = 0; i < images.size(0); i++) {
      let covered = 0;
      while (covered < size ** 2 / 4) {
        const side = Math.max(1, Math.round(uniform(random, size / 8, size / 3)));
        const corner = () => randomInt(random, 0, size - side);
        covered += fill(i, corner(), corner(), side);
      }
    }
  });
}

type Fill = (image: number, y: number, x: number, side: number) => number;

/** Masks (count, 1, S, S) with the squares that `draw` fills; `fill` returns the number of newly covered pixels. */
function drawn(images: Tensor, count: number, draw: (fill: Fill) => void): Tensor {
  const size = images.size(2);
  const values = new Float32Array(count * size * size);
  draw((image, y, x, side) => {
    let covered = 0;
    for (let row = y; row < y + side; row++) {
      const start = (image * size + row) * size + x;
      for (let i = start; i < start + side; i++) if (values[i] === 0) [values[i], covered] = [1, covered + 1];
    }
    return covered;
  });
  return fromTypedArray(values, [count, 1, size, size]).to(images.device);
}
