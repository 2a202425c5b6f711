/**
 * Relative patch location: where is one patch of an image relative to another? Doersch, Gupta & Efros, ICCV 2015,
 * https://arxiv.org/abs/1505.05192
 *
 * The paper's sizes (patches of 96, gaps of 48, jitter 7) scale with the image: a grid of 3×3 patches fills it. Departures:
 * one step asks for all 8 neighbours of the grid's centre, as in Kolesnikov et al. 2019, so that 9 patches give 8 pairs. The paper's
 * code begins its grid anywhere and pairs every patch with each neighbour: there, the place of a patch in the image does not tell the
 * answer. One hidden layer of `hidden` units replaces the two of 4,096 after AlexNet; patches are not made coarse (`pixelate`), because
 * those of small images already are; patches are normalised per channel. As jigsaw's, the encoder is given whole images afterwards, whose
 * statistics are not those that batch norm has learned from patches.
 */
import { z } from "zod";
import { dropColours, projectColours, sometimes } from "../augment/colour.ts";
import {
  cutPatches,
  gridPlaces,
  normalisePatches,
  patchGrid,
  patchSide,
  requirePatchSide,
} from "../augment/patches.ts";
import { mlp } from "../heads/mlp.ts";
import { mosaic, outline, pasted } from "../heads/tiles.ts";
import { accuracy } from "../metric.ts";
import { type RandomGenerator, uniform } from "../random.ts";
import { arange, cat, crossEntropy, resize } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";
import { defineTask } from "./task.ts";

const NEIGHBOURS = ["↖", "↑", "↗", "←", "→", "↙", "↓", "↘"];
const CENTRE = 4;
/** Contrast of the image behind a guess in a preview. */
const FAINT = 0.3;

export const relativePatch = defineTask({
  title: "Relative patch location",
  paper: "https://arxiv.org/abs/1505.05192",
  // As in Kolesnikov et al.'s configuration: no flips, and a stem that keeps patches large. Crops are large
  // enough for a patch to show something. A shifted image's blank edge would tell where a patch lies.
  defaults: { crop: "resized", flip: false, minArea: 0.3, stem: "patch" },
  remedies: {
    border: "a larger gap, or more jitter (gap=…, jitter=…): edges that go on from patch to patch tell where it lies",
    colour: "colour=drop or colour=project",
    blur: "smaller patches (patch=…), or smaller crops (--min-area)",
  },
  options: z.strictObject({
    patch: z.int().positive().optional().describe("side of a patch in pixels; default: the paper's 96 of 398"),
    gap: z
      .int()
      .min(0)
      .optional()
      .describe("pixels between patches; default: half a patch (the paper's 48 of 96), a third at least"),
    jitter: z
      .int()
      .min(0)
      .optional()
      .describe("pixels each patch moves by at most; default: 7/96 of a patch, less with a small gap"),
    colour: z
      .enum(["drop", "project", "keep"])
      .default("drop")
      .describe("against lenses' colour fringes: drop two channels, project green-magenta away, or keep all (leaks)"),
    pixelate: z
      .number()
      .min(0)
      .max(1)
      .default(0)
      .describe("fraction of the patches shown at a tenth of their side or more (the code: 0.33)"),
    hidden: z.int().positive().default(512).describe("width of the head's hidden layer"),
  }),
  create({ encoder, images: { size } }, { patch, gap, jitter, colour, pixelate, hidden }) {
    const sideOf = (size: number) => patchSide(size, encoder);
    const grid = patchGrid(size, patch ?? sideOf(size), gap, jitter);
    requirePatchSide(grid.side, encoder, size, patch ? undefined : sideOf);
    const head = mlp(2 * encoder.outDim, hidden, NEIGHBOURS.length);

    /** Images (B, 3, S, S) to patches as the network sees them (B, 9, 3, side, side). */
    function patches(images: Tensor, random: RandomGenerator) {
      const visible = colour === "project" ? projectColours(images) : images;
      const places = Array.from({ length: images.size(0) }, () => gridPlaces(grid, size, random)).flat();
      const plain = normalisePatches(cutPatches(visible, places, grid.side)); // (B·9, 3, side, side)
      const coarse = sometimes((x) => pixelated(x, random), plain, { probability: pixelate }, random);
      return { cut: (colour === "drop" ? dropColours(coarse, random) : coarse).contiguous("channels_last"), places };
    }

    /** Patches (B·9, …) to logits (B, 8, 8): for each neighbour, its logits over the 8 positions. */
    function answer(cut: Tensor): Tensor {
      const embedded = encoder.forward(cut).reshape(-1, 9, encoder.outDim);
      const centre = embedded.narrow(1, CENTRE, 1).expand(-1, 8, -1);
      const neighbours = cat([embedded.narrow(1, 0, CENTRE), embedded.narrow(1, CENTRE + 1, 4)], 1);
      return head.forward(cat([centre, neighbours], 2).flatten(0, 1)).reshape(-1, 8, 8);
    }

    return {
      trained: { head },
      metric: accuracy,
      guess: { value: 1 / 8, loss: Math.log(8) },
      lossUnit: "nats",
      step([images], { random }) {
        const logits = answer(patches(images, random).cut).flatten(0, 1); // (B·8, 8)
        const target = arange(8, { device: images.device }).expand(images.size(0), 8).reshape(-1);
        return { loss: crossEntropy(logits, target), metrics: { accuracy: logits.argmax(1).eq(target).mean() } };
      },
      preview([images], { random }) {
        const { cut, places } = patches(images, random);
        const guesses = answer(cut).argmax(2); // (B, 8)
        const shown = cut.reshape(-1, 9, 3, grid.side, grid.side);
        const cellOf = (neighbour: number) => (neighbour < CENTRE ? neighbour : neighbour + 1);
        return Array.from({ length: images.size(0) }, (_, i) => {
          const which = i % 8;
          const guess = guesses.select(0, i).select(0, which).item();
          const pair = [CENTRE, cellOf(which)].map((cell) => shown.select(0, i).select(0, cell));
          const at = (cells: readonly number[]) => cells.map((cell) => places[9 * i + cell] ?? ([0, 0] as const));
          const [cutAt, putAt] = [at([CENTRE, cellOf(which)]), at([CENTRE, cellOf(guess)])];
          const { image } = mosaic(pair, 2);
          const marks = cutAt.map((place) => outline(place, grid.side));
          const [centre, put] = putAt.map((place, k) => outline(place, grid.side, k ? guess === which : undefined));
          return {
            ...{ image, answer: NEIGHBOURS[which] ?? "", guess: NEIGHBOURS[guess] ?? "" },
            panels: [
              { image: images.select(0, i), caption: "centre, neighbour", outlines: marks },
              { image, caption: "as shown" },
              {
                image: pasted(images.select(0, i).mul(FAINT), pair, putAt),
                caption: `guess ${NEIGHBOURS[guess]}, is ${NEIGHBOURS[which]}`,
                outlines: [centre, put].filter((one) => one !== undefined),
              },
            ],
          };
        });
      },
    };
  },
});

/** Patches (N, 3, s, s) shrunk to between 10/96 and 95/96 of their side and enlarged again, all by the same factor. */
function pixelated(patches: Tensor, random: RandomGenerator): Tensor {
  const side = patches.size(2);
  const small = Math.max(1, Math.round(uniform(random, 10 / 96, 95 / 96) * side));
  return resize(resize(patches.contiguous(), small, small), side, side);
}
