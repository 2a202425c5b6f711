import { describe, expect, it } from "vitest";
import { type Box, objectsIn } from "../../../src/data/objects.ts";
import { type SquareObjects, squareObjects } from "../../../src/data/square-objects.ts";
import { largestPart } from "../../../src/inspect/attention/connected.ts";
import { type Localisation, localise, overlap, withoutMap } from "../../../src/inspect/attention/localisation.ts";
import { effectiveArea } from "../../../src/inspect/attention/spread.ts";
import { evenPlaces } from "../../../src/models/places.ts";
import { fromTypedArray, full, tensor } from "../../../src/torch/ops.ts";
import { scope } from "../../../src/torch/scope.ts";
import { box } from "../../box.ts";
import { expectNoLeak } from "../../live.ts";

expectNoLeak();

const SIZE = 32;
const of = (...boxes: Box[]) => squareObjects(objectsIn({ width: SIZE, height: SIZE }, boxes), SIZE) as SquareObjects;
/** Of a map of 4 × 4 places, of 8 × 8 pixels each. */
const one = (map: readonly (readonly number[])[], objects: SquareObjects) =>
  scope(() => localise(tensor([map]), [objects], SIZE, evenPlaces(4, SIZE))[0] as Localisation);
/** A map with a value at (row, column), 0 elsewhere. */
const at = (...points: readonly (readonly [row: number, column: number, value: number])[]) =>
  Array.from({ length: 4 }, (_, row) =>
    Array.from({ length: 4 }, (_, column) => points.find(([y, x]) => y === row && x === column)?.[2] ?? 0),
  );

describe("localisation", () => {
  it("hits where the middle of the highest place is on an object", () => {
    const object = of(box(8, 0, 8, 8), box(24, 24, 8, 8));
    expect(one(at([0, 1, 0.6], [2, 2, 0.4]), object).pointing).toBe(1);
    expect(one(at([0, 1, 0.4], [2, 2, 0.6]), object).pointing).toBe(0);
    expect(one(at([3, 3, 1]), object).pointing).toBe(1); // any object counts
    expect(one(at([1, 0, 1]), object).pointing).toBe(0); // not its mirror image
    expect(one(at([0, 1, 0.5], [2, 2, 0.5]), object).pointing).toBe(0.5);
    // The middle of the place decides, not that the object touches it.
    expect(
      [box(12, 0, 4, 8), box(8, 0, 4, 8), box(8, 4, 8, 4), box(8, 0, 8, 4)].map(
        (part) => one(at([0, 1, 1]), of(part)).pointing,
      ),
    ).toEqual([1, 0, 1, 0]);
  });

  it("counts the mass on the objects: all, none, and the area's part of a uniform map", () => {
    const uniform = Array.from({ length: 4 }, () => [1, 1, 1, 1]);
    for (const object of [of(box(0, 0, 16, 32)), of(box(3, 5, 7, 9), box(5, 6, 20, 20))])
      expect(one(uniform, object).mass).toBeCloseTo(withoutMap(object, SIZE).area, 5);
    expect(one(at([1, 1, 1]), of(box(0, 0, 32, 32))).mass).toBeCloseTo(1, 5);
    expect(one(at([3, 3, 1]), of(box(0, 0, 8, 8))).mass).toBe(0);
    expect(one(at([1, 1, 1]), of(box(0, 0, 12, 32))).mass).toBeCloseTo(0.5, 5); // up to the middle of the place
  });

  it("finds an object by the box around the largest part of the map", () => {
    const found = one(at([1, 1, 1], [1, 2, 1], [2, 1, 1], [2, 2, 1]), of(box(8, 8, 16, 16)));
    expect(found.corloc).toBe(1);
    expect(one(at([1, 1, 1], [1, 2, 1], [2, 1, 1], [2, 2, 1]), of(box(16, 16, 16, 16))).corloc).toBe(0);
    // A second, smaller part elsewhere does not widen the box, also if it is higher.
    expect(one(at([0, 0, 1], [1, 0, 1], [2, 0, 1], [3, 0, 1], [0, 3, 2]), of(box(0, 0, 10, 32))).corloc).toBe(1);
    // What every place has in common is no object.
    const raised = at([1, 1, 1], [1, 2, 1], [2, 1, 1], [2, 2, 1]).map((row) => row.map((value) => value + 3));
    expect(one(raised, of(box(8, 8, 16, 16))).corloc).toBe(1);
  });

  it("has no CorLoc without boxes, and no numbers without objects", () => {
    const mask = Uint8Array.from({ length: SIZE * SIZE }, (_, i) => Number(i % SIZE < 8));
    const masked = squareObjects(objectsIn({ width: SIZE, height: SIZE }, [], mask), SIZE) as SquareObjects;
    const found = one(at([0, 0, 1]), masked);
    expect([found.pointing, found.corloc]).toEqual([1, Number.NaN]);
    const even = evenPlaces(4, SIZE);
    expect(scope(() => localise(full([2, 4, 4], 1 / 16), [undefined, masked], SIZE, even))[0]).toBeUndefined();
  });

  it("goes by where the places lie: those of a strided network begin and end at the border", () => {
    const corners = { start: 0, stride: 16 }; // 3 × 3 places on 33 pixels: 0, 16 and 32
    const mask = Uint8Array.from({ length: 33 * 33 }, (_, i) => Number(i % 33 >= 14 && i % 33 < 19)); // around column 16
    const object = squareObjects(objectsIn({ width: 33, height: 33 }, [], mask), 33) as SquareObjects;
    const last = squareObjects(objectsIn({ width: 33, height: 33 }, [box(32, 32, 1, 1)]), 33) as SquareObjects;
    const on = (row: number, column: number) =>
      [0, 1, 2].map((y) => [0, 1, 2].map((x) => Number(y === row && x === column)));
    const of = (map: number[][], objects: SquareObjects, where = corners) =>
      scope(() => localise(tensor([map]), [objects], 33, where)[0] as Localisation);
    expect(of(on(0, 1), object).pointing).toBe(1);
    expect(of(on(2, 2), last).pointing).toBe(1);
    expect(of(on(1, 1), object).mass).toBeCloseTo((1 + 2 * (15 / 16 + 14 / 16)) / 16, 5); // of a tent of 16 pixels to each side
    expect(of(on(2, 2), last, evenPlaces(3, 33)).pointing).toBe(0);
  });

  it("is compared with the area, the middle and the whole image", () => {
    expect(withoutMap(of(box(0, 0, 32, 16)), SIZE)).toEqual({ area: 0.5, centre: 0, whole: 1 });
    expect(withoutMap(of(box(8, 8, 16, 16)), SIZE)).toEqual({ area: 0.25, centre: 1, whole: 0 });
  });
});

