/** `embed`: an encoder's features of every image, in a file for other programs. */
import { z } from "zod";
import { withCleanup } from "../cleanup.ts";
import { type ImageCollection, type ImageSet, selectSplits, subset } from "../data/images.ts";
import { openPixels, type PixelStore, refuseUnreadable, unreadNote } from "../data/pixels.ts";
import { UsageError, unknownName } from "../errors.ts";
import { pause, refuseAborted } from "../interrupt.ts";
import type { Encoder } from "../models/model.ts";
import { parseOptions } from "../options.ts";
import { counting, type Hooks } from "../run/events.ts";
import { loadEncoder } from "../run/folder.ts";
import { aboutImages, openGiven } from "../run/images.ts";
import { type Compute, chooseCompute, computeOptions } from "../torch/compute.ts";
import type { Tensor } from "../torch/tensor.ts";
import { csvFile, parquetFile } from "./embed-files.ts";
import { keepParts, type Place, placeOf, removeParts } from "./embed-place.ts";
import { type ImageRow, ImageRows } from "./embed-rows.ts";
import { FeatureFile } from "./feature-file.ts";
import { COMPUTING, encoderFeatures, OUTPUT } from "./features.ts";
import { nearestTo } from "./nearest.ts";

/** Neighbours of each image by default, and the most images for which they are looked for without being asked. */
const [NEIGHBOURS, MOST_SEARCHED] = [10, 100_000];

export const embedOptions = z.strictObject({
  run: z.string().min(1).describe("run folder of pretrain"),
  images: z.string().min(1).describe("folder of images, file of a known format, or a known data set's name"),
  ...aboutImages,
  out: z
    .string()
    .min(1)
    .meta({ description: "required: file to write, NAME.parquet, or NAME.npy with NAME.csv beside it", value: "file" }),
  layer: z
    .string()
    .default(OUTPUT)
    .describe("layer of the network; feature maps are averaged over a grid, as in evaluate"),
  split: z.string().optional().describe("parts of the images to use, joined by +; default: all"),
  neighbours: z
    .int()
    .min(0)
    .max(1000)
    .optional()
    .describe(
      `nearest images of each, by cosine distance, in .parquet; 0 for none; default: ${NEIGHBOURS}, or 0 for more than ${MOST_SEARCHED.toLocaleString("en")} images`,
    ),
  ...computeOptions,
});
/** A caller's options: everything but `run`, `images` and `out` has a default. */
export type EmbedOptions = z.input<typeof embedOptions>;

export interface Embedded {
  /** What was written: the Parquet file, or NumPy's and the CSV file beside it. */
  files: string[];
  /** N: the images that could be read. */
  rows: number;
  /** D: features of each. */
  width: number;
  /** Images that could not be read, and why. */
  skipped: PixelStore["skipped"];
  /** What a reader should know, one sentence each. */
  notes: readonly string[];
}

/** How much is held at once, and how much is searched. The features do not depend on it, up to rounding. */
interface Limits {
  /** Decoded images. */
  images?: number;
  /** Rows of features. */
  rows?: number;
  /** Most images whose neighbours are looked for without being asked. */
  searched?: number;
}

/** Most decoded images, their bytes, most rows of features, and their values, that are held at once. */
const [IMAGES, IMAGE_BYTES, ROWS, VALUES] = [512, 2 ** 25, 1024, 2 ** 20];

/**
 * Writes the features (N, D) of all images at one layer, f32, in the order of the splits. Memory does not grow with N but for a
 * few bytes an image; neighbours are exact, and take a time that grows with N².
 * - `.parquet`: columns path, label, split, group if one is given, embedding, and neighbors with ids (row numbers from 0) and
 *   cosine distances
 * - `.npy`: C order, and a CSV file with the columns row, path, label, split, and group if one is given
 * @throws UsageError for a file that exists or has another ending, a run without an encoder, an unknown layer or split;
 *   SelfsightError if it cannot be written, or more than 5 % of the images cannot be read; InterruptedError when the signal
 *   aborts. Nothing is left behind then.
 */
