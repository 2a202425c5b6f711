/**
 * Jigsaw puzzles: in which of N orders are the nine tiles of an image? Noroozi & Favaro, ECCV 2016,
 * https://arxiv.org/abs/1603.09246
 *
 * The paper's sizes (225 pixels, cells of 75, tiles of 64) scale with the image. Departures: one step asks for `orders`
 * permutations of each image, as in Kolesnikov et al.'s code, so that nine tiles serve several puzzles; the hidden layer
 * after AlexNet has `hidden` units, not 4,096; crops have many sizes and shapes (the paper: one size). The encoder learns from tiles, each
 * normalised by itself, and is then given whole images: batch norm has the tiles' statistics, which suit deep layers less. Kolesnikov et al.
 * measure it on tiles, too, and average their features.
 */
import { z } from "zod";
import { projectColours, sometimes, toGrey } from "../augment/colour.ts";
import { cutPatches, normalisePatches, requirePatchSide, wholeSteps } from "../augment/patches.ts";
import { distantPermutations, TILES } from "../augment/permutations.ts";
import { UsageError } from "../errors.ts";
import { mlp } from "../heads/mlp.ts";
import { type Place, puzzlePanels } from "../heads/tiles.ts";
import { accuracy } from "../metric.ts";
import { type RandomGenerator, randomInt } from "../random.ts";
import { Linear, ReLU } from "../torch/nn/layers.ts";
import { Sequential } from "../torch/nn/module.ts";
import { cat, crossEntropy, fromTypedArray } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";
import { defineTask } from "./task.ts";

