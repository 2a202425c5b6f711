/** Features of whole collections in files: their contents, read back, and what is refused. */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { beforeAll, describe, expect, test } from "vitest";
import { parseCsv } from "../../src/data/csv.ts";
import { openImages } from "../../src/data/open.ts";
import { openPixels } from "../../src/data/pixels.ts";
import { type EmbedOptions, embed } from "../../src/evaluate/embed.ts";
import { FeatureFile } from "../../src/evaluate/feature-file.ts";
import { encoderFeatures } from "../../src/evaluate/features.ts";
import { nearestTo } from "../../src/evaluate/nearest.ts";
import { randomAt, uniform } from "../../src/random.ts";
import type { RunEvent } from "../../src/run/events.ts";
import { loadEncoder } from "../../src/run/folder.ts";
import { dispose, memory } from "../../src/torch/scope.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun } from "../small-run.ts";

const folder = scratch();
const images = join(folder, "pictures");
const run = join(folder, "run");
const taken = join(folder, "taken");
const classes = ["blue", "green, light", "red"];
const [trained, tested] = [12, 8]; // of each class
const rows = 3 * (trained + tested);
const shared = { run, images, device: "cpu", precision: "f32", threads: 2 } as const;

interface Row {
  path: string;
  label: string | null;
  split: string;
  embedding: number[];
  neighbors?: { ids: number[]; distances: number[] };
}

/** An encoder's features (N, D) of a split, by the code that `evaluate` uses. */
async function featuresOf(split: string, layer: string): Promise<number[][]> {
  const { encoder, config } = loadEncoder(run);
  const set = (await openImages(images)).splits[split];
  if (!set) throw new Error(`no split ${split}`);
  const store = await openPixels(set, { size: config.imageSize });
  const layers = await encoderFeatures(encoder, store, { device: "cpu", precision: "f32" });
  const values = layers[layer]?.toArray() ?? [];
  dispose(...Object.values(layers));
  encoder.dispose();
  await store.close();
  return inRows(values, values.length / set.length);
}

const inRows = (values: readonly number[], width: number) =>
  Array.from({ length: values.length / width }, (_, i) => values.slice(i * width, (i + 1) * width));

async function readRows(file: string): Promise<Row[]> {
  return (await parquetReadObjects({ file: await asyncBufferFromFile(file) })) as unknown as Row[];
}

function expectClose(got: readonly number[][], expected: readonly number[][]): void {
  expect(got.map(({ length }) => length)).toEqual(expected.map(({ length }) => length));
  const largest = Math.max(...expected.flat().map(Math.abs));
  const apart = got.flatMap((row, i) => row.map((value, j) => Math.abs(value - (expected[i]?.[j] as number))));
  expect(Math.max(...apart)).toBeLessThan(1e-5 * largest);
}

/** Cosine distances of every other row, the nearest first, in f64. */
function slowNearest(features: readonly number[][], own: number): { id: number; distance: number }[] {
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);
  const at = features[own] as number[];
  return features
    .map((other, id) => ({ id, distance: 1 - dot(at, other) / Math.sqrt(dot(at, at) * dot(other, other)) }))
    .filter(({ id }) => id !== own)
    .sort((a, b) => a.distance - b.distance);
}

const filesThere = () => [...readdirSync(folder), ...readdirSync(taken)];

expectNoLeak();

beforeAll(async () => {
  await makePictures(join(images, "train"), { count: trained, classes });
  await makePictures(join(images, "test"), { count: tested, classes, seed: 1 });
  await pretrain({ ...smallRun, images, epochs: 1, out: run });
  mkdirSync(taken);
  for (const name of ["a.parquet", "b.csv"]) writeFileSync(join(taken, name), "mine");
});

