/** Which files a folder scan reads, and which it leaves out and reports. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it, test } from "vitest";
import { decodeImage } from "../../src/data/decode.ts";
import { kindOf } from "../../src/data/magic.ts";
import { decodeName, encodeName, shown } from "../../src/data/names.ts";
import { openImages } from "../../src/data/open.ts";
import { contactSheet } from "../../src/data/sheet.ts";
import fc from "../fast-check.ts";
import { scratch } from "../images.ts";
import { idsOf, makeTree } from "./trees.ts";

const root = scratch();
const red = sharp({ create: { width: 24, height: 16, channels: 3, background: "red" } });
const [jpeg, png, gif, webp, tiff, avif] = await Promise.all(
  [
    red.clone().jpeg(),
    red.clone().png(),
    red.clone().gif(),
    red.clone().webp(),
    red.clone().tiff(),
    red.clone().avif(),
  ].map((image) => image.toBuffer()),
);
const bytes = (text: string) => Buffer.from(text, "latin1");
const bmp = Buffer.concat([bytes("BM"), Buffer.alloc(12), Buffer.of(40, 0, 0, 0), Buffer.alloc(40)]);
const header = (type: string) => Buffer.concat([bytes(`\0\0\0\x18ftyp${type}\0\0\0\0mif1${type}`), Buffer.alloc(500)]);

describe("images are recognised by their first bytes if their names do not show it", () => {
  it("with any name", async () => {
    const contents = { JPEG: jpeg, PNG: png, GIF: gif, WebP: webp, TIFF: tiff, AVIF: avif } as Record<string, Buffer>;
    const names = ["a.jfif", "b.JPG.bak", "c.jpeg_", "d.dat", "without an ending", "f.JPE", "g.txt"];
    for (const content of Object.values(contents)) {
      const folder = makeTree(root, Object.fromEntries(names.map((name) => [name, content])));
      const { splits, notes } = await openImages(folder);
      expect([idsOf(splits["all"]).sort(), notes]).toEqual([[...names].sort(), undefined]);
      for (let i = 0; i < names.length; i++) {
        const image = await splits["all"]?.read(i);
        expect(image && (await decodeImage(image, 4))?.[0]).toBeGreaterThan(200);
      }
    }
  });

  it.each<[string, Buffer, string]>([
    ["BMP", bmp, "image"],
    ["a colour map", bytes("P6\n# made by hand\n2 2\n255\n"), "image"],
    ["SVG", bytes('<?xml version="1.0"?>\n<svg xmlns="…">'), "image"],
    ["AVIF that calls itself a picture first", header("avif"), "image"],
    ["text that begins with BM", bytes("BMW builds cars, and has done so for a long time."), "other"],
    ["text that begins with P1", bytes("P1 is the first page"), "other"],
    ["a page with a drawing", bytes("<!DOCTYPE html><html><svg>"), "other"],
    ["nothing", Buffer.alloc(0), "other"],
    ["HEIC", header("heic"), "HEIC"],
    ["JPEG XL", bytes("\xff\x0a\x01"), "JPEG XL"],
    ["JPEG 2000", bytes("\0\0\0\fjP  \r\n\x87\n"), "JPEG 2000"],
    ["an icon", Buffer.of(0, 0, 1, 0, 1, 0, 16, 16, 0, 0, 1, 0, 32, 0), "icon"],
    ["DICOM", Buffer.concat([Buffer.alloc(128), bytes("DICM")]), "DICOM"],
  ])("%s", (_, head, expected) => {
    const kind = kindOf("file", head);
    expect(kind.is === "unreadable" ? kind.format : kind.is).toBe(expected);
  });

  it("unsupported formats are counted, with advice on what to do", async () => {
    const heic = header("heic");
    const { splits, notes } = await openImages(
      makeTree(root, {
        "1.png": png as Buffer,
        "2.heic": heic,
        "3.HEIC": heic,
        "4.jxl": bytes("\xff\x0a\x01"),
        "5.NEF": tiff as Buffer,
      }),
    );
    expect(idsOf(splits["all"])).toEqual(["1.png"]);
    expect(notes).toEqual([
      "4 images of formats that cannot be read here were left out (2 HEIC, 1 JPEG XL, 1 camera raw): 2.heic, 3.HEIC, 4.jxl and 1 more. Convert them to JPEG or PNG.",
    ]);
    const alone = openImages(makeTree(root, { "2.heic": heic }));
    await expect(alone).rejects.toThrow(/holds no images, .*1 image of formats.*1 HEIC.*Convert them/);
  });

  it("Git LFS pointers are not taken for images", async () => {
    const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123\n";
    const { splits, notes } = await openImages(
      makeTree(root, { "1.png": png as Buffer, "2.png": pointer, "3.jpg": pointer }),
    );
    expect([splits["all"]?.length, notes]).toEqual([
      1,
      ['2 files only stand for images in Git LFS and were left out: 2.png, 3.jpg. Get them with "git lfs pull".'],
    ]);
  });

  it("files that are not images are reported once, however many there are", async () => {
    const texts = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`${i}.txt`, "a cat"]));
    const { notes } = await openImages(makeTree(root, { "1.png": png as Buffer, ...texts }));
    expect(notes).toEqual(["300 files that are no images were left out: 0.txt, 1.txt, 10.txt and 297 more."]);
  });
});

describe("names that are not UTF-8", () => {
  const onLinux = process.platform === "linux";

  it.runIf(onLinux)("files and folders are read, and shown in readable form", async () => {
    const folder = makeTree(root, { "caf/1.png": png as Buffer });
    const within = (name: string) => Buffer.concat([Buffer.from(`${folder}/`), bytes(name)]);
    mkdirSync(within("th\xe9"));
    for (const name of ["th\xe9/\xfcber.png", "th\xe9/2.png", "th\xe9/r\xe9sum\xe9.dat"])
      writeFileSync(within(name), png as Buffer);
    const { splits, notes } = await openImages(folder);
    expect(idsOf(splits["all"])).toEqual([
      "caf/1.png",
      ...["2.png", "r\\xE9sum\\xE9.dat", "\\xFCber.png"].map((name) => `th\\xE9/${name}`),
    ]);
    expect(splits["all"]?.classes?.map(shown)).toEqual(["caf", "th\\xE9"]);
    for (let i = 0; i < 4; i++) expect(await splits["all"]?.read(i)).toEqual({ encoded: png });
    expect(notes).toEqual([expect.stringMatching(/^3 images whose names are not UTF-8 were read; .*: th\\xE9\/2.png/)]);
  });

  it.runIf(onLinux)("beside names with a real U+FFFD", async () => {
    const folder = makeTree(root, { "\ufffd.png": png as Buffer, "a.png": png as Buffer });
    writeFileSync(Buffer.concat([Buffer.from(folder), bytes("/\xff.png")]), png as Buffer);
    expect(idsOf((await openImages(folder)).splits["all"]).sort()).toEqual(["\\xFF.png", "a.png", "\ufffd.png"]);
  });

  test("no byte is lost", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 12 }), (name) => {
        expect([...encodeName(decodeName(Buffer.from(name)))]).toEqual([...name]);
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (name) => {
        expect(decodeName(Buffer.from(name))).toBe(name);
      }),
    );
  });
});

describe("files of Selfsight among the images are left out", () => {
  const run = { "config.yaml": "task: rotation", "status.json": "{}", "samples/0.png": png as Buffer };
  const inside = (folder: string) =>
    Object.fromEntries(Object.entries(run).map(([name, content]) => [`${folder}/${name}`, content]));

  it("run folders, at any depth", async () => {
    const tree = { "cat/1.png": png as Buffer, "dog/1.png": png as Buffer };
    const before = await openImages(makeTree(root, tree));
    const { splits, notes } = await openImages(makeTree(root, { ...tree, ...inside("run1"), ...inside("runs/a/b") }));
    expect(splits["all"]?.classes).toEqual(["cat", "dog"]);
    expect(idsOf(splits["all"])).toEqual(idsOf(before.splits["all"])); // a run can be resumed
    expect(notes).toContain("2 run folders of Selfsight were left out: run1, runs/a/b.");
    await expect(openImages(makeTree(root, run))).rejects.toThrow(/is a run folder of Selfsight/);
  });

  it("a run folder that was made just now, for a run among its own images", async () => {
    const tree = {
      "cat/1.png": png as Buffer,
      "dog/1.png": png as Buffer,
      "new/lock.4711-01234567-0-89abcdef-here": "",
    };
    const { splits, notes = [] } = await openImages(makeTree(root, tree));
    expect(splits["all"]?.classes).toEqual(["cat", "dog"]);
    expect(notes.join("\n")).toBe("1 run folder of Selfsight was left out: new.");
  });

  it("but not a class folder that happens to have a configuration", async () => {
    const { splits } = await openImages(
      makeTree(root, { "cat/1.png": png as Buffer, "cat/config.yaml": "a: 1", "dog/1.png": png as Buffer }),
    );
    expect(splits["all"]?.classes).toEqual(["cat", "dog"]);
  });

  it("contact sheets made by preview, with any name", async () => {
    const cell = { pixels: new Uint8Array(12), width: 2, height: 2 };
    const sheet = await contactSheet([cell], 1);
    expect((await sharp(sheet, { failOn: "warning" }).stats()).channels).toHaveLength(4); // it is still a valid PNG
    const { splits, notes } = await openImages(
      makeTree(root, { "1.png": png as Buffer, "look.png": sheet, "cat/preview.png": sheet }),
    );
    expect([idsOf(splits["all"]), notes]).toEqual([
      ["1.png"],
      [
        expect.stringMatching(/without images.*cat/),
        "2 contact sheets that Selfsight made were left out: look.png, preview.png.",
      ],
    ]);
  });
});

it("thumbnails that network drives keep are not images of the set", async () => {
  const { splits } = await openImages(
    makeTree(root, {
      "1.png": png as Buffer,
      "@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg": jpeg as Buffer,
      "__MACOSX/1.png": png as Buffer,
    }),
  );
  expect(idsOf(splits["all"])).toEqual(["1.png"]);
});

it.runIf(process.platform !== "win32")("a pipe does not block the scan", async () => {
  const folder = makeTree(root, { "1.png": png as Buffer });
  execFileSync("mkfifo", [join(folder, "pipe.png"), join(folder, "pipe")]);
  symlinkSync(join(folder, "pipe"), join(folder, "link.png"));
  expect(readdirSync(folder)).toHaveLength(4);
  expect(idsOf((await openImages(folder)).splits["all"])).toEqual(["1.png"]);
});
