/** Which pixels and colours of the tiles the encoder sees. */
import { expect, test } from "vitest";
import { toUnit } from "../../src/augment/normalise.ts";
import { jigsaw } from "../../src/tasks/jigsaw.ts";
import { arange, rand } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { shownBy } from "../batch.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const [SIZE, CELL] = [48, 16];
const few = { permutations: 2 }; // fast to choose
const asCut = { ...few, normalise: false, grey: 0 };

/** Images whose pixels encode their place, column + SIZE · row, in each channel. */
const places = (count: number) =>
  arange(SIZE * SIZE, { dtype: "f32" })
    .reshape(1, 1, SIZE, SIZE)
    .expand(count, 3, SIZE, SIZE)
    .contiguous();

/** Where in the image [row, column] each channel of each tile (N, 3, s, s) was cut. Fails if one was not cut from it. */
function corners(shown: Tensor): [number, number][][] {
  const side = shown.size(2);
  const piece = places(1).select(0, 0).select(0, 0).narrow(0, 0, side).narrow(1, 0, side);
  const starts = shown.narrow(2, 0, 1).narrow(3, 0, 1);
  expect(shown.sub(starts).sub(piece).abs().amax([0, 1, 2, 3]).item()).toBe(0);
  const flat = starts.flatten().toArray();
  return Array.from({ length: shown.size(0) }, (_, i) =>
    flat.slice(3 * i, 3 * i + 3).map((at): [number, number] => [Math.floor(at / SIZE), at % SIZE]),
  );
}

test.each([0, 2])("channelShift=%i: tiles are cut from their cells, channels are shifted by at most that", (most) => {
  scope(() => {
    const shown = shownBy(jigsaw, { ...asCut, channelShift: most }, places(12));
    const tiles = corners(shown);
    expect(tiles).toHaveLength(12 * 9);
    for (const axis of [0, 1] as const) {
      // Offsets of red, green and blue from the start of the cell.
      const starts = tiles.map((channels, i) => {
        const cell = axis === 0 ? Math.floor((i % 9) / 3) : i % 3;
        return channels.map((corner) => corner[axis] - cell * CELL);
      });
      expect(Math.min(...starts.flat())).toBe(0);
      expect(Math.max(...starts.flat())).toBe(CELL - shown.size(2));
      const shifts = starts.flatMap(([red = Number.NaN, ...others]) => others.map((start) => start - red));
      expect([...new Set(shifts)].sort((a, b) => a - b)).toEqual(most ? [-2, -1, 0, 1, 2] : [0]);
    }
  });
});

test("tiles have mean 0 and standard deviation 1, unless normalise=false", () => {
  scope(() => {
    const images = rand([2, 3, SIZE, SIZE]).add(1);
    const normal = shownBy(jigsaw, few, images);
    expect(normal.mean([2, 3]).abs().amax([0, 1]).item()).toBeLessThan(1e-4);
    expect(normal.std([2, 3], { correction: 0 }).sub(1).abs().amax([0, 1]).item()).toBeLessThan(1e-3);
    expect(shownBy(jigsaw, asCut, images).mean().item()).toBeCloseTo(1.5, 1);
  });
});

test("colours: all by default, no green-magenta with project=1, none with grey=1", () => {
  scope(() => {
    const images = rand([3, 3, SIZE, SIZE]);
    /** The largest difference between green and the mean of red and blue, and between red and blue. */
    const axes = (options: object): [magenta: number, red: number] => {
      const rgb = toUnit(shownBy(jigsaw, { ...asCut, ...options }, images));
      const [r, g, b] = [rgb.select(1, 0), rgb.select(1, 1), rgb.select(1, 2)];
      const most = (x: Tensor) => x.abs().amax([0, 1, 2]).item();
      return [most(r.add(b).div(2).sub(g)), most(r.sub(b))];
    };
    expect(Math.min(...axes({}))).toBeGreaterThan(0.1);
    const [magenta, red] = axes({ project: 1 });
    expect(magenta).toBeLessThan(1e-5);
    expect(red).toBeGreaterThan(0.1);
    expect(Math.max(...axes({ grey: 1 }))).toBeLessThan(1e-5);
  });
});
