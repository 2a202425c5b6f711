import { createHash } from "node:crypto";
import { describe, expect, it, vi } from "vitest";
import { openEmoji } from "../../src/data/emoji.ts";
import { concatenate, type ImageSet } from "../../src/data/images.ts";

const { train, test } = openEmoji().splits as { train: ImageSet; test: ImageSet };
const all = concatenate([train, test]);
const positions = (set: ImageSet) => Array.from({ length: set.length }, (_, i) => i);
const ids = positions(all).map((i) => all.id(i));

async function pixels(set: ImageSet, id: string): Promise<Uint8Array> {
  const image = await set.read(positions(set).find((i) => set.id(i) === id) ?? -1);
  if (!("pixels" in image)) throw new Error("expected pixels");
  expect(image.pixels).toHaveLength(image.width * image.height * 3);
  return image.pixels;
}

describe("emoji", () => {
  it("are thousands of drawings by four designers, in nine categories", () => {
    const designers = new Map<string, number>();
    for (const id of ids) {
      const designer = id.split("/", 1)[0] ?? "";
      designers.set(designer, (designers.get(designer) ?? 0) + 1);
    }
    expect([...designers.keys()].sort()).toEqual(["fluent-emoji-flat", "noto", "openmoji", "twemoji"]);
    for (const count of designers.values()) expect(count).toBeGreaterThan(1000);
    expect(new Set(ids).size).toBe(ids.length);
    expect(all.classes).toHaveLength(9);
    for (const set of [train, test]) expect(new Set(positions(set).map((i) => set.label(i))).size).toBe(9);
  });

  it("have no skin tones, and all that only sounds like one", () => {
    expect(ids.filter((id) => /skin-tone|artist-(dark|light|medium)/.test(id))).toEqual([]);
    expect(ids).toContain("noto/horizontal-traffic-light");
    expect(ids).toContain("twemoji/white-medium-square");
  });

  it("are split 80 to 20, all drawings of one emoji on one side", () => {
    expect(train.length / all.length).toBeCloseTo(0.8, 1);
    const groups = new Set(positions(train).map((i) => train.group(i)));
    expect(positions(test).filter((i) => groups.has(test.group(i)))).toEqual([]);
    const side = (id: string) => positions(train).some((i) => train.id(i) === id);
    const deaf = ["noto/deaf-person", "twemoji/deaf-person", "fluent-emoji-flat/person-deaf"]; // one emoji, two names
    expect(new Set(deaf.map(side)).size).toBe(1);
    expect(ids).toEqual(expect.arrayContaining(deaf));
  });

  it("are the same at every opening", () => {
    const again = openEmoji().splits["test"];
    expect(again?.fingerprint).toBe(test.fingerprint);
    expect(again && positions(again).map((i) => again.id(i))).toEqual(positions(test).map((i) => test.id(i)));
  });

  it("are drawn on white, and not all alike", async () => {
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

  it("drawn exactly alike are there once", () => {
    expect(ids).toContain("openmoji/flag-chad");
    expect(ids).not.toContain("openmoji/flag-romania");
  });

  it("name the packages to install where they are missing", async () => {
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
      expect(() => openWithout()).toThrow(/not installed: npm install @iconify-json\/noto .*fluent-emoji-flat/);
    } finally {
      vi.doUnmock("node:module");
    }
  });
});
