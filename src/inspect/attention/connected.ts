/** Connected parts of a picture of true and false. */

/**
 * The box around the largest part whose pixels touch, at corners too. Of several as large, the first from the top left.
 * @param holds whether a pixel belongs to a part, by its index in rows
 */
export function largestPart(
  holds: (i: number) => boolean,
  width: number,
  height: number,
): { left: number; top: number; width: number; height: number } {
  const open = new Uint8Array(width * height);
  for (let i = 0; i < open.length; i++) open[i] = Number(holds(i));
  const stack = new Int32Array(width * height);
  let best = { left: 0, top: 0, width: 0, height: 0 };
  let most = 0;
  for (let start = 0; start < open.length; start++) {
    if (!open[start]) continue;
    let [waiting, count] = [1, 0];
    let [west, north, east, south] = [width, height, -1, -1];
    stack[0] = start;
    open[start] = 0;
    while (waiting) {
      const at = stack[--waiting] as number;
      const [x, y] = [at % width, Math.floor(at / width)];
      count++;
      if (x < west) west = x;
      if (x > east) east = x;
      if (y < north) north = y;
      if (y > south) south = y;
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++)
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const next = ny * width + nx;
          if (!open[next]) continue;
          open[next] = 0;
          stack[waiting++] = next;
        }
    }
    if (count > most) {
      most = count;
      best = { left: west, top: north, width: east - west + 1, height: south - north + 1 };
    }
  }
  return best;
}
