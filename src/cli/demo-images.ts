/** The demo's images: photos of clothes, drawings if those are unavailable, or the user's own. */
import type { ImageCollection } from "../data/images.ts";
import { openImages } from "../data/open.ts";
import { labelledParts } from "../data/splits.ts";
import { SelfsightError, UsageError } from "../errors.ts";
import type { PretrainOptions } from "../run/options.ts";

/** Labels per class that the result is about, if there are as many. */
const LABELS = 25;

export interface DemoImages {
  images: string;
  collection: ImageCollection;
  /** What it learns from, in words for the user: "photos of clothes". */
  what: string;
  /** Why the comparison is fair, if that needs explaining. */
  fair?: string;
  recipe: Partial<PretrainOptions>;
  /** What the recipe's task asks about an image: "how far each was turned". */
  question: string;
  /** The split to test on; default: validation and test. */
  testSplit?: string;
}

const rotation = { recipe: { task: "rotation" }, question: "how far each was turned" } as const;

/** Photos of clothes, or drawings if those are unavailable. */
export async function builtInImages(say: (line: string) => void, open = openImages): Promise<DemoImages> {
  try {
    const collection = await open("clothing", { say });
    return { images: "clothing", collection, ...photos };
  } catch (error) {
    if (!(error instanceof SelfsightError)) throw error;
    const collection = await open("quickdraw").catch((other: Error) => {
      throw new SelfsightError(`${error.message}\nNor can drawings take their place: ${other.message}`, {
        cause: error,
      });
    });
    const isOffline = /cannot be fetched/.test(error.message); // often so, and no reason to worry
    if (!isOffline) say(error.message);
    const why = isOffline ? "downloaded" : "opened";
    say(`The photos of clothes cannot be ${why} here, so it learns from drawings that are already installed.`);
    return { images: "quickdraw", collection, ...drawings };
  }
}

const photos = {
  what: "photos of clothes",
  ...rotation,
  testSplit: "test", // the preset quick was chosen on validation
} satisfies Partial<DemoImages>;

const drawings = {
  what: "drawings that people made in the game Quick, Draw!",
  fair:
    "It is tested on other drawings than those it learned from, of 25 kinds of things. The recipe was chosen on others still:\n" +
    "docs/DEMO.md.",
  ...rotation,
  recipe: { ...rotation.recipe, imageSize: 32, preset: "paper" }, // docs/DEMO.md lists what was tried
  testSplit: "test", // the recipe was chosen on validation
} satisfies Partial<DemoImages>;

export async function ownImages(images: string): Promise<DemoImages> {
  const collection = await openImages(images);
  return { images, collection, what: `the images of ${images}`, ...rotation };
}

/** Number of labels per class to measure with, at most {@link LABELS}; or the reason why there are not enough. */
export async function labelsPerClass(collection: ImageCollection): Promise<number | string> {
  try {
    const { train, classes } = await labelledParts(collection, {});
    const sizes = classes.map(() => 0);
    for (let i = 0; i < train.length; i++) sizes[train.label(i)] = (sizes[train.label(i)] ?? 0) + 1;
    const median = sizes.sort((a, b) => a - b)[sizes.length >> 1] ?? 0;
    return median >= 2 ? Math.min(LABELS, median) : "Its classes have too few images to measure by.";
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
}