it("overlap is intersection over union", () => {
  expect(overlap(box(0, 0, 4, 4), box(0, 0, 4, 4))).toBe(1);
  expect(overlap(box(0, 0, 4, 4), box(2, 0, 4, 4))).toBeCloseTo(1 / 3, 12);
  expect(overlap(box(0, 0, 4, 4), box(4, 0, 4, 4))).toBe(0);
  expect(overlap(box(0, 0, 4, 4), box(6, 6, 4, 4))).toBe(0);
});

describe("the largest connected part", () => {
  const boxOf = (...rows: string[]) => {
    const width = rows[0]?.length ?? 0;
    return largestPart((i) => rows[Math.floor(i / width)]?.[i % width] === "#", width, rows.length);
  };

  it("joins pixels that touch at a side or a corner", () => {
    expect(boxOf("##..#", "#...#", "....#", "....#")).toEqual({ left: 4, top: 0, width: 1, height: 4 });
    expect(boxOf("#....", ".#...", "..#..", "....#")).toEqual({ left: 0, top: 0, width: 3, height: 3 });
    expect(boxOf("####", "#..#", "####")).toEqual({ left: 0, top: 0, width: 4, height: 3 });
    expect(boxOf("...#", "#...")).toEqual({ left: 3, top: 0, width: 1, height: 1 }); // rows do not wrap
  });

  it("is the first of several as large, and nothing in nothing", () => {
    expect(boxOf("#.#")).toEqual({ left: 0, top: 0, width: 1, height: 1 });
    expect(boxOf("...")).toEqual({ left: 0, top: 0, width: 0, height: 0 });
  });
});

describe("effective area", () => {
  it("is 1 for a uniform map, and one place of all for a single point", () => {
    scope(() => {
      expect(effectiveArea(full([2, 3, 4], 1 / 12)).toArray()).toEqual([expect.closeTo(1, 5), expect.closeTo(1, 5)]);
      expect(effectiveArea(tensor([at([2, 1, 1])])).item()).toBeCloseTo(1 / 16, 6);
      expect(effectiveArea(tensor([at([2, 1, 0.5], [0, 0, 0.5])])).item()).toBeCloseTo(2 / 16, 6);
    });
  });

  it("is exp(entropy) over the number of places, as NumPy computes it", () => {
    // k = arange(30); p = ((k * 37) % 101 + 1).reshape(2, 15); p /= p.sum(1, keepdims=True); exp(-(p * log(p)).sum(1)) / 15
    const values = Float32Array.from({ length: 30 }, (_, k) => ((k * 37) % 101) + 1);
    const areas = scope(() => {
      const maps = fromTypedArray(values, [2, 3, 5]);
      return effectiveArea(maps.div(maps.sum([1, 2], true))).toArray();
    });
    expect(areas[0]).toBeCloseTo(0.7683972014707148, 5);
    expect(areas[1]).toBeCloseTo(0.8650954147414639, 5);
  });
});
