/**
 * What a run learned from: `learned.jsonl` in its folder has one line per image with a digest of its content, its name,
 * and its class if the task used labels. From it, `evaluate` knows what it must not test on.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { SelfsightError } from "../errors.ts";
import { replaceFile } from "../files.ts";
import { runFiles } from "./folder.ts";

export interface LearnedImage {
  /** See `imageDigest`. */
  digest: string;
  /** The image's name. */
  image: string;
  /** Its class, if the task used labels. */
  label?: string;
}

/** Identifies the images of a run when it is resumed: their number, and a digest of content and labels in order. */
export function identityOf(images: readonly LearnedImage[]): string {
  const digest = createHash("sha256");
  for (const { digest: content, label = "" } of images) digest.update(`${content} ${label}\n`);
  return `${images.length} ${digest.digest("hex").slice(0, 32)}`;
}

/** What a run has learned from, with what its first weights had learned from before: by digest, the labels of either. */
export function withEarlier(
  images: readonly LearnedImage[],
  earlier: ReadonlyMap<string, LearnedImage> | undefined,
): LearnedImage[] {
  const own = new Set(images.map(({ digest }) => digest));
  const before = [...(earlier?.values() ?? [])].filter(({ digest }) => !own.has(digest));
  return [...images.map((image) => ({ ...earlier?.get(image.digest), ...image })), ...before];
}

export function writeLearned(folder: string, images: readonly LearnedImage[]): void {
  replaceFile(runFiles(folder).learned, images.map((image) => `${JSON.stringify(image)}\n`).join(""));
}

/**
 * The images a run learned from, by digest. Undefined for a run of an older version, which has no such list.
 * @throws SelfsightError for a damaged list: no test is valid if it is unknown what the run has seen
 */
export function readLearned(folder: string): Map<string, LearnedImage> | undefined {
  const images = learnedList(folder);
  return images && new Map(images.map((image) => [image.digest, image]));
}

/** All images a run learned from, copies too. Undefined and throws like {@link readLearned}. */
export function learnedList(folder: string): LearnedImage[] | undefined {
  const { learned: file } = runFiles(folder);
  if (!existsSync(file)) return undefined;
  try {
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line) as LearnedImage);
  } catch (cause) {
    throw new SelfsightError(
      `${file} is damaged, so nobody can say what the run learned from: ${(cause as Error).message}. Train anew.`,
      { cause },
    );
  }
}

/** Images that a run could not read: their names, and why. */
export function readSkipped(folder: string): { id: string; reason: string }[] {
  const { skipped } = runFiles(folder);
  return existsSync(skipped) ? JSON.parse(readFileSync(skipped, "utf8")) : [];
}
