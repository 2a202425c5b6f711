/** Do maps find the objects? Three answers: the highest place, the mass, and the box around the largest part. */
import type { Box } from "../../data/objects.ts";
import type { SquareObjects } from "../../data/square-objects.ts";
import type { Places } from "../../models/places.ts";
import type { Tensor } from "../../torch/tensor.ts";
import { largestPart } from "./connected.ts";
import { upsample } from "./upsample.ts";

/** Of one map and one image. */
export interface Localisation {
  /** Pointing game: whether the highest place is on an object, 0 or 1; of several as high, the part of them that are. */
  pointing: number;
  /** Part of the mass on the objects. */
  mass: number;
  /** Whether the map's box and an object's overlap enough, 0 or 1; NaN without boxes. */
  corloc: number;
}

/** Part of a map's range above its minimum: Zhou et al. 2016 take 20 % of the maximum, https://arxiv.org/abs/1512.04150 */
const THRESHOLD = 0.2;
/** A box is right if its intersection with an object's is at least this part of their union (Pascal VOC's criterion). */
const OVERLAP = 0.5;

/**
 * Compares maps with the objects of their images.
 *
 * Pointing game: Zhang et al. 2016, https://arxiv.org/abs/1608.00507, without a tolerance around the objects. Mass and boxes are
 * those of the map upsampled bilinearly, whose maximum is in the middle of the highest place. CorLoc (Deselaers et al. 2012): the
 * map is scaled to 0 to 1 as Choe et al. 2020 do, https://arxiv.org/abs/2001.07437, for maps of positive activations hardly come
 * near 0 anywhere; the box is that of the largest connected part above {@link THRESHOLD}. They choose the best threshold with
 * labelled boxes; here it is fixed.
 * @param maps (B, h, w)
 * @param objects of each image; undefined where there are none
 * @param size side of the images, in pixels
 * @param where the places of the maps lie on them
 */
export function localise(
  maps: Tensor,
  objects: readonly (SquareObjects | undefined)[],
  size: number,
  where: Places,
): (Localisation | undefined)[] {
  const [, height, width] = maps.shape as [number, number, number];
  const f32 = maps.to("f32");
  const coarse = f32.data() as Float32Array;
  const fine = upsample(f32, where, size).data() as Float32Array;
  const [places, pixels] = [height * width, size * size];
  return objects.map((some, i) => {
    if (!some) return undefined;
    const map = fine.subarray(i * pixels, (i + 1) * pixels);
    const own = { values: coarse.subarray(i * places, (i + 1) * places), width };
    return {
      pointing: pointing(own, some.inside, size, where),
      mass: massInside(map, some.inside),
      corloc: corloc(map, some.boxes, size),
    };
  });
}

interface Grid {
  values: Float32Array;
  width: number;
}

function pointing({ values, width }: Grid, inside: Uint8Array, size: number, { start, stride }: Places): number {
  const pixel = (place: number) => Math.max(0, Math.min(size - 1, Math.floor(start + place * stride + 0.5)));
  const highest = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  let [hits, count] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    if (values[i] !== highest) continue;
    hits += inside[pixel(Math.floor(i / width)) * size + pixel(i % width)] as number;
    count++;
  }
  return hits / count;
}

function massInside(map: Float32Array, inside: Uint8Array): number {
  let [within, total] = [0, 0];
  for (let i = 0; i < map.length; i++) {
    total += map[i] as number;
    if (inside[i]) within += map[i] as number;
  }
  return within / total;
}

function corloc(map: Float32Array, boxes: readonly Box[], size: number): number {
  if (!boxes.length) return Number.NaN;
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of map) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  const threshold = least + THRESHOLD * (most - least);
  const found = largestPart((i) => (map[i] as number) >= threshold, size, size);
  return Number(boxes.some((box) => overlap(found, box) >= OVERLAP));
}

type Rectangle = Pick<Box, "left" | "top" | "width" | "height">;

/** Intersection over union. */
export function overlap(a: Rectangle, b: Rectangle): number {
  const wide = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
  const high = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
  const both = Math.max(0, wide) * Math.max(0, high);
  return both / (a.width * a.height + b.width * b.height - both);
}

/** What needs no map at all: what the numbers of one must beat. */
export interface WithoutMap {
  /** Part of the image that the objects cover: the mass of a uniform map. */
  area: number;
  /** Pointing game of the image's middle. */
  centre: number;
  /** CorLoc of the whole image; NaN without boxes. */
  whole: number;
}

export function withoutMap({ boxes, inside }: SquareObjects, size: number): WithoutMap {
  const whole = { left: 0, top: 0, width: size, height: size };
  const middle = size >> 1;
  return {
    area: inside.reduce((sum, value) => sum + value, 0) / inside.length,
    centre: inside[middle * size + middle] as number,
    whole: boxes.length ? Number(boxes.some((box) => overlap(whole, box) >= OVERLAP)) : Number.NaN,
  };
}