export function embed(options: EmbedOptions, hooks: Hooks = {}, limits: Limits = {}): Promise<Embedded> {
  return withCleanup(async (cleanup) => {
    const config = parseOptions(embedOptions, options);
    const { out, layer, neighbours } = config;
    const place = placeOf(out);
    if (neighbours && place.kind === "npy")
      throw new UsageError(
        `A .npy file has no room for neighbours. Leave out --neighbours, or name --out NAME.parquet.`,
      );
    const compute = await chooseCompute(config);
    const { encoder, config: trained } = loadEncoder(config.run);
    cleanup.push(() => encoder.dispose());
    const layers = [...Object.keys(encoder.featureDims), OUTPUT];
    if (!layers.includes(layer)) throw unknownName(`layer of ${trained.model}`, layer, layers);

    const collection = await openGiven(config, hooks);
    const source = { name: collection.name, sets: splitsOf(collection, config.split), by: config.group };
    removeParts(place, cleanup);
    const features = new FeatureFile(place.features);
    cleanup.push(() => features.close());
    encoder.to({ device: compute.device, memoryFormat: "channels_last" });
    const { imageSize } = trained;
    const images = limits.images ?? Math.max(1, Math.min(IMAGES, Math.floor(IMAGE_BYTES / (imageSize ** 2 * 3))));
    const { rows, skipped } = await computeFeatures(
      source,
      { features, encoder, layer, imageSize, compute, images },
      hooks,
    );
    features.finish();

    const notes = [...(collection.notes ?? []), ...unreadNote(skipped, `${rows.length + skipped.length} images`)];
    let count = place.kind === "parquet" ? (neighbours ?? NEIGHBOURS) : 0;
    if (count && neighbours === undefined && rows.length > (limits.searched ?? MOST_SEARCHED)) {
      count = 0;
      notes.push(
        `Neighbours were left out: for ${rows.length.toLocaleString("en")} images they take long. --neighbours ${NEIGHBOURS} looks for them.`,
      );
    }
    const block = limits.rows ?? Math.max(1, Math.min(ROWS, Math.floor(VALUES / features.width)));
    const about = { run: config.run, images: config.images, layer };
    const columns = config.group === undefined ? COLUMNS : [...COLUMNS, "group" as const];
    await writeRows({ place, rows, features, count, block, device: compute.device, about, columns }, hooks);
    keepParts(place);
    const files = place.results.map(({ file }) => file);
    return { files, rows: rows.length, width: features.width, skipped, notes };
  });
}

/** The chosen splits by name. @throws UsageError for one that is missing or named twice */
function splitsOf(collection: ImageCollection, split = Object.keys(collection.splits).join("+")): [string, ImageSet][] {
  selectSplits(collection, split);
  return split.split("+").map((name) => [name, collection.splits[name] as ImageSet]);
}

interface FeatureContext {
  features: FeatureFile;
  encoder: Encoder;
  layer: string;
  imageSize: number;
  compute: Compute;
  /** Decoded at once. */
  images: number;
}

/** Appends the features of all images that can be read to the file. Returns which images these are. */
async function computeFeatures(
  { name, sets, by }: { name: string; sets: [string, ImageSet][]; by: string | undefined },
  { features, encoder, layer, imageSize, compute, images }: FeatureContext,
  hooks: Hooks,
): Promise<{ rows: ImageRows; skipped: PixelStore["skipped"] }> {
  const rows = new ImageRows(by);
  const skipped: PixelStore["skipped"][number][] = [];
  const length = sets.reduce((sum, [, set]) => sum + set.length, 0);
  const tell = counting(hooks, "embed");
  let before = 0;
  for (const [split, set] of sets) {
    rows.begin(split, set);
    for (let start = 0; start < set.length; start += images) {
      const positions = Int32Array.from({ length: Math.min(images, set.length - start) }, (_, i) => start + i);
      const store = await openPixels(subset(set, positions), {
        size: imageSize,
        memoryLimitBytes: Number.POSITIVE_INFINITY,
        tolerated: 1, // of all images it matters, below
        onProgress: (done) => tell(before + done, length),
        signal: hooks.signal,
      });
      try {
        skipped.push(...store.skipped);
        refuseUnreadable({ name, length }, skipped);
        if (store.length) {
          const values = (await encoderFeatures(encoder, store, compute, { only: [layer], signal: hooks.signal }))[
            layer
          ] as Tensor;
          features.append(values.data() as Float32Array, values.size(1));
          values.dispose();
        }
      } finally {
        await store.close();
      }
      rows.add(store.source.map((i) => positions[i] as number));
      before += positions.length;
      refuseAborted(hooks.signal, COMPUTING);
    }
  }
  return { rows, skipped };
}

interface WriteContext {
  place: Place;
  rows: ImageRows;
  features: FeatureFile;
  /** Neighbours of each row. */
  count: number;
  /** Rows that are written at once. */
  block: number;
  device: Compute["device"];
  about: object;
  /** What is written about each image. */
  columns: readonly (keyof ImageRow)[];
}

const COLUMNS = ["path", "label", "split"] as const;

/** Writes the table, block by block. */
async function writeRows(
  { place, rows, features, count, block, device, about, columns }: WriteContext,
  hooks: Hooks,
): Promise<void> {
  const { signal } = hooks;
  const tell = counting(hooks, count ? "compare" : "write");
  const table =
    place.kind === "parquet"
      ? parquetFile(place.table, { neighbours: count > 0, about, columns })
      : csvFile(place.table, columns);
  for (let start = 0; start < rows.length; start += block) {
    await pause(signal, "the file was written");
    const some = rows.slice(start, Math.min(block, rows.length - start));
    const nearest = count ? await nearestTo(features, start, { count, block, device, signal }) : undefined;
    table.write(some, () => features.read(start, some.length), nearest);
    tell(start + some.length, rows.length);
  }
  table.finish();
}
