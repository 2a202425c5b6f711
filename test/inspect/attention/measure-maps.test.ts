import { describe, expect, it } from "vitest";
import type { ImageSet } from "../../../src/data/images.ts";
import { type Box, objectsIn } from "../../../src/data/objects.ts";
import { InterruptedError, UsageError } from "../../../src/errors.ts";
import { mapNumbers } from "../../../src/evaluate/map-numbers.ts";
import { type MapSource, measureMaps } from "../../../src/inspect/attention/measure-maps.ts";
import { avgPool2d, full } from "../../../src/torch/ops.ts";
import type { Tensor } from "../../../src/torch/tensor.ts";
import { expectNoLeak } from "../../live.ts";

expectNoLeak();

const SIZE = 16;

/** Black pictures with one white square of 6 pixels; the last has no object in its list. */
function squares(length: number, boxesOf?: (i: number, own: Box) => Box[]): ImageSet {
  const own = (i: number): Box => ({ left: (3 * i) % 10, top: (7 * i) % 10, width: 6, height: 6, label: "square" });
  return {
    name: "squares",
    length,
    label: () => -1,
    id: (i) => `square ${i}`,
    group: (i) => i,
    fingerprint: `squares ${length}`,
    read: async (i) => {
      const pixels = new Uint8Array(3 * SIZE * SIZE);
      const { left, top, width, height } = own(i);
      for (let y = top; y < top + height; y++) pixels.fill(255, 3 * (y * SIZE + left), 3 * (y * SIZE + left + width));
      return { pixels, width: SIZE, height: SIZE };
    },
    ...(boxesOf && {
      objects: async (i) => objectsIn({ width: SIZE, height: SIZE }, i === length - 1 ? [] : boxesOf(i, own(i))),
    }),
  };
}

const share = (values: Tensor) => values.div(values.sum([1, 2], true));
/** Black is negative once normalised: what is left is the white square. */
const bright = (images: Tensor) => images.mean(1).clamp(0);
const eye: MapSource = {
  label: "eye",
  imageSize: SIZE,
  maps: (images) => ({
    early: share(bright(images)),
    late: share(avgPool2d(bright(images).unsqueeze(1), 4, 4).squeeze(1)),
  }),
};
const blind: MapSource = {
  label: "blind",
  imageSize: 2 * SIZE,
  maps: (images) => ({ late: full([images.size(0), 4, 4], 1 / 16) }),
};
const mean = (values: Float64Array | undefined) => {
  const known = Array.from(values ?? []).filter((value) => !Number.isNaN(value));
  return known.reduce((sum, value) => sum + value, 0) / known.length;
};

describe("measuring maps", () => {
  it("gives every encoder and layer a number for each image, in batches of any size", async () => {
    const set = squares(10, (_, own) => [own]);
    const found = await measureMaps([eye, blind], set, { batch: 4 });
    expect(found.images).toBe(10);
    expect(found.layers.map(({ label, layer, places }) => [label, layer, places])).toEqual([
      ["eye", "early", 256],
      ["eye", "late", 16],
      ["blind", "late", 16],
    ]);
    const [early, , late] = found.layers;
    for (const measure of ["turn90", "turn180", "turn270", "equivariance", "mass", "pointing", "corloc"] as const)
      expect(mean(early?.values[measure]), measure).toBeCloseTo(1, 4);
    for (const value of early?.values.spread ?? []) expect(value).toBeCloseTo(36 / 256, 4);
    for (const value of late?.values.spread ?? []) expect(value).toBeCloseTo(1, 4);
    expect(Array.from(late?.values.equivariance ?? []).every(Number.isNaN)).toBe(true);
    expect(mean(late?.values.mass)).toBeCloseTo(36 / 256, 3);
    expect(mean(found.withoutMap?.area)).toBeCloseTo(36 / 256, 6);
    const whole = await measureMaps([eye, blind], set, { batch: 64 });
    expect(whole).toEqual(found);
  });

  it("leaves images without objects out of what is about objects, and says so", async () => {
    const { layers, notes } = await measureMaps(
      [eye],
      squares(5, (_, own) => [own]),
      { layers: ["late"] },
    );
    expect(layers.map(({ layer }) => layer)).toEqual(["late"]);
    for (const measure of ["mass", "pointing", "corloc"] as const)
      expect(Array.from(layers[0]?.values[measure] ?? [], Number.isNaN)).toEqual([false, false, false, false, true]);
    expect(Array.from(layers[0]?.values.spread ?? []).some(Number.isNaN)).toBe(false);
    expect(notes).toEqual(["1 image without an object left out of these numbers: square 4."]);
  });

  it("tells of boxes that were clipped or left out", async () => {
    const odd = squares(4, (i, own) => [
      own,
      ...(i === 1 ? [{ ...own, left: 12, width: 30 }] : []),
      ...(i === 2
        ? [
            { ...own, width: 0 },
            { ...own, left: 40 },
          ]
        : []),
    ]);
    expect((await measureMaps([eye], odd, { turned: false })).notes).toEqual([
      "1 image without an object left out of these numbers: square 3.",
      "1 box reached beyond the image and was clipped: square 1.",
      "2 boxes without an area inside the image were left out: square 2.",
    ]);
  });

  it("measures no objects where nothing is known about them, and turns nothing unless asked", async () => {
    const set = { ...squares(3), group: (i: number) => `patient ${i}` };
    const found = await measureMaps([eye], set, { turned: false, count: 2 });
    expect(found.groups).toEqual(["patient 0", "patient 1"]);
    expect([found.images, found.withoutMap, found.notes]).toEqual([2, undefined, []]);
    expect(Object.keys(found.layers[0]?.values ?? {})).toEqual(["spread"]);
  });

  it("measures what needs no object where no image has one, and says so", async () => {
    const none = squares(3, () => []);
    const found = await measureMaps([eye], none);
    expect(found.withoutMap).toBeUndefined();
    expect(found.notes).toEqual([
      expect.stringMatching(
        /^None of the 3 images .* has an object .* nothing was measured of objects\. Expected Annotations/,
      ),
    ]);
    const measures = mapNumbers(found.layers).map(({ measure }) => measure);
    expect(measures).toContain("spread");
    expect(measures).not.toContain("mass");
  });

  it("refuses a layer that is not there, two encoders of one name, and a class that no mask has", async () => {
    const set = squares(3, (_, own) => [own]);
    await expect(measureMaps([eye], set, { layers: ["lat"] })).rejects.toThrow(/layer "lat".*late/);
    await expect(measureMaps([eye, { ...blind, label: "eye" }], set)).rejects.toThrow(UsageError);
    await expect(measureMaps([], set)).rejects.toThrow(/no encoder .* name one at least/);
    await expect(measureMaps([eye], set, { maskClass: 3 })).rejects.toThrow(
      /square 0 has no mask, and --mask-class is 3/,
    );
  });

  it("stops when it is asked to", async () => {
    const stop = new AbortController();
    const maps = (images: Tensor) => {
      stop.abort();
      return eye.maps(images);
    };
    const source: MapSource = { ...eye, maps };
    await expect(measureMaps([source], squares(8), { batch: 2 }, { signal: stop.signal })).rejects.toThrow(
      InterruptedError,
    );
  });
});