describe("Parquet", () => {
  let file: Row[];
  const out = join(folder, "features.parquet");

  beforeAll(async () => {
    const result = await embed({ ...shared, out, neighbours: 4 });
    expect(result).toMatchObject({ files: [out], rows, width: 64, skipped: [], notes: [] });
    file = await readRows(out);
  });

  test("holds the features of every image, split by split, with its path and class", async () => {
    const { splits } = await openImages(images);
    expect(Object.keys(splits)).toEqual(["train", "test"]);
    const expected = Object.entries(splits).flatMap(([split, set]) =>
      Array.from({ length: set.length }, (_, i) => ({ path: set.id(i), label: classes[set.label(i)], split })),
    );
    expect(file.map(({ path, label, split }) => ({ path, label, split }))).toEqual(expected);
    const features = [...(await featuresOf("train", "output")), ...(await featuresOf("test", "output"))];
    expectClose(
      file.map(({ embedding }) => embedding),
      features,
    );
  });

  test("holds each image's nearest others", () => {
    const features = file.map(({ embedding }) => embedding);
    for (const [i, { neighbors }] of file.entries()) {
      const { ids = [], distances = [] } = neighbors ?? {};
      const slow = slowNearest(features, i);
      expect(new Set(ids).size).toBe(4);
      expect(ids).not.toContain(i);
      expect(distances).toHaveLength(4);
      for (const [k, distance] of distances.entries()) {
        expect(distance).toBeCloseTo(slow[k]?.distance as number, 5);
        expect(distance).toBeCloseTo(slow.find(({ id }) => id === ids[k])?.distance as number, 5);
      }
    }
  });

  test("says what the features are of", async () => {
    const { key_value_metadata } = await parquetMetadataAsync(await asyncBufferFromFile(out));
    const about = key_value_metadata?.find(({ key }) => key === "selfsight")?.value ?? "{}";
    expect(JSON.parse(about)).toEqual({ run, images, layer: "output" });
  });

  test("is the same however much is held at once", async () => {
    const small = join(folder, "small.parquet");
    await embed({ ...shared, out: small, neighbours: 4 }, {}, { images: 7, rows: 9 });
    const metadata = await parquetMetadataAsync(await asyncBufferFromFile(small));
    expect(metadata.row_groups.map(({ num_rows }) => Number(num_rows))).toEqual([9, 9, 9, 9, 9, 9, 6]);
    const again = await readRows(small);
    expect(again.map(({ path, label, split }) => [path, label, split])).toEqual(
      file.map(({ path, label, split }) => [path, label, split]),
    );
    expectClose(
      again.map(({ embedding }) => embedding),
      file.map(({ embedding }) => embedding),
    );
    const distances = (from: Row[]) => from.map(({ neighbors }) => neighbors?.distances ?? []);
    for (const [i, own] of distances(again).entries()) {
      expect(own).toHaveLength(4);
      for (const [k, distance] of own.entries()) expect(distance).toBeCloseTo(distances(file)[i]?.[k] as number, 5);
    }
  });

  test("one layer of one split, without neighbours", async () => {
    const layer = join(folder, "layer.parquet");
    const { width } = await embed({ ...shared, out: layer, layer: "layer2", split: "test", neighbours: 0 });
    const read = await readRows(layer);
    expect(Object.keys(read[0] ?? {})).toEqual(["path", "label", "split", "embedding"]);
    expect(new Set(read.map(({ split }) => split))).toEqual(new Set(["test"]));
    const features = await featuresOf("test", "layer2");
    expect(width).toBe(features[0]?.length);
    expectClose(
      read.map(({ embedding }) => embedding),
      features,
    );
  });
});

test("neighbours of very many images are left out unless they are asked for", async () => {
  const files = ["default", "asked"].map((name) => join(folder, `${name}.parquet`)) as [string, string];
  const limits = { searched: 23 };
  const byDefault = await embed({ ...shared, out: files[0], split: "test" }, {}, limits);
  expect(byDefault.notes).toEqual([
    "Neighbours were left out: for 24 images they take long. --neighbours 10 looks for them.",
  ]);
  expect((await readRows(files[0]))[0]).not.toHaveProperty("neighbors");
  const asked = await embed({ ...shared, out: files[1], split: "test", neighbours: 10 }, {}, limits);
  expect(asked.notes).toEqual([]);
  expect((await readRows(files[1]))[0]?.neighbors?.ids).toHaveLength(10);
});

test("a single image has no neighbours", async () => {
  const out = join(folder, "single.parquet");
  await embed({ ...shared, images: await makePictures(join(folder, "single"), { count: 1 }), out });
  expect((await readRows(out)).map(({ neighbors }) => neighbors)).toEqual([{ ids: [], distances: [] }]);
});