export const jigsaw = defineTask({
  title: "Jigsaw puzzles",
  paper: "https://arxiv.org/abs/1603.09246",
  // No flips, and a stem that keeps tiles large, as in Kolesnikov et al.'s configuration. A shifted image's blank edge would tell where a tile lies.
  defaults: { crop: "resized", flip: false, minArea: 0.3, stem: "patch" },
  remedies: {
    border: "smaller tiles (tile=…): they lie farther apart, and edges do not go on from one to the next",
    colour: "normalise=true, if it is off; more grey images (grey=…), or channelShift=2",
    blur: "smaller crops (--min-area): what is up and what is down shows less",
  },
  options: z.strictObject({
    permutations: z.int().min(2).max(10_000).default(100).describe("orders to tell apart, far from each other"),
    permutationSeed: z
      .int()
      .min(0)
      .default(0)
      .describe("chooses the first of them, from which the others follow; sets of other seeds share about half"),
    orders: z.int().positive().default(8).describe("orders of each image in one step (the paper: 1)"),
    tile: z.int().positive().optional().describe("side of a tile in pixels; default: 64/75 of a third of the image"),
    grey: z.number().min(0).max(1).default(0.3).describe("fraction of the images shown without colour (the code: 0.5)"),
    project: z
      .number()
      .min(0)
      .max(1)
      .default(0)
      .describe("fraction of the others shown without green and magenta (the code: 0.5)"),
    normalise: z.boolean().default(true).describe("each tile to mean 0 and deviation 1 (the code: no)"),
    channelShift: z
      .int()
      .min(0)
      .default(0)
      .describe("pixels by which a tile's channels are moved against each other, at most (the code: 2 of 64)"),
    embedding: z.int().positive().default(512).describe("embedding dimension of a tile"),
    hidden: z.int().positive().default(1024).describe("width of the head's hidden layer"),
  }),
  create({ encoder, images: { size } }, options) {
    const { permutations: count, orders, grey, channelShift } = options;
    const cellOf = (size: number) => Math.floor(size / 3);
    const sideOf = (size: number) =>
      wholeSteps(Math.min(Math.floor((cellOf(size) * 64) / 75), cellOf(size) - channelShift), encoder);
    const cell = cellOf(size);
    const room = cell - channelShift;
    const side = options.tile ?? sideOf(size);
    if (side > room || room < 1) {
      throw new UsageError(
        `A third of ${size} pixels has room for tiles of ${Math.max(0, room)}${channelShift ? " with that channelShift" : ""}` +
          `${options.tile ? `; tile is ${side}. Lower it` : ". Lower that"}, or raise --image-size.`,
      );
    }
    requirePatchSide(side, encoder, size, options.tile ? undefined : sideOf);
    const permutations = distantPermutations(count, options.permutationSeed);
    const embed = new Sequential(new Linear(encoder.outDim, options.embedding), new ReLU());
    const head = mlp(TILES * options.embedding, options.hidden, count);

    /** Images (B, 3, S, S) to tiles in their right order (B·9, 3, side, side), each at a random place in its cell. */
    function tiles(images: Tensor, random: RandomGenerator): { pieces: Tensor; places: Place[] } {
      const projected = sometimes(projectColours, images, { probability: options.project }, random);
      const visible = sometimes(toGrey, projected, { probability: grey }, random);
      const spare = cell - side - channelShift;
      const places = Array.from({ length: images.size(0) * TILES }, (_, i): [number, number] => {
        const [row, column] = [Math.floor((i % TILES) / 3), i % 3];
        return [row * cell + randomInt(random, 0, spare), column * cell + randomInt(random, 0, spare)];
      });
      const found = cut(visible, places, random);
      const pieces = (options.normalise ? normalisePatches(found) : found).contiguous("channels_last");
      return { pieces, places };
    }

    function cut(images: Tensor, places: readonly [number, number][], random: RandomGenerator): Tensor {
      if (channelShift === 0) return cutPatches(images, places, side);
      const channels = Array.from({ length: 3 }, (_, channel) => {
        const moved = places.map(([y, x]): [number, number] => [
          y + randomInt(random, 0, channelShift),
          x + randomInt(random, 0, channelShift),
        ]);
        return cutPatches(images.narrow(1, channel, 1), moved, side);
      });
      return cat(channels, 1);
    }

    /** Tiles (B·9, …) in their right order, and the orders to show them in (B·K), to logits (B·K, N). */
    function answer(pieces: Tensor, asked: readonly number[]): Tensor {
      const embedded = embed.forward(encoder.forward(pieces)); // (B·9, E)
      const perImage = asked.length / (pieces.size(0) / TILES);
      const rows = BigInt64Array.from({ length: asked.length * TILES }, (_, i) => {
        const puzzle = Math.floor(i / TILES);
        const tile = permutations[asked[puzzle] ?? 0]?.[i % TILES] ?? 0;
        return BigInt(Math.floor(puzzle / perImage) * TILES + tile);
      });
      const placed = embedded.indexSelect(0, fromTypedArray(rows).to(pieces.device));
      return head.forward(placed.reshape(asked.length, TILES * options.embedding));
    }

    const draw = (images: number, random: RandomGenerator) =>
      Array.from({ length: images }, () => randomInt(random, 0, count - 1));

    return {
      trained: { embed, head },
      metric: accuracy,
      guess: { value: 1 / count, loss: Math.log(count) },
      lossUnit: "nats",
      step([images], { random }) {
        const asked = draw(images.size(0) * orders, random);
        const logits = answer(tiles(images, random).pieces, asked);
        const target = fromTypedArray(BigInt64Array.from(asked, BigInt)).to(images.device);
        return { loss: crossEntropy(logits, target), metrics: { accuracy: logits.argmax(1).eq(target).mean() } };
      },
      preview([images], { random }) {
        const asked = draw(images.size(0), random);
        const { pieces, places } = tiles(images, random);
        const guesses = answer(pieces, asked).argmax(1).toArray();
        return asked.map((order, i) => {
          const [shown, guessed] = [order, guesses[i] as number].map((one) => permutations[one] as Uint8Array);
          const own = { tiles: pieces.narrow(0, i * TILES, TILES), places: places.slice(i * TILES, (i + 1) * TILES) };
          const panels = puzzlePanels(images.select(0, i), own, shown as Uint8Array, guessed as Uint8Array);
          return { image: panels[1].image, answer: `${order}`, guess: `${guesses[i]}`, panels };
        });
      },
    };
  },
});
