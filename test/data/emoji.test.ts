import { createHash } from "node:crypto";
import { describe, expect, it, vi } from "vitest";
import { openEmoji } from "../../src/data/emoji.ts";
import { classOf, familyOf, plainCodes } from "../../src/data/emoji-classes.ts";
import { concatenate, type ImageSet } from "../../src/data/images.ts";
import { imagesToLearnFrom, labelledParts } from "../../src/data/splits.ts";

const collection = openEmoji();
const { train, validation, test, unlabelled } = collection.splits as Record<
  "train" | "validation" | "test" | "unlabelled",
  ImageSet
>;
const sides = { train, validation, test, unlabelled };
const all = concatenate(Object.values(sides));
const positions = (set: ImageSet) => Array.from({ length: set.length }, (_, i) => i);
const ids = positions(all).map((i) => all.id(i));

async function pixels(set: ImageSet, id: string): Promise<Uint8Array> {
  const image = await set.read(positions(set).find((i) => set.id(i) === id) ?? -1);
  if (!("pixels" in image)) throw new Error("expected pixels");
  expect(image.pixels).toHaveLength(image.width * image.height * 3);
  return image.pixels;
}

describe("emoji", () => {
  it("are thousands of drawings by four designers", () => {
    const designers = new Map<string, number>();
    for (const id of ids) {
      const designer = id.split("/", 1)[0] ?? "";
      designers.set(designer, (designers.get(designer) ?? 0) + 1);
    }
    expect([...designers.keys()].sort()).toEqual(["fluent-emoji-flat", "noto", "openmoji", "twemoji"]);
    for (const count of designers.values()) expect(count).toBeGreaterThan(1000);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("are labelled by kinds of things, with enough drawings of each", () => {
    expect(all.classes).toEqual(expect.arrayContaining(["face", "person", "animal", "vehicle", "flag"]));
    const classes = all.classes?.length ?? 0;
    const counts = (set: ImageSet) => {
      const labels = positions(set).map((i) => set.label(i));
      return Array.from({ length: classes }, (_, label) => labels.filter((one) => one === label).length);
    };
    expect(Math.min(...counts(train))).toBeGreaterThanOrEqual(40); // enough for different draws of 25
    for (const set of [validation, test]) expect(Math.min(...counts(set))).toBeGreaterThanOrEqual(12);
    expect(positions(unlabelled).every((i) => unlabelled.label(i) === -1)).toBe(true);
    const label = (id: string) => all.classes?.[all.label(ids.indexOf(id))];
    expect(["noto/grinning-face", "twemoji/tiger-face", "openmoji/bus", "noto/red-apple"].map(label)).toEqual([
      "face",
      "animal",
      "vehicle",
      "food",
    ]);
    expect(label("noto/red-heart")).toBeUndefined(); // too few different hearts for a class
  });

  it("leave out skin tones, but not names that only sound like one", () => {
    expect(ids.filter((id) => /skin-tone|artist-(dark|light|medium)/.test(id))).toEqual([]);
    expect(ids).toContain("noto/horizontal-traffic-light");
    expect(ids).toContain("twemoji/white-medium-square");
  });

  it("are split 60, 20 and 20 %, with each family in one split", () => {
    const labelled = train.length + validation.length + test.length;
    expect(train.length / labelled).toBeCloseTo(0.6, 1);
    expect(validation.length / labelled).toBeCloseTo(0.2, 1);
    const groups = (...sets: ImageSet[]) => new Set(sets.flatMap((set) => positions(set).map((i) => set.group(i))));
    const parts = [groups(train, unlabelled), groups(validation), groups(test)];
    expect(new Set(parts.flatMap((part) => [...part])).size).toBe(parts.reduce((sum, part) => sum + part.size, 0));
    const side = (id: string) =>
      Object.entries(sides).find(([, set]) => positions(set).some((i) => set.id(i) === id))?.[0];
    const deaf = ["noto/deaf-person", "twemoji/deaf-man", "fluent-emoji-flat/woman-deaf"]; // one family, many names
    expect(ids).toEqual(expect.arrayContaining(deaf));
    expect(new Set(deaf.map(side)).size).toBe(1);
  });

  it("are never trained on images for evaluation, with or without labels", async () => {
    const { set } = await imagesToLearnFrom(collection);
    expect(set.length).toBe(train.length + unlabelled.length);
    const parts = await labelledParts(collection, { testSplit: "validation" });
    expect([parts.train.length, parts.test.length]).toEqual([train.length, validation.length]);
  });

  it("belong to one family if they are nearly the same picture", () => {
    const family = (emoji: string) =>
      familyOf(plainCodes([...emoji].map((one) => (one.codePointAt(0) ?? 0).toString(16)).join(" ")));
    for (const alike of [
      "👩‍🚒 👨‍🚒 🧑‍🚒",
      "🏃 🏃‍♀️ 🏃‍♂️ 🏃‍➡️",
      "👪 👨‍👩‍👧 👩‍❤️‍👩 👫",
      "🕐 🕧",
      "❤️ 💙 🧡",
      "👦 👧 🧒",
      "👴 👵 🧓",
    ])
      expect(new Set(alike.split(" ").map(family)).size, alike).toBe(1);
    for (const different of ["👩‍🚒 👩‍🌾", "🐶 🐕", "🍎 🍏", "👨 👦", "💔 💙", "🕐 ⏰"])
      expect(new Set(different.split(" ").map(family)).size, different).toBe(2);
    expect(plainCodes("2764 FE0F")).toBe("2764");
    expect([classOf("arrow"), classOf("")]).toEqual([-1, -1]);
  });

  it("are the same every time they are opened", () => {
    const again = openEmoji().splits["test"];
    expect(again?.fingerprint).toBe(test.fingerprint);
    expect(again && positions(again).map((i) => again.id(i))).toEqual(positions(test).map((i) => test.id(i)));
  });

  it("are drawn on white, and differ between designers", async () => {
    const names = ["noto/red-heart", "twemoji/red-heart", "openmoji/red-heart", "fluent-emoji-flat/red-heart"];
    const hashes = new Set<string>();
    for (const name of names) {
      const image = await pixels(all, name);
      expect([...image.subarray(0, 3)]).toEqual([255, 255, 255]);
      const middle = [...image.subarray(3 * (64 * 128 + 64), 3 * (64 * 128 + 64) + 3)];
      expect(middle[0]).toBeGreaterThan(2 * (middle[1] ?? 255)); // red
      hashes.add(createHash("sha256").update(image).digest("hex"));
    }
    expect(hashes.size).toBe(4);
  });

  it("that are drawn identically appear once", () => {
    expect(ids).toContain("openmoji/flag-chad");
    expect(ids).not.toContain("openmoji/flag-romania");
  });

  it("name the packages to install if these are missing", async () => {
    vi.resetModules();
    vi.doMock("node:module", () => ({
      createRequire: () => ({
        resolve: (path: string) => {
          throw new Error(`Cannot find module '${path}'`);
        },
      }),
    }));
    try {
      const { openEmoji: openWithout } = await import("../../src/data/emoji.ts");
      expect(() => openWithout()).toThrow(
        /not installed: npm install @iconify-json\/noto .*fluent-emoji-flat emoji\.json/,
      );
    } finally {
      vi.doUnmock("node:module");
    }
  });
});
