/** Data sets known by name: where they may lie, and how to get them. */

import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { unpackTar } from "modern-tar/fs";
import { SelfsightError } from "../errors.ts";
import { checksum, download } from "../setup/download.ts";
import { cacheDir } from "../setup/paths.ts";
import { openEmoji } from "./emoji.ts";
import type { ImageCollection } from "./images.ts";

export interface Dataset {
  readonly title: string;
  readonly licence: string;
  readonly source: string;
  /** Where it lies after looking in `$SELFSIGHT_DATA` and the cache, and downloading it if need be. */
  locate(): Promise<string | ImageCollection>;
}

export const datasets = {
  clothing: {
    title: "Photos of clothes, 10 classes: 3,781 labelled, and more without labels",
    licence: "CC0",
    source: "https://github.com/alexeygrigorev/clothing-dataset-small",
    locate: () => stored("clothing", fetchClothing),
  },
  cifar10: {
    title: "CIFAR-10: 60,000 photos of 32×32 pixels, 10 classes",
    licence: "none stated",
    source: "https://www.cs.toronto.edu/~kriz/cifar.html",
    locate: () => stored("cifar10", fetchCifar10),
  },
  "fashion-mnist": {
    title: "Fashion-MNIST: 70,000 grey pictures of clothes, 28×28 pixels, 10 classes",
    licence: "MIT",
    source: "https://github.com/zalandoresearch/fashion-mnist",
    locate: () => stored("fashion-mnist", fetchFashionMnist),
  },
  emoji: {
    title: "Emoji by four designers, 9 categories; the same emoji always on one side of a split",
    licence: "those of Noto, Twemoji, OpenMoji and Fluent Emoji",
    source: "npm: @iconify-json/noto, twemoji, openmoji, fluent-emoji-flat",
    locate: async () => openEmoji(),
  },
} as const satisfies Readonly<Record<string, Dataset>>;
export type DatasetName = keyof typeof datasets;

/** `$SELFSIGHT_DATA/<name>`, else the cache, else what `fetchInto` downloads; a broken download leaves nothing behind. */
async function stored(name: string, fetchInto: (folder: string) => Promise<void>): Promise<string> {
  const given = process.env["SELFSIGHT_DATA"];
  if (given && existsSync(join(given, name))) return join(given, name);
  const folder = join(cacheDir(), "datasets", name);
  if (existsSync(folder)) return folder;
  const draft = `${folder}.part`;
  mkdirSync(draft, { recursive: true });
  try {
    await fetchInto(draft);
  } catch (cause) {
    const hint = `Or put the images into a folder "${name}" yourself, and set SELFSIGHT_DATA to the folder that holds it.`;
    throw new SelfsightError(`The data set ${name} cannot be fetched. ${(cause as Error).message} ${hint}`, { cause });
  }
  renameSync(draft, folder);
  return folder;
}

async function fetchCifar10(folder: string): Promise<void> {
  const archive = join(folder, "cifar-10-binary.tar.gz");
  await download("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", archive, {
    md5: "c32a1d4ab5d03f1284b67883e8d87530",
  });
  await unpack(archive, folder);
}

/** MD5 sums from the README of the set's repository. */
const fashionFiles = {
  "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
  "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
  "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
  "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
};

async function fetchFashionMnist(folder: string): Promise<void> {
  const home = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion";
  for (const [file, md5] of Object.entries(fashionFiles))
    await download(`${home}/${file}`, join(folder, file), { md5 });
}

/** Archives made by the host are not byte-stable: the files in them are checked, at a named commit. */
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

async function fetchClothing(folder: string): Promise<void> {
  for (const { repository, commit, folders, listing } of clothingParts) {
    const archive = join(folder, `${repository}.tar.gz`);
    await download(`https://codeload.github.com/alexeygrigorev/${repository}/tar.gz/${commit}`, archive);
    await unpack(archive, folder);
    await checkListing(folder, folders, listing);
  }
  // The second repository holds the labelled photos too: what is left of it is unlabelled.
  const labelled = new Set(
    ["train", "validation", "test"].flatMap((split) =>
      filesUnder(join(folder, split)).map((file) => file.split(/[\\/]/).at(-1)),
    ),
  );
  for (const file of filesUnder(join(folder, "images"))) if (labelled.has(file)) rmSync(join(folder, "images", file));
  renameSync(join(folder, "images"), join(folder, "unlabelled"));
}

async function unpack(archive: string, folder: string): Promise<void> {
  await pipeline(createReadStream(archive), createGunzip(), unpackTar(folder, { strip: 1 }));
  rmSync(archive);
}

/** The SHA-256 of what `sha256sum` prints of all files, sorted: by line, or by path. */
async function checkListing(folder: string, parts: readonly string[], expected: string): Promise<void> {
  const files = parts.flatMap((part) => filesUnder(join(folder, part)).map((file) => `${part}/${file}`)).sort();
  const lines: string[] = [];
  for (const file of files) lines.push(`${await checksum(join(folder, file), "sha256")}  ${file}\n`);
  const sum = (list: string[]) => createHash("sha256").update(list.join("")).digest("hex");
  if (sum(lines) === expected || sum([...lines].sort()) === expected) return;
  throw new SelfsightError(
    `The ${files.length} files under ${parts.join(", ")} are not those expected (sha256 of their listing: ${sum([...lines].sort())}).`,
  );
}

function filesUnder(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)));
}
