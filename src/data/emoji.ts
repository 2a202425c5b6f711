/**
 * Emoji drawn by four designers: pictures without a photographer's rights, made from npm packages of vector drawings.
 * The category is the label. Skin-tone variants are left out. One emoji by all designers is one group: a split never
 * has the same thing on both sides.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import sharp from "sharp";
import { UsageError } from "../errors.ts";
import { hash, type ImageCollection, type ImageSet, splitByGroup } from "./images.ts";

const DESIGNERS = ["noto", "twemoji", "openmoji", "fluent-emoji-flat"] as const;

/** The categories that all four have, as they are in each: "Food Drink" in one is "Food & Drink" in the others. */
const CATEGORIES = [
  "Activities",
  "Animals & Nature",
  "Flags",
  "Food & Drink",
  "Objects",
  "People & Body",
  "Smileys & Emotion",
  "Symbols",
  "Travel & Places",
];
/** The five skin tones, as they stand in a sequence of code points. */
const SKIN_TONE = /1f3f[b-f]/;

/** Side of the rasterised drawings, in pixels. */
const SIZE = 128;

interface Drawing {
  designer: string;
  /** What the designer's package calls it. */
  name: string;
  /** Code points in hexadecimal: the same for all designers. */
  emoji: string;
  label: number;
}

/** A package's icons.json. */
interface Icons {
  icons: Record<string, { body: string; width?: number; height?: number }>;
  width?: number;
  height?: number;
}

/** Train and test, 80 to 20 emoji of every category. @throws UsageError naming the packages to install */
export function openEmoji(): ImageCollection {
  const icons = new Map(DESIGNERS.map((designer) => [designer as string, load<Icons>(designer, "icons.json")]));
  const drawings = [...icons].flatMap(([designer, { icons: bodies }]) => distinct(drawingsBy(designer), bodies));
  const [train, test] = splitByGroup(drawingSet(drawings, icons), 0.8, 0);
  return { name: "emoji", splits: { train: { ...train, name: "train" }, test: { ...test, name: "test" } } };
}

function drawingsBy(designer: string): Drawing[] {
  const { categories } = load<{ categories: Record<string, string[]> }>(designer, "metadata.json");
  const names = Object.entries(load<Record<string, string>>(designer, "chars.json"));
  // The first code wins: OpenMoji has later ones of its own for some standard emoji's names.
  const emojiOf = new Map(names.reverse().map(([emoji, name]) => [name, emoji]));
  return CATEGORIES.flatMap((category, label) =>
    (categories[category] ?? categories[category.replace("& ", "")] ?? []).flatMap((name): Drawing[] => {
      const emoji = emojiOf.get(name);
      return emoji === undefined || SKIN_TONE.test(emoji) ? [] : [{ designer, name, emoji, label }];
    }),
  );
}

/** Without what is drawn exactly as an earlier one, such as the flags of France and of its Clipperton Island. */
function distinct(drawings: readonly Drawing[], icons: Icons["icons"]): Drawing[] {
  const seen = new Map(drawings.toReversed().map((drawing) => [icons[drawing.name]?.body, drawing]));
  return drawings.filter((drawing) => seen.get(icons[drawing.name]?.body) === drawing);
}

function drawingSet(drawings: readonly Drawing[], icons: ReadonlyMap<string, Icons>): ImageSet {
  const at = (i: number): Drawing => {
    const drawing = drawings[i];
    if (!drawing) throw new RangeError(`image ${i} of ${drawings.length}`);
    return drawing;
  };
  return {
    name: "emoji",
    length: drawings.length,
    classes: CATEGORIES,
    label: (i) => at(i).label,
    id: (i) => `${at(i).designer}/${at(i).name}`,
    group: (i) => at(i).emoji,
    read: async (i) => {
      const { designer, name } = at(i);
      const set = icons.get(designer) as Icons;
      const { body, width = set.width ?? 16, height = set.height ?? 16 } = set.icons[name] as Icons["icons"][string];
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${SIZE}" height="${SIZE}">${body}</svg>`;
      const raster = sharp(Buffer.from(svg))
        .resize(SIZE, SIZE, { fit: "contain", background: "white" })
        .flatten({ background: "white" });
      return { pixels: await raster.removeAlpha().raw().toBuffer(), width: SIZE, height: SIZE };
    },
    fingerprint: hash(drawings.map(({ designer, name }) => `${designer}/${name}`)),
  };
}

function load<Content>(designer: string, file: string): Content {
  try {
    const path = createRequire(import.meta.url).resolve(`@iconify-json/${designer}/${file}`);
    return JSON.parse(readFileSync(path, "utf8")) as Content;
  } catch (cause) {
    const packages = DESIGNERS.map((one) => `@iconify-json/${one}`).join(" ");
    throw new UsageError(`The emoji set is made from drawings that are not installed: npm install ${packages}`, {
      cause,
    });
  }
}
