/** What is measured of the maps of a batch of images. */
import type { SquareObjects } from "../../data/square-objects.ts";
import { unknownName } from "../../errors.ts";
import type { Maps } from "../../models/model.ts";
import { type Places, placesOf } from "../../models/places.ts";
import type { Tensor } from "../../torch/tensor.ts";
import { equivariance } from "./equivariance.ts";
import { localise } from "./localisation.ts";
import { effectiveArea } from "./spread.ts";

/**
 * Correlation with the turned-back map of the turned image, at each angle and their mean; pointing game, mass inside and CorLoc,
 * where objects are known; effective area.
 */
export type Measure = "turn90" | "turn180" | "turn270" | "equivariance" | "pointing" | "mass" | "corloc" | "spread";

export interface LayerOfBatch {
  layer: string;
  /** Height × width of the maps. */
  places: number;
  /** A number for each image. NaN for an image without objects, and for the correlation of a map with one value everywhere. */
  values: Partial<Record<Measure, readonly number[]>>;
}

export interface Wanted {
  /** Default: all. */
  layers?: readonly string[] | undefined;
  /** Whether to turn the images, which takes three more passes. */
  turned: boolean;
  /** Where the maps' places lie, by layer; default: spread evenly. */
  places?: Readonly<Record<string, Places>> | undefined;
  /** The objects in each image, if anything is known about them; undefined for an image without any. */
  objects?: readonly (SquareObjects | undefined)[] | undefined;
}

/**
 * Measures every layer's maps. Call it in a scope, without gradients.
 * @param mapsOf maps (B, h, w), each of which sums to 1, of square images, by layer
 * @param images (B, 3, S, S), normalised
 */
export function measureBatch(
  mapsOf: (images: Tensor) => Maps,
  images: Tensor,
  { layers, turned, places = {}, objects }: Wanted,
): LayerOfBatch[] {
  const all = mapsOf(images);
  const unknown = layers?.find((layer) => !Object.hasOwn(all, layer));
  if (unknown !== undefined) throw unknownName("layer", unknown, Object.keys(all));
  const chosen = Object.entries(all).filter(([layer]) => layers?.includes(layer) ?? true);
  const turns = turned ? equivariance(mapsOf, images, Object.fromEntries(chosen)) : {};
  return chosen.map(([layer, maps]) => ({
    layer,
    places: maps.size(1) * maps.size(2),
    values: {
      ...byAngle(turns[layer]),
      ...(objects && located(maps, objects, images.size(2), placesOf(places, layer, maps.size(2), images.size(2)))),
      spread: effectiveArea(maps).toArray(),
    },
  }));
}

function byAngle(turns: readonly number[][] | undefined): LayerOfBatch["values"] {
  const [turn90, turn180, turn270] = turns ?? [];
  if (!turn90 || !turn180 || !turn270) return {};
  const equivariance = turn90.map((value, i) => (value + (turn180[i] as number) + (turn270[i] as number)) / 3);
  return { turn90, turn180, turn270, equivariance };
}

function located(
  maps: Tensor,
  objects: readonly (SquareObjects | undefined)[],
  size: number,
  places: Places,
): Record<"pointing" | "mass" | "corloc", number[]> {
  const found = localise(maps, objects, size, places);
  const column = (key: "pointing" | "mass" | "corloc") => found.map((one) => one?.[key] ?? Number.NaN);
  return { pointing: column("pointing"), mass: column("mass"), corloc: column("corloc") };
}
