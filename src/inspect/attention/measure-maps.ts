/** Measures the maps of several encoders on the same images: a number for each image, so that encoders are compared in pairs. */
import { normalise, pixelTensor } from "../../augment/normalise.ts";
import { type ImageSet, spreadOver } from "../../data/images.ts";
import { type DecodedStore, openPixels, unreadNote } from "../../data/pixels.ts";
import { SelfsightError, UsageError } from "../../errors.ts";
import { pause } from "../../interrupt.ts";
import type { Maps } from "../../models/model.ts";
import type { Places } from "../../models/places.ts";
import { counting, type Hooks } from "../../run/events.ts";
import { noGrad } from "../../torch/autograd.ts";
import { scope } from "../../torch/scope.ts";
import type { Device, Tensor } from "../../torch/tensor.ts";
import { KnownObjects } from "./known-objects.ts";
import type { WithoutMap } from "./localisation.ts";
import { type LayerOfBatch, type Measure, measureBatch } from "./measures.ts";

/** An encoder whose maps are measured. */
export interface MapSource {
  /** Name for people. */
  label: string;
  /** Side of the images it takes, in pixels. */
  imageSize: number;
  /** Maps (B, h, w), each of which sums to 1, of normalised images (B, 3, S, S), by layer. Called in a scope, without gradients. */
  maps(images: Tensor): Maps;
  /** Where the maps' places lie, by layer; default: spread evenly over the image. */
  places?: Readonly<Record<string, Places>>;
}

export interface MeasureMapsOptions {
  /** Layers to measure; default: all. */
  layers?: readonly string[] | undefined;
  /** How many images, spread evenly over the set; default: 500. */
  count?: number;
  /** Images in a batch; default: 64. */
  batch?: number;
  /** Whether to turn the images, which takes three more passes; default: true. */
  turned?: boolean;
  /** The value that objects have in masks; default: all but 0. */
  maskClass?: number | undefined;
  device?: Device;
}

/** Of one encoder and one layer: a number for each image, see measures.ts. */
export interface LayerMeasures {
  label: string;
  layer: string;
  places: number;
  values: Partial<Record<Measure, Float64Array>>;
}

export interface MeasuredMaps {
  /** Number of images that could be read: the length of every column. */
  images: number;
  /** Each image's group, the same for those that are one piece of evidence. */
  groups: readonly (string | number)[];
  /** In the order of the encoders, layers shallow to deep. */
  layers: LayerMeasures[];
  /** What needs no map, for each image; undefined if nothing is known of objects in any of them. */
  withoutMap: Record<keyof WithoutMap, Float64Array> | undefined;
  /** For the user, one sentence each: what was left out. */
  notes: string[];
}

/**
 * Measures maps batch by batch; none is kept. Localisation is measured if the set knows where its objects are.
 * @throws UsageError for no encoder, two of one label, a layer that an encoder lacks, and a class of masks without masks; SelfsightError if
 *   no mask has the class, and as `openPixels` and `ImageSet.objects` do
 */
export async function measureMaps(
  sources: readonly MapSource[],
  set: ImageSet,
  options: MeasureMapsOptions = {},
  hooks: Hooks = {},
): Promise<MeasuredMaps> {
  const { layers, count = 500, batch = 64, turned = true, maskClass, device = "cpu" } = options;
  if (!sources.length) throw new UsageError("There is no encoder whose maps could be measured: name one at least.");
  const labels = sources.map(({ label }) => label);
  const twice = labels.find((label, i) => labels.indexOf(label) < i);
  if (twice !== undefined) throw new UsageError(`Two encoders are called ${twice}: give each a label of its own.`);
  const chosen = spreadOver(set, count);
  if (maskClass !== undefined && !chosen.objects)
    throw new UsageError(
      `--mask-class is ${maskClass}, but ${set.name} has no masks: expected masks/NAME.png beside the images. Leave it out to measure without.`,
    );
  const known = chosen.objects && new KnownObjects(chosen, maskClass);
  const sizes = [...new Set(sources.map(({ imageSize }) => imageSize))];
  const stores = new Map<number, DecodedStore>();
  try {
    for (const size of sizes) {
      const hook = { onProgress: counting(hooks, "decode"), signal: hooks.signal };
      stores.set(size, await openPixels(chosen, { size, tolerated: 1, ...hook }));
    }
    const [{ source, length, skipped }] = [...stores.values()] as [DecodedStore];
    const unread = unreadNote(skipped, `${chosen.length} images to measure`);
    if (!length) throw new SelfsightError(unread.join());
    const columns = new Columns(length);
    for (let start = 0; start < length; start += batch) {
      const rows = Array.from({ length: Math.min(batch, length - start) }, (_, i) => start + i);
      const objects = await known?.read(
        rows.map((row) => source[row] as number),
        sizes,
      );
      for (const { label, imageSize: size, maps, places } of sources) {
        const bytes = await (stores.get(size) as DecodedStore).get(rows);
        await pause(hooks.signal, "maps were measured"); // a batch may take seconds
        const found = scope(() =>
          noGrad(() => {
            const images = normalise(pixelTensor(bytes, size).to(device)).contiguous("channels_last");
            return measureBatch(maps, images, { layers, turned, places, objects: objects?.get(size) });
          }),
        );
        columns.add(label, start, found);
      }
    }
    return {
      images: length,
      groups: Array.from(source, (at) => chosen.group(at)),
      layers: columns.all(),
      withoutMap: known?.withoutMap(),
      notes: [...unread, ...(known?.notes() ?? [])],
    };
  } finally {
    for (const store of stores.values()) await store.close();
  }
}

/** The numbers of all batches, by encoder and layer. */
class Columns {
  private readonly length: number;
  private readonly found = new Map<string, LayerMeasures>();

  constructor(length: number) {
    this.length = length;
  }

  add(label: string, start: number, layers: readonly LayerOfBatch[]): void {
    for (const { layer, places, values } of layers) {
      const key = JSON.stringify([label, layer]);
      const own = this.found.get(key) ?? { label, layer, places, values: {} };
      this.found.set(key, own);
      for (const [measure, numbers] of Object.entries(values) as [Measure, readonly number[]][]) {
        own.values[measure] ??= new Float64Array(this.length);
        own.values[measure].set(numbers, start);
      }
    }
  }

  all(): LayerMeasures[] {
    return [...this.found.values()];
  }
}