describe("NumPy", () => {
  test("a header, the features, and a table of the images", async () => {
    const out = join(folder, "features.npy");
    const { files } = await embed({ ...shared, out }, {}, { images: 10, rows: 7 });
    expect(files).toEqual([out, join(folder, "features.csv")]);
    const bytes = readFileSync(out);
    expect(bytes.toString("latin1", 0, 8)).toBe("\x93NUMPY\x01\x00");
    const start = 10 + bytes.readUInt16LE(8);
    expect(start % 64).toBe(0);
    const header = bytes.toString("latin1", 10, start);
    expect(header).toMatch(/^\{'descr': '<f4', 'fortran_order': False, 'shape': \(60, 64\), \} *\n$/);
    const values = [...new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length))];
    expectClose(inRows(values, 64), [
      ...(await featuresOf("train", "output")),
      ...(await featuresOf("test", "output")),
    ]);

    const text = readFileSync(files[1] as string, "utf8");
    expect(text).toContain(`\n12,"train/green, light/0000.png","green, light",train\n`);
    const table = parseCsv(text);
    expect(table.map(({ row }) => row)).toEqual(Array.from({ length: rows }, (_, i) => String(i)));
    expect(table[rows - 1]).toEqual({ row: "59", path: "test/red/0007.png", label: "red", split: "test" });
  });

  test("labels from a table, and groups of sub-folders in a column of their own", async () => {
    const labels = join(folder, "labels.csv");
    writeFileSync(labels, "path,label\ntrain/red/0000.png,apple\n");
    const out = join(folder, "labelled.npy");
    const { files } = await embed({ ...shared, out, labels, group: "folder" });
    const table = parseCsv(readFileSync(files[1] as string, "utf8"));
    expect(Object.keys(table[0] as object)).toEqual(["row", "path", "label", "split", "group"]);
    const apple = table.find(({ label }) => label === "apple");
    expect(apple?.["path"]).toBe("train/red/0000.png");
    const alike = table.filter(({ group }) => group === apple?.["group"]);
    expect(alike.length).toBeGreaterThan(1);
    expect(alike.every(({ path }) => path?.includes("red"))).toBe(true);

    const parquet = join(folder, "labelled.parquet");
    await embed({ ...shared, out: parquet, labels, group: "folder", neighbours: 0 });
    expect((await readRows(parquet)).map((row) => (row as Row & { group: string }).group)).toEqual(
      table.map(({ group }) => group),
    );
  });

  test("names with quotes and line breaks are quoted; without classes the label is empty", async () => {
    const odd = join(folder, "odd");
    const { files } = await embed({ ...shared, images: await oddNames(odd), out: join(folder, "odd.npy") });
    const table = parseCsv(readFileSync(files[1] as string, "utf8"));
    expect(table.map(({ path, label }) => [path, label])).toEqual([
      ['a "b".png', ""],
      ["c\nd.png", ""],
      ["e, f.png", ""],
    ]);
  });
});

async function oddNames(place: string): Promise<string> {
  await makePictures(place, { count: 1 });
  const picture = readFileSync(join(place, "0000.png"));
  renameSync(join(place, "0000.png"), join(place, "c\nd.png"));
  for (const name of ['a "b".png', "e, f.png"]) writeFileSync(join(place, name), picture);
  return place;
}

test("images that cannot be read are skipped and said; too many are refused", async () => {
  const damaged = join(folder, "damaged");
  await makePictures(damaged, { count: 40 });
  writeFileSync(join(damaged, "0013.png"), "no image");
  const out = join(folder, "skipped.parquet");
  // Six of a chunk's seven can be read: 5 % is of all images, not of those decoded at once.
  const result = await embed({ ...shared, images: damaged, out, neighbours: 1 }, {}, { images: 7 });
  expect(result.skipped.map(({ id }) => id)).toEqual(["0013.png"]);
  expect(result.notes.join()).toMatch(/^1 of 40 images cannot be read: 0013\.png \(.+\)\.$/);
  const read = await readRows(out);
  expect(read.map(({ path }) => path)).not.toContain("0013.png");
  expect(read.map(({ path }) => path)).toHaveLength(39);
  for (const name of ["0020.png", "0030.png"]) writeFileSync(join(damaged, name), "no image");
  await expect(embed({ ...shared, images: damaged, out: join(folder, "many.npy") })).rejects.toThrow(
    /3 of 40 images in damaged cannot be read/,
  );
});

