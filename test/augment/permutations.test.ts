import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { distantPermutations, hammingDistances } from "../../src/augment/permutations.ts";
import { scratch } from "../images.ts";

const cache = scratch();
afterEach(() => vi.unstubAllEnvs());

const sorted = (permutation: Uint8Array) => [...permutation].sort().join("");

describe("distant permutations", () => {
  test("are as far apart as the authors' 100 (mean 8.08, minimum 2)", () => {
    const chosen = distantPermutations(100, 0);
    expect(hammingDistances(chosen).mean).toBeGreaterThanOrEqual(8.07);
    expect(chosen.every((permutation) => sorted(permutation) === "012345678")).toBe(true);
    expect(new Set(chosen.map(String)).size).toBe(100);
  });

  test("are determined by the seed", () => {
    const text = (seed: number) => distantPermutations(10, seed).map(String).join();
    expect(text(1)).toBe(text(1));
    expect(text(1)).not.toBe(text(2));
  });

  test("differ in every place if there are two", () => {
    expect(hammingDistances(distantPermutations(2, 3))).toEqual({ mean: 9, min: 9 });
  });

  test("are read from the cache if there are many, and made again if it is truncated or unusable", () => {
    vi.stubEnv("SELFSIGHT_CACHE", cache);
    const [count, seed] = [10, 4];
    const text = (worthKeeping = count) => distantPermutations(count, seed, worthKeeping).map(String);
    const made = text(count + 1);
    const folder = join(cache, "permutations");
    expect(existsSync(folder)).toBe(false);
    expect(text()).toEqual(made);
    const [name = "", ...others] = readdirSync(folder);
    expect(others).toEqual([]);
    expect(name).toMatch(/^10-of-9-seed-4-v\d+\.bin$/); // with the algorithm's version, so that results of others are not used
    const file = join(folder, name);
    const kept = readFileSync(file);
    const another = distantPermutations(count, seed + 1);
    writeFileSync(file, Buffer.concat(another));
    expect(text()).toEqual(another.map(String));
    writeFileSync(file, Buffer.alloc(7));
    expect(text()).toEqual(made);
    expect(readFileSync(file).equals(kept)).toBe(true);
    vi.stubEnv("SELFSIGHT_CACHE", file); // not a folder: nothing can be read or written there
    expect(text()).toEqual(made);
    expect(readdirSync(folder)).toEqual([name]);
  });

  test("are many from 500 on", () => {
    vi.stubEnv("SELFSIGHT_CACHE", cache);
    const folder = join(cache, "permutations");
    const [name = ""] = readdirSync(folder); // of the test above
    writeFileSync(join(folder, name.replace(/^10/, "500")), Buffer.alloc(500 * 9, 1));
    expect(distantPermutations(500, 4).map(String)).toEqual(Array(500).fill("1,1,1,1,1,1,1,1,1"));
  });
});

test("distances are counted place by place", () => {
  const [a, b] = [Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8), Uint8Array.of(1, 0, 2, 3, 4, 5, 6, 7, 8)];
  expect(hammingDistances([a, b, a])).toEqual({ mean: (2 + 0 + 2) / 3, min: 0 });
});
