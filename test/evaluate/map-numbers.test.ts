import { describe, expect, it } from "vitest";
import { mapDifferences, mapNumbers } from "../../src/evaluate/map-numbers.ts";
import { meanInterval } from "../../src/evaluate/statistics.ts";
import type { LayerMeasures } from "../../src/inspect/attention/measure-maps.ts";
import { randomAt, uniform } from "../../src/random.ts";

const IMAGES = 500;

/** Masses of an encoder: hard images are hard for all. */
function masses(label: string, centre: number, { layer = "layer4", seed = 1, images = IMAGES } = {}): LayerMeasures {
  const [image, own] = [randomAt(7), randomAt(seed)];
  const mass = Float64Array.from(
    { length: images },
    () => centre + uniform(image, -0.3, 0.3) + uniform(own, -0.05, 0.05),
  );
  return { label, layer, places: 16, values: { mass } };
}

const rotation = masses("rotation", 0.6);
const supervised = masses("supervised", 0.5, { seed: 2 });
const untrained = masses("untrained", 0.34, { seed: 3 });
const all = [rotation, supervised, untrained];
const width = ({ low, high }: { low: number; high: number }) => high - low;

describe("numbers of maps", () => {
  it("are means over the images that have them, with intervals around them", () => {
    const gaps = { ...rotation, values: { mass: Float64Array.from(rotation.values.mass ?? []) } };
    gaps.values.mass.fill(Number.NaN, 0, 100);
    const [whole, part] = mapNumbers([rotation, { ...gaps, label: "gaps" }]);
    expect([whole?.n, part?.n]).toEqual([500, 400]);
    expect(part?.value).toBeCloseTo(
      (rotation.values.mass ?? new Float64Array()).slice(100).reduce((a, b) => a + b) / 400,
      10,
    );
    for (const { value, low, high } of [whole, part] as { value: number; low: number; high: number }[])
      expect(low < value && value < high).toBe(true);
    const plain = meanInterval([rotation.values.mass ?? []]);
    expect(width(whole ?? plain)).toBeCloseTo(width(plain), 3);
  });

  it("are left out where fewer than two images have them", () => {
    const values = { mass: Float64Array.of(Number.NaN, 0.5), spread: Float64Array.of(0.2, 0.4) };
    const numbers = mapNumbers([{ ...rotation, values }]);
    expect(numbers.map(({ measure }) => measure)).toEqual(["spread"]);
    expect(
      mapDifferences([
        { ...rotation, values },
        { ...supervised, values },
      ]).map(({ measure }) => measure),
    ).toEqual(["spread"]);
  });

  it("count images of a group as one piece of evidence, in intervals and in p-values", () => {
    const copies = 4;
    const often = (column: Float64Array) =>
      Float64Array.from({ length: copies * column.length }, (_, i) => column[Math.floor(i / copies)] as number);
    const groups = Int32Array.from({ length: copies * 40 }, (_, i) => Math.floor(i / copies));
    const alone = [masses("rotation", 0.52, { images: 40 }), masses("supervised", 0.5, { seed: 2, images: 40 })];
    const copied = alone.map((one) => ({ ...one, values: { mass: often(one.values.mass ?? new Float64Array()) } }));
    for (const [i, number] of mapNumbers(copied, groups).entries()) {
      const expected = mapNumbers(alone)[i] as typeof number;
      expect(width(number)).toBeCloseTo(width(expected), 6);
      expect([number.n, number.value]).toEqual([copies * expected.n, expect.closeTo(expected.value, 8)]);
    }
    const [difference] = mapDifferences(copied, { groups });
    expect(difference?.p).toBeCloseTo(mapDifferences(alone)[0]?.p ?? Number.NaN, 8);
    expect(difference?.p).toBeGreaterThan(mapDifferences(copied)[0]?.p ?? 1);
    expect(mapNumbers(copied, new Int32Array(copies * 40))).toEqual([]); // one group says nothing about others
  });

  it("have intervals that hold the truth 95 times in 100", () => {
    let held = 0;
    for (let seed = 0; seed < 300; seed++) {
      const random = randomAt(11, seed);
      const spread = Float64Array.from({ length: 60 }, () => uniform(random, 0, 1) ** 2);
      const [number] = mapNumbers([{ ...rotation, values: { spread } }]);
      if (number && number.low <= 1 / 3 && 1 / 3 <= number.high) held++;
    }
    expect(held / 300).toBeGreaterThan(0.915);
    expect(held / 300).toBeLessThan(0.985);
  });
});

describe("differences between encoders", () => {
  it("are paired: what is hard for both does not widen them", () => {
    const [difference, ...more] = mapDifferences(all);
    expect([difference?.encoder, difference?.baseline, more.length]).toEqual(["rotation", "supervised", 2]);
    expect(difference?.value).toBeCloseTo(0.1, 2);
    const [number] = mapNumbers([rotation]);
    expect(width(difference ?? { low: 0, high: 9 })).toBeLessThan(0.4 * width(number ?? { low: 0, high: 0 }));
    expect(difference?.low).toBeGreaterThan(0.08);
    expect(difference?.p).toBeLessThan(0.001);
  });

  it("leave out the images that one of the two lacks", () => {
    const mass = Float64Array.from(supervised.values.mass ?? [], (value, i) => (i < 50 ? Number.NaN : value));
    const [difference] = mapDifferences([rotation, { ...supervised, values: { mass } }]);
    const both = Array.from(rotation.values.mass ?? [])
      .map((value, i) => value - (mass[i] as number))
      .slice(50);
    expect(difference?.n).toBe(450);
    expect(difference?.value).toBeCloseTo(both.reduce((sum, value) => sum + value, 0) / 450, 10);
  });

  it("compare layers of the same name, or else the last ones; only those asked for", () => {
    const deeper = [
      masses("a", 0.5, { layer: "layer1" }),
      masses("a", 0.5),
      masses("b", 0.5, { layer: "layer1" }),
      masses("b", 0.5),
    ];
    const pairs = (list: ReturnType<typeof mapDifferences>) =>
      list.map(({ layer, baselineLayer }) => [layer, baselineLayer]);
    expect(pairs(mapDifferences(deeper))).toEqual([
      ["layer1", "layer1"],
      ["layer4", "layer4"],
    ]);
    expect(mapDifferences(deeper, { measures: ["spread"] })).toEqual([]);
    const other = [...deeper.slice(0, 2), masses("vit", 0.5, { layer: "block12" })];
    expect(pairs(mapDifferences(other))).toEqual([["layer4", "block12"]]);
  });

  it("allow for the number of comparisons", () => {
    const few = masses("few", 0.5, { images: 40 });
    const slightly = masses("slightly", 0.512, { images: 40, seed: 5 });
    const [alone] = mapDifferences([slightly, few]);
    const many = Array.from({ length: 30 }, (_, i) => [
      masses("slightly", 0.512, { layer: `${i}`, images: 40, seed: 5 }),
      masses("few", 0.5, { layer: `${i}`, images: 40 }),
    ]);
    const together = mapDifferences(many.flat());
    expect(together[0]?.comparisons).toBe(30);
    expect(together[0]?.p).toBeGreaterThan(2 * (alone?.p ?? 1));
  });
});