test.each<[string, Partial<EmbedOptions>, RegExp]>([
  ["a file that exists", { out: join(taken, "a.parquet") }, /a\.parquet exists and is never overwritten/],
  ["a CSV file that exists", { out: join(taken, "b.npy") }, /b\.csv exists and is never overwritten.*--out/],
  ["another ending", { out: join(folder, "features.csv") }, /\.parquet or \.npy; got ".*features\.csv"/],
  ["a missing folder", { out: join(folder, "none", "a.npy") }, /There is no folder ".*none"\. Make it first/],
  ["a folder that is a file", { out: join(run, "config.yaml", "a.npy") }, /config\.yaml/],
  ["an unknown layer", { layer: "ouput" }, /Unknown layer of resnet10 "ouput"\. Did you mean "output"\?.*layer4/],
  ["an unknown split", { split: "train+tset" }, /Unknown split of pictures "tset"\. Did you mean "test"/],
  ["neighbours without room for them", { out: join(folder, "a.npy"), neighbours: 3 }, /no room for neighbours/],
  ["a folder that is no run", { run: images }, /not a run folder/],
  ["an unknown option", { neighbors: 3 } as object, /unknown option "neighbors"\. Did you mean "neighbours"/],
])("%s is refused, and nothing is left behind", async (_, wrong, message) => {
  const [before, live] = [filesThere(), memory().tensors];
  await expect(embed({ ...shared, out: join(folder, "refused.parquet"), ...wrong })).rejects.toThrow(message);
  for (const name of readdirSync(taken)) expect(readFileSync(join(taken, name), "utf8")).toBe("mine");
  expect(filesThere()).toEqual(before);
  expect(memory().tensors).toBe(live);
});

test.each<[string, RunEvent["type"]]>([
  ["features", "embed"],
  ["neighbours", "compare"],
])("interrupted while %s are computed, it leaves nothing behind", async (_, type) => {
  const [before, live] = [filesThere(), memory().tensors];
  const controller = new AbortController();
  let during: string[] = [];
  const onEvent = (event: RunEvent) => {
    if (event.type !== type || controller.signal.aborted) return;
    during = filesThere();
    controller.abort();
  };
  const working = embed(
    { ...shared, out: join(folder, "never.parquet") },
    { signal: controller.signal, onEvent },
    { images: 16, rows: 16 },
  );
  await expect(working).rejects.toThrow(/Interrupted/);
  expect(during).not.toEqual(before); // there was something to remove
  expect(filesThere()).toEqual(before);
  expect(memory().tensors).toBe(live);
});

describe("nearest rows", () => {
  const width = 5;
  const random = randomAt(7);
  const features = Array.from({ length: 23 }, () => Array.from({ length: width }, () => uniform(random, -1, 1)));
  features[22] = (features[3] as number[]).map((value) => 2 * value); // the same direction
  features[10] = Array.from({ length: width }, () => 0);

  test.each([
    [3, 4],
    [23, 6],
    [100, 4],
    [5, 100],
  ])("in blocks of %i rows, %i neighbours: those of a slow search", async (block, wanted) => {
    const file = new FeatureFile(join(folder, "vectors.part"));
    for (let i = 0; i < 23; i += 4) file.append(Float32Array.from(features.slice(i, i + 4).flat()), width); // the last append is shorter
    for (let start = 0; start < 23; start += block) {
      const { count, ids, distances } = await nearestTo(file, start, { count: wanted, block, device: "cpu" });
      expect(count).toBe(Math.min(wanted, 22));
      expect(ids).toHaveLength(Math.min(block, 23 - start) * count);
      for (let i = 0; i < ids.length / count; i++) {
        const own = start + i;
        if (own === 10) continue; // a zero has the same distance to all
        const slow = slowNearest(features, own).map(({ id, distance }) => ({ id, distance: distance || 0 }));
        for (let k = 0; k < count; k++) {
          const [id, distance] = [ids[i * count + k], distances[i * count + k] as number];
          const expected = slow.find((one) => one.id === id)?.distance ?? Number.NaN;
          if (id !== 10) expect(distance).toBeCloseTo(expected, 5);
          else expect(distance).toBeCloseTo(1, 5);
        }
        if (own === 3) expect([ids[i * count], distances[i * count]]).toEqual([22, expect.closeTo(0, 5)]);
        expect(new Set(ids.subarray(i * count, (i + 1) * count)).size).toBe(count);
      }
    }
    file.close();
  });
});
