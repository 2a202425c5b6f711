/** Previews for tasks that cut an image into tiles. */
import { zeros } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";

/** A top left corner, in pixels. */
export type Place = readonly [y: number, x: number];

/** A picture (3, H, W) with tiles (3, s, s) laid on it. */
export function pasted(background: Tensor, tiles: readonly Tensor[], places: readonly Place[]): Tensor {
  const picture = background.clone();
  for (const [i, tile] of tiles.entries()) {
    const [y, x] = places[i] as Place;
    picture.narrow(1, y, tile.size(1)).narrow(2, x, tile.size(2)).copy_(tile);
  }
  return picture;
}

/** Tiles (3, s, s) row by row, `columns` in each, with gaps between them. */
export function mosaic(tiles: readonly Tensor[], columns: number): { image: Tensor; places: Place[] } {
  const side = tiles[0]?.size(1) ?? 0;
  const [gap, rows] = [Math.max(1, Math.round(side / 16)), Math.ceil(tiles.length / columns)];
  const places = tiles.map((_, i): Place => [Math.floor(i / columns) * (side + gap), (i % columns) * (side + gap)]);
  const extent = (count: number) => count * (side + gap) - gap;
  const plain = zeros([3, extent(rows), extent(columns)], tiles[0] && { device: tiles[0].device });
  return { image: pasted(plain, tiles, places), places };
}

/** The outline of a tile. @param good whether it is where it belongs */
export function outline([y, x]: Place, side: number, good?: boolean) {
  return { x, y, width: side, height: side, ...(good !== undefined && { good }) };
}

/**
 * A puzzle as pictures: the whole image with its tiles outlined, the tiles as they were shown, and put together as guessed.
 * @param tiles (n², 3, s, s) in their right order, and where they were cut
 * @param shown the tile that was shown in each place
 * @param guessed the tiles that the network believes to have seen there
 */
export function puzzlePanels(
  whole: Tensor,
  { tiles, places }: { tiles: Tensor; places: readonly Place[] },
  shown: Uint8Array,
  guessed: Uint8Array,
) {
  const side = tiles.size(2);
  const picture = (order: Uint8Array) =>
    mosaic(
      Array.from(order, (tile) => tiles.select(0, tile)),
      Math.sqrt(order.length),
    );
  const put = shown.map((_, cell) => shown[guessed.indexOf(cell)] as number);
  const right = put.filter((tile, cell) => tile === cell).length;
  const solved = picture(put);
  return [
    { image: whole, caption: "cut into tiles", outlines: places.map((place) => outline(place, side)) },
    { image: picture(shown).image, caption: "as shown" },
    {
      image: solved.image,
      caption: `guess: ${right} of ${put.length}`,
      outlines: solved.places.map((place, cell) => outline(place, side, put[cell] === cell)),
    },
  ] as const;
}
