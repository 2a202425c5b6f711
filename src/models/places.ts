/** Where on the image the places of a feature map lie. */

/** Along each side of the image, the i-th place is in the middle of pixel `start + i · stride`, all counted from 0. */
export interface Places {
  readonly start: number;
  readonly stride: number;
}

/** Those of the image itself. */
export const PIXELS: Places = { start: 0, stride: 1 };

/** Those of a convolution or pooling over a map with `below`. */
export function slide({ start, stride }: Places, kernel: number, step: number, padding = 0): Places {
  return { start: start + stride * ((kernel - 1) / 2 - padding), stride: stride * step };
}

/** So many places, spread evenly over `side` pixels. */
export function evenPlaces(count: number, side: number): Places {
  const stride = side / count;
  return { start: (stride - 1) / 2, stride };
}

/** Those of a layer's map: as its network says, else spread evenly. */
export const placesOf = (known: Placed["places"], layer: string, count: number, side: number): Places =>
  known[layer] ?? evenPlaces(count, side);

/** An encoder, as far as its maps lie anywhere. */
interface Placed {
  readonly places: Readonly<Record<string, Places>>;
  readonly minImageSize: number;
}

/**
 * The side nearest to `side`, in pixels, at which every map's places lie the same from both ends: a turned image's places are the
 * image's, turned. A ResNet trained at 64 pixels has that at 65, where its strided convolutions begin and end at the border.
 */
export function symmetricSide({ places, minImageSize }: Placed, side: number): number {
  const isSymmetric = (one: number) =>
    Object.values(places).every(({ start, stride }) => (one - 1 - 2 * start) % stride === 0);
  for (let apart = 0; apart <= side; apart++)
    for (const one of [side + apart, side - apart]) if (one >= minImageSize && isSymmetric(one)) return one;
  return side;
}
