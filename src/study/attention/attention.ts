/** `attention`: where trained encoders look, beside the same networks untrained. */
import { withCleanup } from "../../cleanup.ts";
import { listed } from "../../data/names.ts";
import { UsageError } from "../../errors.ts";
import { replaceFile } from "../../files.ts";
import { type Column, picturesOf } from "../../inspect/attention/pictures.ts";
import { attentionSheet } from "../../inspect/attention/sheet.ts";
import { pause } from "../../interrupt.ts";
import type { Encoder } from "../../models/model.ts";
import { parseOptions } from "../../options.ts";
import type { Hooks } from "../../run/events.ts";
import { loadEncoder } from "../../run/folder.ts";
import { openGiven } from "../../run/images.ts";
import { type Compute, chooseCompute } from "../../torch/compute.ts";
import { type ShownImages, showImages } from "./images.ts";
import { type Look, looksOf } from "./looks.ts";
import { type AttentionNumbers, attentionNumbers } from "./numbers.ts";
import { type AttentionConfig, type AttentionOptions, attentionOptions } from "./options.ts";

/** An encoder's pictures at one point of its training. */
export interface AttentionFrame {
  /** Of the training: 0 at its beginning, 100 at its end. */
  percent: number;
  columns: readonly Column[];
}

/** What one encoder shows. */
export interface AttentionGroup {
  label: string;
  kind: Look["kind"];
  /** In the order of training; the last is the encoder itself. Several only with `checkpoints`. */
  frames: readonly AttentionFrame[];
}

export interface AttentionResult {
  /** Path of the PNG, and of the page beside it, which `writeAttention` writes. */
  file: string;
  page: string;
  /** What was given as images. */
  source: string;
  /** Names of the images shown. */
  names: readonly string[];
  /** Each image shown: size × size × 3 bytes, RGB. */
  images: readonly Uint8Array[];
  /** Side of every picture, in pixels. */
  size: number;
  groups: readonly AttentionGroup[];
  /** Undefined if none were wanted. */
  numbers: AttentionNumbers | undefined;
  /** What a reader should know, one sentence each. */
  notes: readonly string[];
}

/** Side of the pictures, in pixels. */
const SIZE = 112;
/** Most patches across an image that is larger than in training: each block has a weight for every pair of patches. */
const MOST_PATCHES = 32;

/**
 * Draws where encoders look, and writes a PNG: rows are images, columns what each encoder can show.
 * @throws UsageError for folders that are not finished runs, and for what {@link looksOf} refuses; InterruptedError when the signal aborts
 */
export function attention(options: AttentionOptions, hooks: Hooks = {}): Promise<AttentionResult> {
  return withCleanup(async (cleanup) => {
    const config = parseOptions(attentionOptions, options);
    const { out: file, images: source, split, count } = config;
    const page = pageBeside(file);
    refuseIdleMaskClass(config);
    const compute = await chooseCompute({ ...config, precision: "f32" });
    const looks = looksOf(config);
    const collection = await openGiven(config, hooks);
    const images = await showImages(collection, { split, count, size: SIZE, device: compute.device }, hooks);
    cleanup.push(() => images.dispose());
    const drawing = { config, compute, images };
    const groups = await drawAll(looks, drawing, hooks);
    const last = groups.map(({ label, frames }) => ({ label, columns: frames.at(-1)?.columns ?? [] }));
    const numbers = config.measure ? await attentionNumbers(looks, collection, drawing, hooks) : undefined;
    replaceFile(file, await attentionSheet(images.pixels, last, SIZE));
    return {
      ...{ file, page, source, groups, numbers, size: SIZE },
      ...{ names: images.names, images: images.pixels },
      notes: [...(collection.notes ?? []), ...images.notes, ...sides(looks), ...(numbers?.notes ?? [])],
    };
  });
}

/** The page's path. @throws UsageError for a picture of another kind */
function pageBeside(file: string): string {
  if (/[^/\\]\.png$/i.test(file)) return file.replace(/\.png$/i, ".html");
  throw new UsageError(
    `Expected --out to end in .png; got ${file}. A page of the same name, ending in .html, goes beside it.`,
  );
}

/** @throws UsageError for a class of masks where nothing is measured */
function refuseIdleMaskClass({ maskClass, measure }: AttentionConfig): void {
  if (maskClass === undefined || measure) return;
  throw new UsageError(`--mask-class ${maskClass} has no effect with --measure 0: leave one of them out.`);
}

/** A sentence for every side at which encoders are shown images that is not that of their training. */
function sides(looks: readonly Look[]): string[] {
  const others = looks.filter(({ side, imageSize }) => side !== imageSize);
  return [...new Set(others.map(({ side }) => side))].map((side) => {
    const own = others.filter((look) => look.side === side);
    const trained = [...new Set(own.map(({ imageSize }) => imageSize))];
    return (
      `Images are shown to ${listed(own.map(({ label }) => label))} at ${side} pixels in place of ${listed(trained.map(String))}: ` +
      "there the places of the maps lie the same from every side, so that the map of a turned image can be turned back."
    );
  });
}

interface Drawing {
  config: AttentionConfig;
  compute: Compute;
  images: ShownImages;
}

async function drawAll(looks: readonly Look[], drawing: Drawing, hooks: Hooks): Promise<AttentionGroup[]> {
  const draw = async (look: Look, when: string, encoder: () => Encoder) => {
    await pause(hooks.signal, "the picture was drawn");
    hooks.onEvent?.({ type: "working", what: `drawing ${look.label}${when}` });
    return drawOne(look, encoder(), drawing);
  };
  const own = new Map<string, readonly Column[]>();
  for (const look of looks) own.set(look.id, await draw(look, "", look.encoder));
  const groups: AttentionGroup[] = [];
  for (const look of looks) {
    const { id, label, kind, folder = "", kept, baselines } = look;
    const beginning = kept.length ? baselines.map((one) => own.get(one)).find((columns) => columns) : undefined;
    const frames: AttentionFrame[] = beginning ? [{ percent: 0, columns: beginning }] : [];
    for (const { percent, file } of kept) {
      const columns = await draw(look, ` at ${percent} %`, () => loadEncoder(folder, file).encoder);
      frames.push({ percent, columns });
    }
    groups.push({ label, kind, frames: [...frames, { percent: 100, columns: own.get(id) ?? [] }] });
  }
  return groups;
}

/** Disposes the encoder. */
async function drawOne(look: Look, encoder: Encoder, { config, compute, images }: Drawing): Promise<Column[]> {
  const { show, imageSize, side } = look;
  try {
    const small = await images.at(side);
    const attends = show.includes("heads") || show.includes("rollout");
    const large = attends ? await images.at(config.imageSize ?? (await largeSide(encoder, imageSize, images))) : small;
    encoder.to({ device: compute.device, memoryFormat: "channels_last" });
    return picturesOf(
      encoder,
      { shown: images.pixels, size: SIZE, images: small, large },
      { show, layers: config.layers, powers: config.power },
    );
  } finally {
    encoder.dispose();
  }
}

/** The images' own side, as far as whole patches, up to twice the side in training. */
async function largeSide({ patchSize }: Encoder, side: number, images: ShownImages): Promise<number> {
  const own = await images.ownSide(side);
  return Math.max(side, Math.min(own - (own % patchSize), MOST_PATCHES * patchSize));
}
