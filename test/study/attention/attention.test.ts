/** Where trained encoders look, side by side. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { isSheet } from "../../../src/data/sheet-mark.ts";
import { InterruptedError, UsageError } from "../../../src/errors.ts";
import { attentionHtml, writeAttention } from "../../../src/report/attention.ts";
import { runFiles } from "../../../src/run/folder.ts";
import { type AttentionResult, attention } from "../../../src/study/attention/attention.ts";
import { pretrain } from "../../../src/train/pretrain.ts";
import { makePictures, scratch } from "../../images.ts";
import { expectNoLeak } from "../../live.ts";
import { smallRun } from "../../small-run.ts";

const folder = scratch();
const images = join(folder, "pictures");
const [conv, vit] = [join(folder, "conv"), join(folder, "vit")];
const out = join(folder, "attention.png");
const given = { runs: [conv, vit], images, count: 3, measure: 0, threads: 1, out };
let result: AttentionResult;

expectNoLeak();
beforeAll(async () => {
  await makePictures(images, { count: 8, size: 48, classes: ["a", "b"] });
  const run = { ...smallRun, images, imageSize: 32 };
  await pretrain({ ...run, epochs: 2, keepCheckpoints: 2, out: conv });
  await pretrain({ ...run, stem: "imagenet", model: "vit-tiny-8", width: 2 / 3, epochs: 1, out: vit });
  result = await attention(given);
}, 60_000);

const titles = (group: number) =>
  result.groups[group]?.frames.at(-1)?.columns.map(({ kind, title }) => `${kind} ${title}`);
const pictures = (group: number, column: number) => result.groups[group]?.frames.at(-1)?.columns[column]?.pictures;

test("each encoder stands beside itself untrained, and shows what it has", () => {
  expect(result.groups.map(({ label, kind }) => [label, kind])).toEqual([
    ["conv", "pre-trained"],
    ["conv, untrained", "untrained"],
    ["vit", "pre-trained"],
    ["vit, untrained", "untrained"],
  ]);
  const activation = (names: string[]) => names.map((name) => `activation ${name}`);
  const ofConv = [...activation(["stem", "layer1", "layer2", "layer3", "layer4"]), "components components"];
  const blocks = activation(["block3", "block6", "block9", "block12"]);
  const heads = ["heads all heads", "heads head 1", "heads head 2", "rollout rollout"];
  expect([titles(0), titles(1)]).toEqual([ofConv, ofConv]);
  expect([titles(2), titles(3)]).toEqual(Array(2).fill([...blocks, ...heads, "components components"]));
  for (const { frames } of result.groups) {
    expect(frames.map(({ percent }) => percent)).toEqual([100]);
    for (const { pictures } of frames[0]?.columns ?? [])
      expect(pictures.map(({ length }) => length)).toEqual(Array(3).fill(result.size ** 2 * 3));
  }
  for (const column of [1, 4]) expect(pictures(0, column)).not.toEqual(pictures(1, column));
});

test("attention weights are those of the images at their own size, as far as whole patches", () => {
  const details = result.groups[2]?.frames[0]?.columns.map(({ detail }) => detail);
  expect([details?.[0], details?.[4]]).toEqual(["4×4, p = 1", "6×6, 60 %"]);
});

test("the PNG has a row for each image, and is not read as an image itself", async () => {
  const png = readFileSync(out);
  const { width = 0, height = 0 } = await sharp(png).metadata();
  expect(height).toBeGreaterThan(3 * result.size);
  expect(width).toBeGreaterThan((1 + 6 + 6 + 9 + 9) * result.size);
  expect(isSheet(png)).toBe(true);
});

describe("checkpoints", () => {
  test("are frames between the beginning and the end", async () => {
    const { groups } = await attention({
      ...given,
      runs: [conv],
      layers: ["layer2"],
      show: ["activation"],
      checkpoints: true,
    });
    expect(groups.map(({ frames }) => frames.map(({ percent }) => percent))).toEqual([[0, 50, 100], [100]]);
    const [trained, untrained] = groups;
    expect(trained?.frames[0]?.columns).toEqual(untrained?.frames[0]?.columns);
    const [first, middle, last] = trained?.frames.map(({ columns }) => columns[0]?.pictures) ?? [];
    expect(middle).not.toEqual(first);
    expect(middle).not.toEqual(last);
  });

  test("of a run that kept none are refused", async () => {
    await expect(attention({ ...given, checkpoints: true })).rejects.toThrow(UsageError);
    await expect(attention({ ...given, checkpoints: true })).rejects.toThrow(
      /vit kept no encoders on the way of its training.*--keep-checkpoints 8/,
    );
  });
});

describe("the page", () => {
  test("holds every picture, and nothing from elsewhere", async () => {
    const html = await attentionHtml({ ...result, source: "<photos>" });
    expect(html.match(/<img /g)).toHaveLength(1 + 4);
    expect(html).toContain("3 images of &#60;photos&#62;");
    const text = html.replace(/base64,[^"]+/g, "");
    for (const broken of ["NaN", "undefined", "[object", "http://", "https://", 'type="range"'])
      expect(text).not.toContain(broken);
    for (const heading of ["conv, untrained", "block12", "all heads", "rollout", "components"])
      expect(html).toContain(heading);
    await writeAttention(result);
    expect(readFileSync(join(folder, "attention.html"), "utf8")).toContain("3 images of");
  });

  test("has a slider over checkpoints; without a script it shows the end", async () => {
    const sliding = await attention({ ...given, runs: [conv], show: ["components"], checkpoints: true });
    const html = await attentionHtml(sliding);
    expect(html).toContain('type="range" min="0" max="2" value="2"');
    expect(html).toContain('data-percents="0,50,100"');
    const hidden = [...html.matchAll(/data-percent="(\d+)"[^>]*? hidden/g)].map(([, percent]) => percent);
    expect(hidden).toEqual(["0", "50"]);
  });
});

describe("numbers beside the pictures", () => {
  const drawn = { ...given, runs: [conv], show: ["components" as const] };

  test("say of every encoder and layer how far its maps spread and whether they turn with the image", async () => {
    const { numbers } = await attention({ ...drawn, measure: 8 });
    expect([numbers?.images, numbers?.withoutMap]).toEqual([8, undefined]);
    const measures = ["turn90", "turn180", "turn270", "equivariance", "spread"];
    const expected = ["conv", "conv, untrained"].flatMap((encoder) =>
      ["stem", "layer1", "layer2", "layer3", "layer4"].flatMap((layer) => measures.map((one) => [encoder, layer, one])),
    );
    const found = numbers?.numbers.map(({ encoder, layer, measure }) => [encoder, layer, measure]);
    expect(found).toEqual(expected);
    expect(numbers?.differences.map(({ measure, layer }) => [measure, layer])).toEqual([
      ["equivariance", "layer4"],
      ["spread", "layer4"],
    ]);
  });

  test("compare networks of every family, each at a layer of its own", async () => {
    const { numbers, notes } = await attention({ ...drawn, runs: [conv, vit], measure: 4 });
    expect(numbers?.compared.filter(({ measure }) => measure === "spread")).toMatchObject([
      { encoder: "conv", layer: "layer4" },
      { encoder: "conv, untrained", layer: "layer4" },
      { encoder: "vit", layer: "block12" },
      { encoder: "vit, untrained", layer: "block12" },
    ]);
    const compared = (wanted: string) =>
      numbers?.differences
        .filter(({ measure }) => measure === wanted)
        .map((one) => [one.encoder, one.baseline, one.layer, one.baselineLayer]);
    const alike = [
      ["conv", "conv, untrained", "layer4", "layer4"],
      ["vit", "vit, untrained", "block12", "block12"],
    ];
    expect(compared("equivariance")).toEqual([alike[0], ["conv", "vit", "layer4", "block12"], alike[1]]);
    expect(compared("spread")).toEqual(alike); // 5×5 places against 4×4
    expect(notes.join(" ")).toMatch(/effective area of maps with different numbers of places is not compared/);
    expect(notes.join(" ")).toMatch(/shown to conv and conv, untrained at 33 pixels in place of 32/);
  });

  test("measure a transformer's last block before its norm, after which every place is as active", async () => {
    const { numbers } = await attention({
      ...drawn,
      runs: [vit],
      layers: ["block12"],
      show: ["activation"],
      measure: 4,
      power: [2],
    });
    const spread = numbers?.compared.filter(({ measure }) => measure === "spread") ?? [];
    expect(spread).toHaveLength(2);
    for (const { value } of spread) expect(value).toBeLessThan(0.999);
  });

  test("do not compare maps of different powers: the higher one alone makes them narrower", async () => {
    const uneven = { ...drawn, runs: [conv, vit], show: undefined, layers: ["layer2", "block12"], measure: 4 };
    const { numbers, notes } = await attention(uneven);
    const compared = numbers?.differences.map(({ encoder, baseline }) => `${encoder} and ${baseline}`);
    expect(new Set(compared)).toEqual(new Set(["conv and conv, untrained", "vit and vit, untrained"]));
    expect(notes.join(" ")).toMatch(/different powers are not compared.*--power 2/);
    expect(await attentionHtml(await attention(uneven))).toContain(
      "maps of different powers, which cannot be compared.",
    );
    const even = await attention({ ...uneven, power: [2] });
    expect(even.numbers?.differences.map(({ baseline }) => baseline)).toContain("vit");
    expect(await attentionHtml(even)).toContain("with p = 2. Correlation");
  });

  test("tell how much of the maps is on the objects, where masks say where these are", async () => {
    const masked = join(folder, "masked");
    await makePictures(masked, { count: 6, size: 48 });
    mkdirSync(join(masked, "masks"));
    const left = Buffer.from(Array.from({ length: 48 * 48 }, (_, i) => (i % 48 < 24 ? 1 : 0)));
    const raw = { width: 48, height: 48, channels: 1 as const };
    for (const name of readdirSync(masked).filter((one) => one.endsWith(".png")))
      await sharp(left, { raw })
        .png()
        .toFile(join(masked, "masks", name));
    const result = await attention({ ...drawn, images: masked, measure: 6 });
    const html = await attentionHtml(result);
    expect(html).toMatch(/Maps of conv put \d+\.\d % \[.*of their mass on the objects, those of conv, untrained/);
    expect(html).toContain("of which the objects cover 48.5 %"); // 16 of the 33 columns that the network sees
    for (const heading of ["hits in the pointing game", "effective area"]) expect(html).toContain(heading);
    await expect(attention({ ...drawn, images: masked, measure: 6, maskClass: 9 })).rejects.toThrow(
      "an object of value 9 in its mask",
    );
  });
});

describe("refused, before anything is written", () => {
  const nothing = join(folder, "nothing.png");
  const refused = (options: object, message: RegExp) => async () => {
    const made = attention({ ...given, out: nothing, ...options });
    await expect(made).rejects.toThrow(UsageError);
    await expect(made).rejects.toThrow(message);
    expect(existsSync(nothing)).toBe(false);
  };
  test("an unknown layer", refused({ layers: ["layr4"] }, /Unknown layer "layr4". Did you mean "layer4"\?/));
  test(
    "no layer of one of the encoders",
    refused(
      { layers: ["layer4"], show: ["activation"] },
      /vit cannot show activation: it has none of these layers \(layer4\)/,
    ),
  );
  test(
    "heads of an encoder without attention",
    refused({ runs: [conv], show: ["heads"] }, /conv, conv, untrained cannot show heads: .*only transformers do/),
  );
  test("images too small", refused({ imageSize: 8 }, /vit needs images of 16 pixels at least; --image-size is 8/));
  test(
    "sides that are no whole patches",
    refused({ imageSize: 36 }, /vit needs images of a multiple of 8 pixels, 32 or 40/),
  );
  test(
    "a class of masks where there are none",
    refused({ maskClass: 2, measure: 4 }, /--mask-class is 2, but .* has no masks/),
  );
  test("a class of masks without numbers", refused({ maskClass: 2 }, /--mask-class 2 has no effect with --measure 0/));
  test("no images at all", refused({ count: 0 }, /count: expected a whole number from 1 to 64; got 0/));
  test("a power of zero", refused({ power: [0] }, /power: expected numbers above 0/));
  test("another kind of picture", refused({ out: join(folder, "attention.jpg") }, /--out to end in \.png/));
  test("a folder that is no run", refused({ runs: [images] }, /is not a run folder/));
  test("an unknown part", refused({ split: "tset" }, /Unknown split/));
});

test("an image that cannot be read is left out, and named", async () => {
  const some = join(folder, "some");
  await makePictures(some, { count: 2, size: 24 });
  writeFileSync(join(some, "broken.png"), readFileSync(join(some, "0001.png")).subarray(0, 60));
  const only = { ...given, runs: [conv], images: some, show: ["components" as const] };
  const { names, notes } = await attention(only);
  expect(names).toHaveLength(2);
  expect(notes.join()).toMatch(/1 of 3 images cannot be read: broken\.png/);
  const { numbers } = await attention({ ...only, measure: 3 });
  expect(numbers?.images).toBe(2);
  expect(numbers?.notes.join()).toMatch(/1 of 3 images to measure cannot be read: broken\.png/);
});

test("weights from elsewhere are shown, at the size of the first run", async () => {
  const weights = [`other:resnet10=${runFiles(conv).encoder}`];
  await expect(attention({ ...given, weights })).rejects.toThrow(/the same weights/);
  const { groups } = await attention({ ...given, runs: [vit], weights, show: ["components"], count: 1 });
  expect(groups.map(({ label }) => label)).toEqual(["vit", "vit, untrained", "other"]);
});

test("stops when interrupted", async () => {
  const controller = new AbortController();
  const onEvent = () => controller.abort();
  await expect(attention(given, { signal: controller.signal, onEvent })).rejects.toThrow(InterruptedError);
});
