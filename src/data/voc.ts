/**
 * Annotations of Pascal VOC: an XML file for each image, with an `object` for each box (Everingham et al. 2010,
 * https://doi.org/10.1007/s11263-009-0275-4). What else they say, like "difficult", is not read.
 */
import { SelfsightError } from "../errors.ts";
import type { Box } from "./objects.ts";

export interface VocAnnotation {
  /** Of the image that was annotated, in pixels; undefined where it is not said, or 0. */
  size: { width: number; height: number } | undefined;
  /** As written: they may reach beyond the image, or have no area. */
  boxes: Box[];
}

/** What is used of linkedom's elements: it has no types without those of browsers. */
interface XmlElement {
  readonly localName: string;
  readonly children: Iterable<XmlElement>;
  readonly textContent: string;
}

/**
 * Corners are pixels, and both belong to the box; the first pixel is 1, as in the development kit. So a box of one pixel has
 * xmin = xmax, but tools that count from 0 write that for a box without area: it is taken for one.
 * @param file its name, for errors
 * @throws SelfsightError for a file that is no such annotation, and for corners that are no numbers
 */
export async function parseVoc(xml: string, file: string): Promise<VocAnnotation> {
  const { DOMParser } = await import("linkedom"); // loaded only where there are annotations
  const root = new DOMParser().parseFromString(xml, "text/xml").documentElement as XmlElement | null;
  if (root?.localName !== "annotation" || !/<\/annotation>\s*$/.test(xml)) {
    const came = root?.localName === "annotation" ? "one that is cut short" : `<${root?.localName ?? ""}>`;
    throw new SelfsightError(
      `${file} is no annotation of Pascal VOC: expected one element <annotation> with an <object> for each box, came ${came}. Fix or delete it.`,
    );
  }
  const [size] = named(root, "size");
  const [width = 0, height = 0] = ["width", "height"].map((name) => (size ? numberOf(size, name) : 0));
  return {
    size: width > 0 && height > 0 ? { width, height } : undefined,
    boxes: named(root, "object").map((object, i) => boxOf(object, `${file}, object ${i + 1}`)),
  };
}

function boxOf(object: XmlElement, where: string): Box {
  const [corners] = named(object, "bndbox");
  const [xmin, ymin, xmax, ymax] = ["xmin", "ymin", "xmax", "ymax"].map((name) =>
    corners ? numberOf(corners, name) : Number.NaN,
  ) as [number, number, number, number];
  if (![xmin, ymin, xmax, ymax].every(Number.isFinite)) {
    const came = corners ? [...corners.children].map((one) => one.textContent.trim()).join(", ") : "none";
    throw new SelfsightError(
      `${where}: expected <bndbox> with the numbers xmin, ymin, xmax and ymax, came ${came}. Fix or delete it.`,
    );
  }
  const flat = xmax <= xmin || ymax <= ymin;
  const label = named(object, "name")[0]?.textContent.trim() ?? "";
  const [left, top] = [xmin - 1, ymin - 1];
  return { left, top, width: flat ? 0 : xmax - left, height: flat ? 0 : ymax - top, label };
}

/** The children of that name. */
const named = (parent: XmlElement, name: string): XmlElement[] =>
  [...parent.children].filter(({ localName }) => localName === name);

/** NaN if there is no such child or it holds no number. */
function numberOf(parent: XmlElement, name: string): number {
  const text = named(parent, name)[0]?.textContent.trim();
  return text ? Number(text) : Number.NaN;
}
