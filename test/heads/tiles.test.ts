import { expect, test } from "vitest";
import { mosaic, puzzlePanels } from "../../src/heads/tiles.ts";
import { full, stack, zeros } from "../../src/torch/ops.ts";
import { scope } from "../../src/torch/scope.ts";
import type { Tensor } from "../../src/torch/tensor.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const SIDE = 4;
/** Tile i is filled with i + 1. */
const tiles = () => stack(Array.from({ length: 9 }, (_, i) => full([3, SIDE, SIDE], i + 1)));
const places = Array.from({ length: 9 }, (_, i): [number, number] => [5 * Math.floor(i / 3), 5 * (i % 3)]);
/** The tile in the middle of each cell of a mosaic. */
const read = (image: Tensor) =>
  places.map(
    ([y, x]) =>
      image
        .select(0, 1)
        .select(0, y + 2)
        .select(0, x + 2)
        .item() - 1,
  );
const panelsOf = (shown: number[], guessed: number[]) =>
  puzzlePanels(zeros([3, 20, 20]), { tiles: tiles(), places }, Uint8Array.from(shown), Uint8Array.from(guessed));

const order = [4, 0, 8, 1, 2, 3, 7, 6, 5];

test("a puzzle is shown in its order, and a right guess puts it together", () => {
  scope(() => {
    const [whole, puzzle, solved] = panelsOf(order, order);
    expect(whole.outlines).toHaveLength(9);
    expect(read(puzzle.image)).toEqual(order);
    expect(read(solved.image)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(solved.caption).toBe("guess: 9 of 9");
    expect(solved.outlines.every(({ good }) => good)).toBe(true);
  });
});

test("a wrong guess puts each tile where the network believes it to belong", () => {
  scope(() => {
    // The network takes the first tile shown for tile 0 and the second for tile 4.
    const [, , solved] = panelsOf(order, [0, 4, ...order.slice(2)]);
    expect(read(solved.image)).toEqual([4, 1, 2, 3, 0, 5, 6, 7, 8]);
    expect(solved.caption).toBe("guess: 7 of 9");
    expect(solved.outlines.flatMap(({ good }, i) => (good ? [] : [i]))).toEqual([0, 4]);
  });
});

test("tiles stand row by row with gaps between them", () => {
  scope(() => {
    const { image, places: at } = mosaic(
      Array.from({ length: 4 }, (_, i) => full([3, SIDE, SIDE], i + 1)),
      2,
    );
    expect(image.shape).toEqual([3, 9, 9]);
    expect(at).toEqual([
      [0, 0],
      [0, 5],
      [5, 0],
      [5, 5],
    ]);
    expect(image.select(0, 0).select(0, 4).abs().sum().item()).toBe(0);
  });
});
