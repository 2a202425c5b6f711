import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { datasetFolder, datasets, separateUnlabelled } from "../../src/data/datasets.ts";
import { filesUnder } from "../../src/data/fetch.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { openImages } from "../../src/data/open.ts";
import { SelfsightError } from "../../src/errors.ts";
import { makePictures, scratch } from "../images.ts";

const root = scratch();
const given = process.env["SELFSIGHT_DATA"]; // before the tests change it
let home = "";

beforeEach(() => {
  home = mkdtempSync(join(root, "home-"));
  vi.stubEnv("SELFSIGHT_DATA", join(home, "data"));
  vi.stubEnv("SELFSIGHT_CACHE", join(home, "cache"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

describe("a data set's name", () => {
  it("is looked up in SELFSIGHT_DATA, then in the cache", async () => {
    expect(datasetFolder("clothing")).toBeUndefined();
    const cached = join(home, "cache", "datasets", "clothing");
    await makePictures(join(cached, "train"), { count: 1, size: 4, classes: ["hat", "shoes"] });
    expect(datasetFolder("clothing")).toBe(cached);
    expect((await openImages("clothing")).splits["train"]?.length).toBe(2);
    const own = join(home, "data", "clothing");
    await makePictures(join(own, "train"), { count: 2, size: 4, classes: ["hat", "shoes"] });
    expect(datasetFolder("clothing")).toBe(own);
    const collection = await openImages("clothing");
    expect([collection.name, collection.splits["train"]?.length]).toEqual(["clothing", 4]);
  });

  it("names the classes of files that only number them", async () => {
    const folder = join(home, "data", "fashion-mnist");
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, "t10k-images-idx3-ubyte"),
      Buffer.from([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9]),
    );
    writeFileSync(join(folder, "t10k-labels-idx1-ubyte"), Buffer.from([0, 0, 8, 1, 0, 0, 0, 1, 9]));
    const { test } = (await openImages("fashion-mnist")).splits;
    expect(test?.classes?.[test.label(0)]).toBe("Ankle boot");
  });

  it("is downloaded last; a failure names an alternative, and keeps what was fetched for the next try", async () => {
    const fetch = vi.fn(async () => new Response("gone", { status: 404 }));
    vi.stubGlobal("fetch", fetch);
    const lines: string[] = [];
    for (const name of ["clothing", "cifar10", "fashion-mnist"] as const) {
      const failure = openImages(name, { say: (line) => lines.push(line) });
      await expect(failure).rejects.toThrow(SelfsightError);
      await expect(failure).rejects.toThrow(
        new RegExp(`${name} cannot be fetched. https://.* answered 404.*set SELFSIGHT_DATA`),
      );
    }
    expect(fetch).toHaveBeenCalledTimes(3);
    expect(lines).toEqual([1, 2, 3].map(() => expect.stringMatching(/^Downloading https:/)));
    const left = readdirSync(join(home, "cache", "datasets")).sort();
    expect(left).toEqual(["cifar10.part", "clothing.part", "fashion-mnist.part"]);
    expect(datasetFolder("clothing")).toBeUndefined();
  });

  it("says what is wrong with a download", async () => {
    vi.stubGlobal("fetch", async () => new Response("not what was asked for"));
    await expect(openImages("cifar10")).rejects.toThrow(/sent other bytes than expected: md5 \w+ instead of c32a1d4a/);
    await expect(openImages("clothing")).rejects.toThrow(/clothing-dataset-small.tar.gz cannot be unpacked/);
    expect(filesUnder(join(home, "cache"))).toEqual(["datasets/clothing.part/clothing-dataset.tar.gz"]);
  });

  it("has a title, a licence and a source", () => {
    for (const { title, licence, source } of Object.values(datasets))
      for (const text of [title, licence, source]) expect(text).toMatch(/\w+/);
  });
});

it("photos that are in a split too are removed from the unlabelled ones", () => {
  const folder = join(home, "clothing");
  for (const path of ["train/hat/1.jpg", "test/hat/2.jpg", "images/1.jpg", "images/2.jpg", "images/3.jpg"]) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), path);
  }
  separateUnlabelled(folder);
  expect(filesUnder(folder).sort()).toEqual(["test/hat/2.jpg", "train/hat/1.jpg", "unlabelled/3.jpg"]);
});

/** The real sets, if there are copies. */
describe.skipIf(!given)("copies in SELFSIGHT_DATA", () => {
  beforeEach(() => {
    vi.stubEnv("SELFSIGHT_DATA", given);
  });
  const has = (name: string) => given !== undefined && existsSync(join(given, name));
  const lengths = (splits: Readonly<Record<string, ImageSet>>) =>
    Object.fromEntries(Object.entries(splits).map(([name, set]) => [name, set.length]));

  it.skipIf(!has("clothing"))("clothing", async () => {
    const { splits } = await openImages("clothing");
    expect(lengths(splits)).toEqual({ train: 3068, validation: 341, test: 372, unlabelled: 1975 });
    expect(splits["test"]?.classes).toHaveLength(10);
    expect(splits["unlabelled"]?.classes).toBeUndefined();
  });

  it.skipIf(!has("cifar10"))("cifar10", async () => {
    const { splits } = await openImages("cifar10");
    expect(lengths(splits)).toEqual({ train: 50_000, test: 10_000 });
    const { train } = splits;
    expect(train?.classes?.slice(0, 2)).toEqual(["airplane", "automobile"]);
    const counts = new Map<number, number>();
    for (let i = 0; i < 50_000; i++) counts.set(train?.label(i) ?? -1, (counts.get(train?.label(i) ?? -1) ?? 0) + 1);
    expect([...counts.values()]).toEqual(Array.from({ length: 10 }, () => 5000));
    const image = await train?.read(49_999);
    expect(image && "encoded" in image && Buffer.from(image.encoded.subarray(1, 4)).toString()).toBe("PNG");
  });

  it.skipIf(!has("fashion-mnist"))("fashion-mnist", async () => {
    const { test } = (await openImages("fashion-mnist")).splits;
    expect([test?.length, test?.classes?.[test.label(0)]]).toEqual([10_000, "Ankle boot"]);
    expect(await test?.read(9_999)).toMatchObject({ width: 28, height: 28 });
  });
});
