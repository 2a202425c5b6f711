/** Cuts patches out of images at whole pixels: nothing is resampled. */
import { UsageError } from "../errors.ts";
import { type RandomGenerator, randomInt } from "../random.ts";
import { fromTypedArray } from "../torch/ops.ts";
import { call, type Tensor } from "../torch/tensor.ts";

/**
 * Cuts square patches at given places.
 * @param images (B, C, H, W)
 * @param places (B · P): the top left corners [y, x] of each image's P patches, image by image
 * @returns (B · P, C, side, side), channels-last
 */
export function cutPatches(images: Tensor, places: readonly (readonly [y: number, x: number])[], side: number): Tensor {
  const [count, perImage] = [places.length, places.length / images.size(0)];
  const image = BigInt64Array.from(places, (_, i) => BigInt(Math.floor(i / perImage)));
  const rows = new BigInt64Array(count * side);
  const columns = new BigInt64Array(count * side);
  for (const [i, [y, x]] of places.entries()) {
    for (let k = 0; k < side; k++) {
      rows[i * side + k] = BigInt(y + k);
      columns[i * side + k] = BigInt(x + k);
    }
  }
  const index = (values: BigInt64Array, shape: number[]) => fromTypedArray(values, shape).to(images.device);
  const [b, y, x] = [index(image, [count, 1, 1]), index(rows, [count, side, 1]), index(columns, [count, 1, side])];
  // (B, H, W, C)[b, y, x] is (B·P, side, side, C): whole pixels are copied.
  return (call("aten::index.Tensor", images.permute(0, 2, 3, 1), [b, y, x]) as Tensor).permute(0, 3, 1, 2);
}

/** Normalises each channel of each patch (N, C, H, W) to mean 0 and standard deviation 1, to hide brightness and tint. */
export function normalisePatches(patches: Tensor): Tensor {
  const centred = patches.sub(patches.mean([2, 3], true));
  return centred.div(centred.std([2, 3], { keepDim: true, correction: 0 }).clamp(1e-2));
}

/** What an encoder requires of its input's side, in pixels: the minimum, and what it must be a multiple of. */
interface PatchLimits {
  readonly minImageSize: number;
  readonly patchSize: number;
}

/** `side` rounded down to a multiple of `patchSize`, a transformer's own patch side. Smaller sides stay as they are. */
export function wholeSteps(side: number, { patchSize }: PatchLimits): number {
  return side < patchSize ? side : side - (side % patchSize);
}

/**
 * @param sideOf a task's own side for images of a size; undefined if the user chose the side
 * @throws UsageError when the encoder cannot take patches of that side
 */
export function requirePatchSide(
  side: number,
  encoder: PatchLimits,
  imageSize: number,
  sideOf?: (imageSize: number) => number,
): void {
  const { minImageSize, patchSize } = encoder;
  const least = Math.ceil(minImageSize / patchSize) * patchSize;
  const fits = (side: number) => side >= least && side % patchSize === 0;
  if (fits(side)) return;
  if (side >= least) {
    throw new UsageError(
      `This encoder needs patches whose side is a multiple of ${patchSize} pixels, ${wholeSteps(side, encoder)} for one; ` +
        `they have ${side}.`,
    );
  }
  let enough = imageSize;
  while (sideOf && !(enough % patchSize === 0 && fits(sideOf(enough)))) enough++;
  const remedy = sideOf
    ? `Use --image-size ${enough} or more`
    : `Ask for ${least} or more, in larger images if they do not fit`;
  throw new UsageError(
    `Images of ${imageSize} pixels are cut into patches of ${side}, and this encoder needs ${least}. ` +
      `${remedy}, or take an encoder for smaller images: another --model, or another --stem if it has several.`,
  );
}

/** 3×3 patches with gaps between them, in pixels. */
export interface PatchGrid {
  side: number;
  gap: number;
  /** Each patch is shifted by up to this many pixels in each direction. */
  jitter: number;
}

/** Doersch's patch side, gap and jitter in pixels, and the image side that they need: 3 · 96 + 2 · 48 + 2 · 7. */
const PAPER = { side: 96, gap: 48, jitter: 7, extent: 398 };

/** Side of Doersch's patches, scaled to images of `size`. If the encoder cannot take it: `size` / 4, in whole steps. */
export function patchSide(size: number, encoder: PatchLimits): number {
  const side = Math.floor((PAPER.side / PAPER.extent) * size);
  const fits = side >= encoder.minImageSize && side % encoder.patchSize === 0;
  return fits ? side : wholeSteps(Math.floor(size / 4), encoder);
}

/**
 * A grid with Doersch's proportions by default: gaps of half a patch, so that few edges go on from patch to patch. Where that
 * does not fit, gaps are smaller, down to a third of a patch. Jitter that is not given never closes a gap: with small ones there is
 * less of it.
 * @throws UsageError when it does not fit into images of `size`
 */
export function patchGrid(size: number, side: number, gap?: number, jitter?: number): PatchGrid {
  const apart = Math.floor((PAPER.gap / PAPER.side) * side);
  const withJitter = (jitter: number): PatchGrid => {
    const room = Math.floor((size - 3 * side - 2 * jitter) / 2);
    const least = Math.max(Math.ceil(side / 3), 2 * jitter + 1);
    return { side, gap: gap ?? Math.max(least, Math.min(apart, room)), jitter };
  };
  const fits = (grid: PatchGrid) => gridExtent(grid) <= size && grid.gap > 2 * grid.jitter;
  let grid = withJitter(jitter ?? Math.round((PAPER.jitter / PAPER.side) * side));
  while (jitter === undefined && grid.jitter > 0 && !fits(grid)) grid = withJitter(grid.jitter - 1);
  if (gridExtent(grid) <= size) return grid;
  throw new UsageError(
    `3 patches of ${side} pixels, 2 gaps of ${grid.gap} and a jitter of ${grid.jitter} need ${gridExtent(grid)} pixels; ` +
      `the images have ${size}. Lower patch, gap or jitter, or raise --image-size.`,
  );
}

const gridExtent = ({ side, gap, jitter }: PatchGrid) => 3 * side + 2 * gap + 2 * jitter;

/** Top left corners [y, x] of the 9 patches, row by row: the grid at a random place in the image, each patch jittered. */
export function gridPlaces(grid: PatchGrid, size: number, random: RandomGenerator): [y: number, x: number][] {
  const { side, gap, jitter } = grid;
  const spare = size - gridExtent(grid);
  const [top, left] = [randomInt(random, 0, spare), randomInt(random, 0, spare)];
  const step = side + gap;
  return Array.from({ length: 9 }, (_, i) => [
    top + jitter + Math.floor(i / 3) * step + randomInt(random, -jitter, jitter),
    left + jitter + (i % 3) * step + randomInt(random, -jitter, jitter),
  ]);
}
