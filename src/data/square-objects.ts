/** Objects in the square that an image is decoded to: what a network sees of them. */
import { middle } from "./decode.ts";
import { type Box, clipBox, type Objects } from "./objects.ts";

/** Objects as they lie in the square that the image is decoded to. */
export interface SquareObjects {
  /** In the square's pixels. None where only one value of the mask counts: boxes do not say which theirs is. */
  boxes: Box[];
  /** size × size bytes: 1 where the pixel's centre lies on an object. */
  inside: Uint8Array;
}

/**
 * Objects after what `decodeImage` does to their image: the short side resized to `size`, the middle cut out.
 * @param maskClass only this value of the mask is an object; default: all but 0
 * @returns undefined if no object is in the square
 */
export function squareObjects(objects: Objects, size: number, maskClass?: number): SquareObjects | undefined {
  const { width, height, mask } = objects;
  const short = Math.min(width, height);
  const [wide, high] = [Math.round((width * size) / short), Math.round((height * size) / short)];
  const [fromLeft, fromTop] = [middle(wide - size), middle(high - size)];
  const square = { width: size, height: size };
  const boxes = objects.boxes.flatMap(({ left, top, label, ...box }) => {
    const resized = {
      left: (left * wide) / width - fromLeft,
      top: (top * high) / height - fromTop,
      width: (box.width * wide) / width,
      height: (box.height * high) / height,
      label,
    };
    return clipBox(resized, square) ?? [];
  });
  const inside = new Uint8Array(size * size);
  if (mask) {
    for (let y = 0; y < size; y++) {
      const row = Math.floor(((y + fromTop + 0.5) * height) / high) * width;
      for (let x = 0; x < size; x++) {
        const value = mask[row + Math.floor(((x + fromLeft + 0.5) * width) / wide)] as number;
        inside[y * size + x] = Number(maskClass === undefined ? value !== 0 : value === maskClass);
      }
    }
  } else for (const box of boxes) fill(inside, box, size);
  return inside.includes(1) ? { boxes: maskClass === undefined ? boxes : [], inside } : undefined;
}

/** Sets the pixels whose centres are in the box. */
function fill(inside: Uint8Array, { left, top, width, height }: Box, size: number): void {
  const first = (start: number) => Math.max(0, Math.ceil(start - 0.5));
  const end = (stop: number) => Math.min(size, Math.ceil(stop - 0.5));
  for (let y = first(top); y < end(top + height); y++)
    inside.fill(1, y * size + first(left), y * size + Math.max(first(left), end(left + width)));
}
