/** Random crops, flips and rotations of a whole batch with one affine grid: the same code on CPU and GPU. */

import { logUniform, type RandomGenerator, randomInt, uniform } from "../random.ts";
import { autocast } from "../torch/autograd.ts";
import { affineGrid, avgPool2d, gridSample, ones, tensor } from "../torch/ops.ts";
import type { Device, Tensor } from "../torch/tensor.ts";

export interface CropOptions {
  /** Side of the crops, in pixels. */
  size: number;
  /** Smallest fraction of the image's area that a crop covers; the largest is 1. */
  minArea: number;
  /** Mirror crops left to right with probability 0.5. */
  flip: boolean;
}

/**
 * Inception crops: a random window of each image, with `minArea` to 1 of its area and an aspect ratio of 3/4 to 4/3,
 * resized bilinearly to a square. Szegedy et al. 2015, https://arxiv.org/abs/1409.4842; torchvision's RandomResizedCrop.
 * @param images (B, 3, H, W), floating
 * @returns (B, 3, size, size)
 */
export function randomResizedCrop(
  images: Tensor,
  { size, minArea, flip }: CropOptions,
  random: RandomGenerator,
): Tensor {
  const maps = Array.from({ length: images.size(0) }, () => {
    const area = uniform(random, minArea, 1);
    // Beyond 3/4 of the area, a crop of 4:3 is longer than the image: cut off, it could cover less than `minArea`.
    // With a smaller `minArea` it never does, and runs that are resumed go on with the crops that they had.
    const [narrow, wide] = minArea > 3 / 4 ? [area, 1 / area] : [3 / 4, 4 / 3];
    const ratio = logUniform(random, narrow, wide);
    const [width, height] = [Math.min(1, Math.sqrt(area * ratio)), Math.min(1, Math.sqrt(area / ratio))];
    return window(width, height, uniform(random, -1, 1), uniform(random, -1, 1), flip && uniform(random, 0, 1) < 0.5);
  });
  return sample(images, maps, size);
}

/**
 * Crops without rescaling, shifted by up to `padding` pixels beyond the edges, where the image is padded with zeros (the
 * mean colour). The usual augmentation for CIFAR (He et al. 2016, section 4.2).
 */
export function randomShift(
  images: Tensor,
  options: { size: number; padding: number; flip: boolean },
  random: RandomGenerator,
): Tensor {
  const { size, padding, flip } = options;
  const [height, width] = [images.size(2), images.size(3)];
  const maps = Array.from({ length: images.size(0) }, () => {
    // Whole pixels, so that nothing is resampled.
    const shift = (side: number) => {
      const range = side + 2 * padding - size;
      return range > 0 ? (2 * randomInt(random, 0, range)) / range - 1 : 0;
    };
    const reach = (side: number) => (side + 2 * padding - size) / side;
    const [x, y] = [shift(width) * reach(width), shift(height) * reach(height)];
    return affine(size / width, size / height, x, y, flip && uniform(random, 0, 1) < 0.5);
  });
  return sample(images, maps, size);
}

/** Largest tilt of a rotated image to either side, in degrees. */
const TILT = 5;

/**
 * Rotates images about their centre, counter-clockwise, and blanks them (0) outside the inscribed circle: corners would
 * reveal the angle. Resampling would reveal it too: at multiples of 90° all pixels of an image are smoothed alike, at 45° some
 * more than others. So each image is softened, tilted by up to 5° and shifted by up to half a pixel, whatever the angle. Of white
 * noise of 32 to 96 pixels, the mean square then tells odd turns from even ones in 53 % of the cases (without the first two in 88 to
 * 96 %; chance is 50). Differences along the axes, compared with those along diagonals, still tell how the pixels lay.
 * @param images (B, 3, S, S), floating
 */
export function rotateInCircle(images: Tensor, degrees: number, random: RandomGenerator): Tensor {
  const size = images.size(2);
  const part = () => uniform(random, -0.5, 0.5) * (2 / size);
  const maps = Array.from({ length: images.size(0) }, (): Affine => {
    const radians = ((degrees + uniform(random, -TILT, TILT)) * Math.PI) / 180;
    const [cos, sin] = [Math.cos(radians), Math.sin(radians)];
    return [
      [cos, -sin, part()],
      [sin, cos, part()],
    ];
  });
  return sample(soften(images), maps, size, "reflection").mul(insideCircle(size, images.device));
}

/** Each pixel's mean with its neighbours, by weights 1, 2, 1 across and down; at the edges, of those that there are. */
function soften(images: Tensor): Tensor {
  const pooled = (x: Tensor) => avgPool2d(avgPool2d(x, 2, 1, 1), 2, 1);
  const weights = pooled(ones([1, 1, images.size(2), images.size(3)], { device: images.device }));
  return pooled(images).div(weights);
}

/** (S, S): 1 where the pixel's centre lies inside the inscribed circle, else 0. */
function insideCircle(size: number, device: Device): Tensor {
  return gridOf([affine(1, 1, 0, 0, false)], [1, 1, size, size], device)
    .pow(2)
    .sum(3)
    .lt(1)
    .to("f32")
    .squeeze(0);
}

/** Ranges of the translation, scaling and rotation of seed patches. Dosovitskiy et al. 2014, section 3.1. */
const [MOVE, SCALE, TURN] = [0.2, [0.7, 1.4], (20 * Math.PI) / 180] as const;

/**
 * Cuts one patch of each image around a given centre: shifted by up to 0.2 of its side, scaled by 0.7 to 1.4, rotated by up
 * to 20°. The image is mirrored beyond its edges.
 * @param images (B, 3, H, W), floating
 * @param centres [x, y] from -1 (left, top) to 1 (right, bottom), one for each image
 * @param options part: the patch's side as a fraction of the image's; size: the side of the result, in pixels
 * @returns (B, 3, size, size)
 */
export function randomPatches(
  images: Tensor,
  centres: readonly (readonly [x: number, y: number])[],
  { part, size }: { part: number; size: number },
  random: RandomGenerator,
): Tensor {
  const maps = centres.map(([x, y]): Affine => {
    const move = () => uniform(random, -MOVE, MOVE) * 2 * part;
    const scale = part * logUniform(random, ...SCALE);
    const angle = uniform(random, -TURN, TURN);
    const [cos, sin] = [scale * Math.cos(angle), scale * Math.sin(angle)];
    return [
      [cos, -sin, x + move()],
      [sin, cos, y + move()],
    ];
  });
  return sample(images, maps, size, "reflection");
}

type Affine = [[number, number, number], [number, number, number]];

/** A window of the given width and height (1 = the whole image), at x, y from -1 (left, top) to 1 (right, bottom). */
function window(width: number, height: number, x: number, y: number, mirrored: boolean): Affine {
  return affine(width, height, x * (1 - width), y * (1 - height), mirrored);
}

function affine(width: number, height: number, x: number, y: number, mirrored: boolean): Affine {
  return [
    [mirrored ? -width : width, 0, x],
    [0, height, y],
  ];
}

function sample(
  images: Tensor,
  maps: readonly Affine[],
  size: number,
  beyond: Parameters<typeof gridSample>[2] = "zeros",
): Tensor {
  return gridSample(images, gridOf(maps, [images.size(0), images.size(1), size, size], images.device), beyond);
}

/** Where maps (B) take each pixel (B, h, w, 2), in f32: autocast would round places to 8 bits, a quarter of a pixel. */
function gridOf(maps: readonly Affine[], shape: readonly number[], device: Device): Tensor {
  const theta = tensor(maps, { device }); // (B, 2, 3)
  return autocast(device, "f32", () => affineGrid(theta, shape));
}
