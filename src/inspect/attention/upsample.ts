/** Maps at the size of the image that they are of. */
import type { Places } from "../../models/places.ts";
import { integers, tensor } from "../../torch/ops.ts";
import { scope } from "../../torch/scope.ts";
import type { Tensor } from "../../torch/tensor.ts";

/**
 * Maps (B, h, w) of square images to (B, size, size): bilinear between the middles of their places, and as the outermost beyond these.
 * @param places where they lie on the image
 * @param side of the image that the encoder saw, in pixels
 * @param size the side wanted: the same image at another resolution
 */
export function upsample(maps: Tensor, places: Places, side: number, size = side): Tensor {
  return scope(() => between(between(maps, 1, places, side, size), 2, places, side, size));
}

function between(maps: Tensor, axis: 1 | 2, { start, stride }: Places, side: number, size: number): Tensor {
  const last = maps.size(axis) - 1;
  const at = Array.from({ length: size }, (_, i) => {
    const pixel = ((i + 0.5) * side) / size - 0.5;
    return Math.max(0, Math.min(last, (pixel - start) / stride));
  });
  const before = at.map(Math.floor);
  const after = before.map((place) => Math.min(last, place + 1));
  const { device } = maps;
  const part = tensor(
    at.map((place, i) => place - (before[i] as number)),
    { device },
  );
  const take = (list: readonly number[]) => maps.indexSelect(axis, integers(list, device));
  const low = take(before);
  return low.add(
    take(after)
      .sub(low)
      .mul(axis === 1 ? part.unsqueeze(1) : part),
  ); // so that an even map stays even
}
