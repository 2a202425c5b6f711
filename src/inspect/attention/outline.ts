/** The part of a map that holds most of its mass, and a line around it. */

/** DINO's pictures outline 60 % (Caron et al. 2021, figure 3). */
export const MASS = 0.6;

/**
 * The smallest set of places that holds this share of a map's mass: 1 where a place is in it. As in DINO's `visualize_attention.py`:
 * in ascending order, places from where the sum exceeds 1 - mass.
 * @param map values of at least 0, in any order and of any sum above 0
 */
export function massMask(map: ArrayLike<number>, mass = MASS): Uint8Array {
  const order = Array.from(map, (_, i) => i).sort((a, b) => (map[a] as number) - (map[b] as number) || a - b);
  const total = order.reduce((sum, i) => sum + (map[i] as number), 0);
  const mask = new Uint8Array(map.length);
  let sum = 0;
  for (const i of order) {
    sum += map[i] as number;
    if (sum > (1 - mass) * total) mask[i] = 1;
  }
  return mask;
}

/** The places of a square mask (size × size) that have a neighbour outside of it, above, below or beside: a line along its inside. */
export function outlineOf(mask: Uint8Array, size: number): Uint8Array {
  const isOut = (x: number, y: number) => x >= 0 && y >= 0 && x < size && y < size && mask[y * size + x] === 0;
  return mask.map((inside, i) => {
    const [x, y] = [i % size, Math.floor(i / size)];
    return inside && (isOut(x - 1, y) || isOut(x + 1, y) || isOut(x, y - 1) || isOut(x, y + 1)) ? 1 : 0;
  });
}
