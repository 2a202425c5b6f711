/** Where the objects in an image are: boxes and masks, for measuring what attends to objects, for detection and segmentation. */

/** In pixels of the upright image, from its upper left corner; left + width is the first column outside. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
  /** Name of the class. */
  label: string;
}

/** What is known about the objects in one image. */
export interface Objects {
  /** Of the upright image, in pixels. */
  width: number;
  height: number;
  /** Inside the image, each with an area. */
  boxes: Box[];
  /** height × width bytes, row by row: 0 is background, any other value a kind of object. */
  mask?: Uint8Array;
  /** How many boxes reached beyond the image, and were clipped. */
  clipped: number;
  /** How many boxes had no area inside the image, and were left out. */
  dropped: number;
}

/** Objects whose boxes are {@link clipBox clipped} to the image. */
export function objectsIn(size: { width: number; height: number }, boxes: readonly Box[], mask?: Uint8Array): Objects {
  const inside = boxes.flatMap((box) => clipBox(box, size) ?? []);
  return {
    ...size,
    boxes: inside,
    ...(mask && { mask }),
    clipped: boxes.filter((box) => reachesBeyond(box, size) && clipBox(box, size)).length,
    dropped: boxes.length - inside.length,
  };
}

/** The part of a box inside an image of this size; undefined if it has no area. */
export function clipBox(box: Box, size: { width: number; height: number }): Box | undefined {
  const [left, top] = [Math.max(0, box.left), Math.max(0, box.top)];
  const width = Math.min(size.width, box.left + box.width) - left;
  const height = Math.min(size.height, box.top + box.height) - top;
  const flat = box.width <= 0 || box.height <= 0 || width <= 0 || height <= 0;
  return flat ? undefined : { left, top, width, height, label: box.label };
}

/** Beyond the image by more than a pixel: some tools number pixels from 0, others from 1. */
function reachesBeyond({ left, top, width, height }: Box, size: { width: number; height: number }): boolean {
  return left < -1 || top < -1 || left + width > size.width + 1 || top + height > size.height + 1;
}
