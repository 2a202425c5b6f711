/**
 * The drawings of emoji by four designers, from npm packages of vector drawings: which there are, their kinds, families and
 * sides, and how they are rasterised. Skin-tone variants are left out.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import sharp from "sharp";
import { UsageError } from "../errors.ts";
import { classOf, familyOf, plainCodes, subgroupsOf, type UnicodeEmoji } from "./emoji-classes.ts";
import { hash } from "./images.ts";

const DESIGNERS = ["noto", "twemoji", "openmoji", "fluent-emoji-flat"] as const;

/** Categories that all four designers have: "Food Drink" in one is "Food & Drink" in the others. */
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
/** The five skin tones in a sequence of code points. */
const SKIN_TONE = /1f3f[b-f]/;

export interface Drawing {
  designer: string;
  /** Name in the designer's package. */
  name: string;
  /** The same for emoji that are nearly the same picture. */
  family: string;
  /** Unicode's subgroup, or "" for an emoji newer than the list. */
  subgroup: string;
  /** -1 for a drawing in no class. */
  label: number;
}

/** A package's icons.json. */
interface Icons {
  icons: Record<string, { body: string; width?: number; height?: number }>;
  width?: number;
  height?: number;
}

/** Cumulative fractions of the families: train, then validation. The rest are for tests. */
const [TRAINED_ON, CHOSEN_ON] = [0.6, 0.8];

/** All drawings, and the side of each family. */
export interface Emoji {
  readonly drawings: readonly Drawing[];
  /** The side that a drawing's family is on: 60, 20 and 20 % of the families of every subgroup. */
  side(drawing: Drawing): Side;
  /** The drawing as RGBA, size × size × 4 bytes, centred, transparent around it. */
  raster(drawing: Drawing, size: number): Promise<Uint8Array>;
}

/** @throws UsageError naming the packages to install */
export function loadEmoji(): Emoji {
  const icons = new Map(DESIGNERS.map((designer) => [designer as string, ofDesigner<Icons>(designer, "icons.json")]));
  const subgroups = subgroupsOf(load<UnicodeEmoji[]>("emoji.json/emoji.json"));
  const drawings = [...icons].flatMap(([designer, { icons: bodies }]) =>
    distinct(drawingsBy(designer, subgroups), bodies),
  );
  const sides = sidesOf(drawings);
  return {
    drawings,
    side: ({ family }) => sides.get(family) as Side,
    raster: ({ designer, name }, size) => {
      const set = icons.get(designer) as Icons;
      const { body, width = set.width ?? 16, height = set.height ?? 16 } = set.icons[name] as Icons["icons"][string];
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${size}" height="${size}">${body}</svg>`;
      const transparent = { r: 0, g: 0, b: 0, alpha: 0 };
      const raster = sharp(Buffer.from(svg)).resize(size, size, { fit: "contain", background: transparent });
      return raster.ensureAlpha().raw().toBuffer();
    },
  };
}

export type Side = "train" | "validation" | "test";

/** The split of each family. Families are ordered by hash: the same on every machine, and unrelated to the pictures. */
function sidesOf(drawings: readonly Drawing[]): Map<string, Side> {
  const subgroupOf = new Map(drawings.toReversed().map(({ family, subgroup }) => [family, subgroup])); // the first drawing's
  const families = new Map<string, string[]>();
  for (const [family, subgroup] of subgroupOf) {
    const list = families.get(subgroup);
    if (list) list.push(family);
    else families.set(subgroup, [family]);
  }
  const sides = new Map<string, Side>();
  for (const list of families.values()) {
    const ordered = list
      .map((family) => ({ family, order: hash([family]) }))
      .sort((a, b) => (a.order < b.order ? -1 : 1));
    const [trained, chosen] = [Math.round(list.length * TRAINED_ON), Math.round(list.length * CHOSEN_ON)];
    for (const [i, { family }] of ordered.entries())
      sides.set(family, i < trained ? "train" : i < chosen ? "validation" : "test");
  }
  return sides;
}

function drawingsBy(designer: string, subgroups: ReadonlyMap<string, string>): Drawing[] {
  const { categories } = ofDesigner<{ categories: Record<string, string[]> }>(designer, "metadata.json");
  const names = Object.entries(ofDesigner<Record<string, string>>(designer, "chars.json"));
  // The first code wins: OpenMoji reuses the names of some standard emoji for its own later codes.
  const emojiOf = new Map(names.reverse().map(([emoji, name]) => [name, emoji]));
  return CATEGORIES.flatMap((category) =>
    (categories[category] ?? categories[category.replace("& ", "")] ?? []).flatMap((name): Drawing[] => {
      const emoji = emojiOf.get(name);
      if (emoji === undefined || SKIN_TONE.test(emoji)) return [];
      const codes = plainCodes(emoji);
      const subgroup = subgroups.get(codes) ?? "";
      return [{ designer, name, family: familyOf(codes), subgroup, label: classOf(subgroup) }];
    }),
  );
}

/** Without drawings identical to an earlier one, like the flags of France and of Clipperton Island. */
function distinct(drawings: readonly Drawing[], icons: Icons["icons"]): Drawing[] {
  const seen = new Map(drawings.toReversed().map((drawing) => [icons[drawing.name]?.body, drawing]));
  return drawings.filter((drawing) => seen.get(icons[drawing.name]?.body) === drawing);
}

function ofDesigner<Content>(designer: string, file: string): Content {
  return load(`@iconify-json/${designer}/${file}`);
}

function load<Content>(file: string): Content {
  try {
    return JSON.parse(readFileSync(createRequire(import.meta.url).resolve(file), "utf8")) as Content;
  } catch (cause) {
    const packages = [...DESIGNERS.map((one) => `@iconify-json/${one}`), "emoji.json"].join(" ");
    throw new UsageError(`The emoji set is made from packages that are not installed: npm install ${packages}`, {
      cause,
    });
  }
}
