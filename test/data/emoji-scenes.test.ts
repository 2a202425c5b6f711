import { beforeAll, describe, expect, it } from "vitest";
import { openEmojiScenes } from "../../src/data/emoji-scenes.ts";
import { concatenate, type ImageCollection, type ImageSet, subset } from "../../src/data/images.ts";
import type { Objects } from "../../src/data/objects.ts";

const positions = (set: ImageSet) => Array.from({ length: set.length }, (_, i) => i);

async function sceneOf(set: ImageSet, i: number): Promise<{ pixels: Uint8Array; size: number; objects: Objects }> {
  const [image, objects] = await Promise.all([set.read(i), set.objects?.(i)]);
  if (!("pixels" in image) || !objects) throw new Error("expected pixels and objects");
  return { pixels: image.pixels, size: image.width, objects };
}

describe("emoji-scenes", () => {
  let collection: ImageCollection;
  let train: ImageSet;
  let validation: ImageSet;
  let test: ImageSet;

  beforeAll(() => {
    collection = openEmojiScenes();
    ({ train, validation, test } = collection.splits as Record<"train" | "validation" | "test", ImageSet>);
  });

  it("has three parts that share no emoji, with as many scenes of every class", () => {
    expect([train.length, validation.length, test.length]).toEqual([4000, 500, 1000]);
    const families = [train, validation, test].map((set) => new Set(positions(set).map((i) => set.group(i))));
    expect(new Set(families.flatMap((some) => [...some])).size).toBe(families.reduce((sum, { size }) => sum + size, 0));
    const counts = new Map<number, number>();
    for (const i of positions(test)) counts.set(test.label(i), (counts.get(test.label(i)) ?? 0) + 1);
    expect(counts.size).toBe(15);
    for (const count of counts.values()) expect(Math.abs(count - 1000 / 15)).toBeLessThan(1);
    const ids = [train, validation, test].flatMap((set) => positions(set).map((i) => set.id(i)));
    expect(new Set(ids).size).toBe(5500);
  });

  it("puts one large emoji of the scene's class and up to two smaller ones inside the picture", async () => {
    const counts = new Set<number>();
    for (let i = 0; i < 24; i++) {
      const { objects, pixels, size } = await sceneOf(test, i);
      expect(pixels).toHaveLength(3 * size * size);
      const { boxes, mask, width, height, clipped, dropped } = objects;
      expect([width, height, mask?.length, clipped, dropped]).toEqual([size, size, size * size, 0, 0]);
      counts.add(boxes.length);
      const areas = boxes.map((box) => box.width * box.height);
      expect(boxes[0]?.label).toBe(test.classes?.[test.label(i)]);
      for (const { left, top, ...box } of boxes) {
        expect(Math.min(left, top)).toBeGreaterThanOrEqual(0);
        expect(Math.max(left + box.width, top + box.height)).toBeLessThanOrEqual(size);
      }
      expect(Math.min(...areas)).toBeGreaterThan(20);
    }
    expect(counts).toEqual(new Set([1, 2, 3]));
  });

  it("has boxes that touch the mask on all sides, and masks of the class's value within them alone", async () => {
    for (let i = 0; i < 8; i++) {
      const { boxes, mask = new Uint8Array(), width } = (await sceneOf(train, i)).objects;
      const rest = new Uint8Array(mask);
      for (const { left, top, label, ...box } of boxes) {
        const value = 1 + (train.classes?.indexOf(label) ?? -1);
        const row = (y: number) => [...mask.subarray(y * width + left, y * width + left + box.width)];
        const column = (x: number) => Array.from({ length: box.height }, (_, y) => mask[(top + y) * width + x]);
        for (const edge of [row(top), row(top + box.height - 1), column(left), column(left + box.width - 1)])
          expect(edge).toContain(value);
        for (let y = top; y < top + box.height; y++) rest.fill(0, y * width + left, y * width + left + box.width);
      }
      expect(rest.some((value) => value > 0)).toBe(false);
    }
  });

  it("shows the objects: they differ from the background beside them", async () => {
    for (let i = 0; i < 8; i++) {
      const { pixels, size, objects } = await sceneOf(train, i);
      const mean = (on: boolean) => {
        const chosen = Array.from({ length: size * size }, (_, k) => k).filter((k) => !!objects.mask?.[k] === on);
        return [0, 1, 2].map((c) => chosen.reduce((sum, k) => sum + (pixels[3 * k + c] ?? 0), 0) / chosen.length);
      };
      const [inside, outside] = [mean(true), mean(false)];
      expect(Math.hypot(...inside.map((value, c) => value - (outside[c] ?? 0)))).toBeGreaterThan(40);
    }
  });

  it("is the same every time, also as part of other sets", async () => {
    const again = openEmojiScenes().splits["test"] as ImageSet;
    expect(again.fingerprint).toBe(test.fingerprint);
    const [first, second] = [await sceneOf(test, 7), await sceneOf(again, 7)];
    expect(second).toEqual(first);
    expect(await sceneOf(subset(test, [3, 7]), 1)).toEqual(first);
    expect(await sceneOf(concatenate([train, test]), train.length + 7)).toEqual(first);
    expect((await sceneOf(test, 8)).pixels).not.toEqual(first.pixels);
    await expect(test.read(1000)).rejects.toThrow(/image 1000 of 1000/);
  });
});
