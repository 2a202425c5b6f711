/**
 * Finds and reads what lies beside a folder's images: boxes in Annotations/NAME.xml (Pascal VOC), masks in masks/NAME.png whose
 * grey value is the class, 0 for background. The folder stands beside the images, beside the folder that holds them
 * (JPEGImages, images), or above both; sub-folders are named alike in the two.
 */
import { readFile } from "node:fs/promises";
import { extname, join, sep } from "node:path";
import sharp from "sharp";
import { SelfsightError } from "../errors.ts";
import { uprightSize } from "./decode.ts";
import type { ImageData } from "./images.ts";
import { diskPath, shown } from "./names.ts";
import { type Objects, objectsIn } from "./objects.ts";
import { isAnnotations, isContainer } from "./parts.ts";
import type { Folder } from "./scan.ts";
import { parseVoc } from "./voc.ts";

/** Folders of annotations, relative to the root of the images. */
export interface AnnotationFolders {
  root: string;
  boxes: readonly string[];
  masks: readonly string[];
}

/** Undefined if a tree of folders has none. */
export function findAnnotations(root: string, tree: Folder): AnnotationFolders | undefined {
  const found: { boxes: string[]; masks: string[] } = { boxes: [], masks: [] };
  const visit = ({ name, path, children }: Folder): void => {
    if (isAnnotations(name)) found.boxes.push(path);
    if (/^masks?$/i.test(name)) found.masks.push(path);
    for (const child of children) visit(child);
  };
  visit(tree);
  return found.boxes.length || found.masks.length ? { root, ...found } : undefined;
}

/**
 * The objects of the image at `path`, relative to the root; undefined if nothing is said about it.
 * @throws SelfsightError for a file that is no annotation or no mask, and for one that is of an image of another size
 */
export async function readObjects(
  { root, boxes, masks }: AnnotationFolders,
  path: string,
  read: () => Promise<ImageData>,
): Promise<Objects | undefined> {
  const [xml, png] = await Promise.all([firstOf(root, boxes, path, ".xml"), firstOf(root, masks, path, ".png")]);
  if (!xml && !png) return undefined;
  const size = await uprightSize(await read());
  const image = { path: shown(path), ...size };
  const annotation = xml && (await parseVoc(xml.bytes.toString(), xml.name));
  if (xml && annotation?.size) requireSize(xml.name, annotation.size, image);
  const mask = png && (await readMask(png, image));
  return objectsIn(size, annotation?.boxes ?? [], mask);
}

interface Found {
  /** For messages. */
  name: string;
  bytes: Buffer;
}

/** The first file there is for an image. */
async function firstOf(
  root: string,
  folders: readonly string[],
  path: string,
  ending: string,
): Promise<Found | undefined> {
  for (const folder of folders)
    for (const place of placesIn(folder, path)) {
      const file = `${place}${ending}`;
      try {
        return { name: shown(file), bytes: await readFile(diskPath(join(root, file))) };
      } catch (cause) {
        const { code, message } = cause as NodeJS.ErrnoException;
        if (code !== "ENOENT" && code !== "ENOTDIR")
          throw new SelfsightError(`${shown(file)} cannot be read: ${message}.`, { cause });
      }
    }
  return undefined;
}

/** Where an image's file can lie in a folder of annotations, without its ending: images/train/1.jpg as train/1, say. */
function placesIn(folder: string, path: string): string[] {
  const parent = folder.split(sep).slice(0, -1);
  const parts = path.slice(0, path.length - extname(path).length).split(sep);
  if (parent.some((name, i) => parts[i] !== name)) return [];
  const inside = parts.slice(parent.length);
  const shorter = inside.flatMap((name, i) =>
    i < inside.length - 1 && isContainer(name) ? [inside.filter((_, k) => k !== i)] : [],
  );
  return [...shorter, inside].map((names) => join(folder, ...names));
}

interface Sized {
  path: string;
  width: number;
  height: number;
}

function requireSize(file: string, { width, height }: { width: number; height: number }, image: Sized): void {
  if (width === image.width && height === image.height) return;
  throw new SelfsightError(
    `${file} is for an image of ${width} × ${height} pixels, but ${image.path} has ${image.width} × ${image.height}. ` +
      "Resize both alike, or delete one.",
  );
}

/** A mask's grey values, height × width; for a mask in colours, 1 for all but black. */
async function readMask({ name, bytes }: Found, image: Sized): Promise<Uint8Array> {
  try {
    const { width, height, depth } = await sharp(bytes).metadata();
    requireSize(name, { width, height }, image);
    if (depth !== "uchar")
      throw new SelfsightError(`${name} has samples of kind ${depth}: save it with 8 bits a sample.`);
    const { data, info } = await sharp(bytes, { failOn: "error", ignoreIcc: true })
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    return greyOf(data, info.channels);
  } catch (cause) {
    if (cause instanceof SelfsightError) throw cause;
    const [line] = (cause as Error).message.split("\n");
    throw new SelfsightError(
      `${name} is no mask that can be read: ${line}. Expected a PNG with a grey value for each class.`,
      {
        cause,
      },
    );
  }
}

function greyOf(data: Uint8Array, channels: number): Uint8Array {
  const values = new Uint8Array(data.length / channels);
  let [grey, to] = [true, 0];
  for (let i = 0; i < data.length; i += channels) {
    values[to++] = data[i] as number;
    for (let c = 1; c < channels; c++) if (data[i + c] !== data[i]) grey = false;
  }
  if (grey) return values;
  for (to = 0; to < values.length; to++)
    values[to] = Number(data.subarray(to * channels, (to + 1) * channels).some((value) => value > 0));
  return values;
}
