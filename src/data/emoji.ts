/**
 * Emoji drawn by four designers: pictures without photographers' rights, rendered from npm packages of vector drawings.
 * The label is the kind of thing drawn: face, animal, vehicle. Skin-tone variants are left out. A family of emoji, by all
 * designers, is one group, so no two splits share a family.
 */
import sharp from "sharp";
import { EMOJI_CLASSES } from "./emoji-classes.ts";
import { type Drawing, type Emoji, loadEmoji, type Side } from "./emoji-drawings.ts";
import { hash, type ImageCollection, type ImageSet } from "./images.ts";

/** Side of the rasterised drawings, in pixels. */
const SIZE = 128;

/**
 * Train, validation and test: 60, 20 and 20 % of the families of every subgroup. Unlabelled: drawings
 * in no class, of training families only. @throws UsageError naming the packages to install
 */
export function openEmoji(): ImageCollection {
  const emoji = loadEmoji();
  const part = (name: string, side: Side, labelled: boolean): ImageSet => {
    const chosen = emoji.drawings.filter((drawing) => emoji.side(drawing) === side && drawing.label >= 0 === labelled);
    return drawingSet(name, chosen, emoji);
  };
  const splits = {
    train: part("train", "train", true),
    validation: part("validation", "validation", true),
    test: part("test", "test", true),
    unlabelled: part("unlabelled", "train", false),
  };
  return { name: "emoji", splits };
}

function drawingSet(name: string, drawings: readonly Drawing[], { raster }: Emoji): ImageSet {
  const at = (i: number): Drawing => {
    const drawing = drawings[i];
    if (!drawing) throw new RangeError(`image ${i} of ${drawings.length}`);
    return drawing;
  };
  return {
    name,
    length: drawings.length,
    classes: EMOJI_CLASSES,
    label: (i) => at(i).label,
    id: (i) => `${at(i).designer}/${at(i).name}`,
    group: (i) => at(i).family,
    read: async (i) => {
      const rgba = sharp(await raster(at(i), SIZE), { raw: { width: SIZE, height: SIZE, channels: 4 } });
      const pixels = await rgba.flatten({ background: "white" }).removeAlpha().raw().toBuffer();
      return { pixels, width: SIZE, height: SIZE };
    },
    fingerprint: hash(drawings.map(({ designer, name }) => `${designer}/${name}`)),
  };
}
