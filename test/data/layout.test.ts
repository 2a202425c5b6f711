/** Splits and classes from folder names and image counts alone. */

import { describe, expect, it, test } from "vitest";
import { arrange } from "../../src/data/classes.ts";
import { plainPart } from "../../src/data/parts.ts";
import type { Folder } from "../../src/data/scan.ts";
import { UsageError } from "../../src/errors.ts";
import fc from "../fast-check.ts";

/** A tree from counts like { "train/cat": 3 }, in any order. `order` sorts the children of each folder. */
function treeOf(
  counts: Readonly<Record<string, number>>,
  order = (a: string, b: string): number => (a < b ? -1 : 1),
): Folder {
  const build = (path: string, name: string): Folder => {
    const inside = path === "" ? "" : `${path}/`;
    const below = Object.keys(counts).filter((key) => key.startsWith(inside) && key !== path && key !== "");
    const names = [...new Set(below.map((key) => key.slice(inside.length).split("/")[0] as string))].sort(order);
    const children = names.map((child) => build(inside + child, child));
    const own = counts[path] ?? 0;
    return { name, path, own, total: children.reduce((sum, { total }) => sum + total, own), children };
  };
  return build("", "");
}

/** The split and class of each folder: "train: cat", or "test" without a label. Folders that are left out are missing. */
function arranged(counts: Readonly<Record<string, number>>, order?: (a: string, b: string) => number) {
  const { places, classes } = arrange(treeOf(counts, order));
  const said = Object.keys(counts).flatMap((path) => {
    const place = counts[path] ? places.get(path) : undefined;
    if (!place) return [];
    return [[path, place.label < 0 ? place.part : `${place.part}: ${classes?.[place.label]}`]];
  });
  return Object.fromEntries(said) as Record<string, string>;
}

/** These folders, with ten images each. */
const ten = (...paths: string[]) => Object.fromEntries(paths.map((path) => [path, 10]));
const within = (folders: string[], inner: string[]) =>
  folders.flatMap((folder) => inner.map((name) => `${folder}/${name}`));

test("a part's folder that only holds parts is none itself", () => {
  const classes = ["cat", "dog"];
  const parts = (of: string, inner: Record<string, string>) =>
    Object.fromEntries(
      Object.entries(inner).flatMap(([name, part]) =>
        classes.map((kind) => [`${of}/${name}/${kind}`, `${part}: ${kind}`]),
      ),
    );
  const inner = parts("trainval", { train: "train", val: "validation" });
  expect(arranged(ten(...Object.keys(inner)))).toEqual(inner);
  const beside = { ...inner, "test/cat": "test: cat", "test/dog": "test: dog" };
  expect(arranged(ten(...Object.keys(beside)))).toEqual(beside);
  const rooms = within(["train/cat", "train/dog"], ["indoor", "outdoor"]); // classes that have the same sub-folders
  expect(arranged(ten(...rooms))).toEqual(
    Object.fromEntries(rooms.map((path) => [path, `train: ${path.split("/")[1]}`])),
  );
  const unlabelled = ten("train/cat", "train/dog", "test/cat", "test/dog", "unlabelled/train", "unlabelled/test");
  expect(arranged(unlabelled)).toMatchObject({ "unlabelled/train": "unlabelled", "unlabelled/test": "unlabelled" });
});

describe("the layouts that people use", () => {
  it.each<[string, Record<string, number>, Record<string, string>]>([
    ["classes", ten("cat", "dog"), { cat: "all: cat", dog: "all: dog" }],
    [
      "parts of other names",
      ten(...within(["Training", "dev"], ["cat", "dog"])),
      {
        "Training/cat": "train: cat",
        "Training/dog": "train: dog",
        "dev/cat": "validation: cat",
        "dev/dog": "validation: dog",
      },
    ],
    [
      "parts that only their contents show",
      ten(...within(["siteA", "siteB"], ["cat", "dog"])),
      { "siteA/cat": "siteA: cat", "siteA/dog": "siteA: dog", "siteB/cat": "siteB: cat", "siteB/dog": "siteB: dog" },
    ],
    [
      "one known part, and one like it",
      ten(...within(["train", "mine"], ["cat", "dog"])),
      { "train/cat": "train: cat", "train/dog": "train: dog", "mine/cat": "mine: cat", "mine/dog": "mine: dog" },
    ],
    [
      "a folder of images between domain and classes",
      ten(...within(["amazon/images", "dslr/images"], ["mug", "pen"])),
      {
        ...{ "amazon/images/mug": "amazon: mug", "amazon/images/pen": "amazon: pen" },
        ...{ "dslr/images/mug": "dslr: mug", "dslr/images/pen": "dslr: pen" },
      },
    ],
    [
      "classes first, then parts",
      ten(...within(["cat", "dog"], ["train", "test"])),
      { "cat/train": "train: cat", "cat/test": "test: cat", "dog/train": "train: dog", "dog/test": "test: dog" },
    ],
    [
      "two levels down, beside a file or two",
      { "": 2, ...ten(...within(["dataset/images/train", "dataset/images/val"], ["cat", "dog"])) },
      {
        ...{ "dataset/images/train/cat": "train: cat", "dataset/images/train/dog": "train: dog" },
        ...{ "dataset/images/val/cat": "validation: cat", "dataset/images/val/dog": "validation: dog" },
      },
    ],
    [
      "a folder of images in each part",
      ten(...within(["train/images", "test/images"], ["cat", "dog"])),
      {
        ...{ "train/images/cat": "train: cat", "train/images/dog": "train: dog" },
        ...{ "test/images/cat": "test: cat", "test/images/dog": "test: dog" },
      },
    ],
    ["parts without classes", ten("train", "test"), { train: "train", test: "test" }],
    [
      "images without classes in each part",
      ten("train/images", "valid/images"),
      { "train/images": "train", "valid/images": "validation" },
    ],
    [
      "classes for training, a flat test",
      ten("train/cat", "train/dog", "test"),
      { "train/cat": "train: cat", "train/dog": "train: dog", test: "test" },
    ],
    ["a part that is alone", ten("train/cat", "train/dog"), { "train/cat": "train: cat", "train/dog": "train: dog" }],
    [
      "a part in several folders",
      ten(...within(["train2014", "train2017", "val2017"], ["cat", "dog"])),
      {
        ...{ "train2014/cat": "train: cat", "train2014/dog": "train: dog", "train2017/cat": "train: cat" },
        ...{ "train2017/dog": "train: dog", "val2017/cat": "validation: cat", "val2017/dog": "validation: dog" },
      },
    ],
    [
      "a word beside the part's",
      ten("bounding_box_train", "bounding_box_test"),
      { bounding_box_train: "train", bounding_box_test: "test" },
    ],
    [
      "class and part in one name",
      ten("cats_train", "cats_test", "dogs_train", "dogs_test"),
      { cats_train: "train: cats", cats_test: "test: cats", dogs_train: "train: dogs", dogs_test: "test: dogs" },
    ],
    [
      "unlabelled images beside classes",
      ten("cat", "dog", "unlabeled"),
      { cat: "train: cat", dog: "train: dog", unlabeled: "unlabelled" },
    ],
    [
      "classes beside a test of the same classes",
      ten("cat", "dog", "val/cat", "val/dog"),
      { cat: "train: cat", dog: "train: dog", "val/cat": "validation: cat", "val/dog": "validation: dog" },
    ],
    ["a copy beside the classes", ten("cat", "dog", "backup/cat", "backup/dog"), { cat: "all: cat", dog: "all: dog" }],
    [
      "documents beside the data",
      { ...ten("data/train/cat", "data/train/dog", "data/test/cat", "data/test/dog"), docs: 3 },
      {
        ...{ "data/train/cat": "train: cat", "data/train/dog": "train: dog" },
        ...{ "data/test/cat": "test: cat", "data/test/dog": "test: dog" },
      },
    ],
    [
      "masks in each class",
      ten(...within(["covid", "normal"], ["images", "masks"])),
      { "covid/images": "all: covid", "normal/images": "all: normal" },
    ],
    [
      "folders in folders of the same name (as of Kaggle)",
      ten("seg_train/seg_train/sea", "seg_train/seg_train/ice", "seg_test/seg_test/sea", "seg_pred/seg_pred"),
      {
        "seg_train/seg_train/sea": "train: sea",
        "seg_train/seg_train/ice": "train: ice",
        "seg_test/seg_test/sea": "test: sea",
      },
    ],
    [
      "classes in one part, a folder of images in the other (as of Tiny ImageNet)",
      ten("train/n01/images", "train/n02/images", "val/images", "test/images"),
      {
        "train/n01/images": "train: n01",
        "train/n02/images": "train: n02",
        "val/images": "validation",
        "test/images": "test",
      },
    ],
    [
      "a class called like a folder of images",
      ten("train/photo", "train/sketch", "test/photo"),
      { "train/photo": "train: photo", "train/sketch": "train: sketch", "test/photo": "test: photo" },
    ],
    [
      "a part of another name beside what it is of",
      ten(...within(["rps", "rps-test-set"], ["rock", "paper"])),
      {
        "rps/rock": "rps: rock",
        "rps/paper": "rps: paper",
        "rps-test-set/rock": "test: rock",
        "rps-test-set/paper": "test: paper",
      },
    ],
    [
      "sets of their own, each in parts (as of MVTec)",
      ten(...within(["nut", "pill"], ["train/good", "test/good", "test/bent", "ground_truth/bent"])),
      Object.fromEntries(
        ["nut", "pill"].flatMap((set) => [
          [`${set}/train/good`, "train: good"],
          [`${set}/test/good`, "test: good"],
          [`${set}/test/bent`, "test: bent"],
        ]),
      ),
    ],
    [
      "unlabelled images beside the classes of a part",
      ten("train/cat", "train/dog", "train/unlabelled", "test/cat", "test/dog"),
      {
        ...{ "train/cat": "train: cat", "train/dog": "train: dog", "train/unlabelled": "train" },
        ...{ "test/cat": "test: cat", "test/dog": "test: dog" },
      },
    ],
    [
      "names in other cases",
      ten("Train/Cat", "Train/dog", "TEST/cat", "TEST/Dog"),
      { "Train/Cat": "train: Cat", "Train/dog": "train: dog", "TEST/cat": "test: Cat", "TEST/Dog": "test: dog" },
    ],
  ])("%s", (_, counts, expected) => {
    expect(arranged(counts)).toEqual(expected);
  });
});

describe("classes with names of splits", () => {
  it.each([
    ["a vehicle", ten("bus", "train", "tram")],
    ["a vehicle, seen from two sides", ten(...within(["bus", "train", "tram"], ["2023", "2024"]))],
    ["what is valid and what is not", ten("valid", "invalid")],
    ["two of four", ten("bus", "car", "train", "test")],
    ["things that begin alike", ten("train_station", "test_tube")],
    ["letters in both cases", ten("a", "A", "b")],
  ])("%s", (_, counts) => {
    for (const [path, said] of Object.entries(arranged(counts))) expect(said).toBe(`all: ${path.split("/")[0]}`);
  });

  it("are noted", () => {
    expect(arrange(treeOf(ten("bus", "train"))).notes).toEqual([
      expect.stringMatching(/^The folder train is taken for a class/),
    ]);
  });
});

it("refuses the folds of a cross-validation", () => {
  expect(() => arrange(treeOf(ten(...within(["fold1", "fold2"], ["train/cat", "train/dog", "test/cat"]))))).toThrow(
    /fold1, fold2 are each split into parts.*Name one of them: fold1/,
  );
});

it("keeps the images of a person together if each person has a folder with all classes", () => {
  const people = Array.from({ length: 20 }, (_, i) => `p${i}`);
  const { places, classes, parts } = arrange(treeOf(ten(...within(people, ["0", "1"]))));
  expect([classes, parts]).toEqual([["0", "1"], ["all"]]);
  expect(places.get("p3/1")).toEqual({ part: "all", label: 1, group: "p3" });
});

/** Names of neither splits nor containers. */
const classNames = fc.uniqueArray(
  fc
    .stringMatching(/^[b-z]{2}[a-z0-9]{1,5}$/)
    .filter((name) => !plainPart(name) && arrange(treeOf(ten(name, "zz"))).notes.length === 0),
  { minLength: 2, maxLength: 6 },
);
const someNames = {
  train: ["train", "Training", "TRN", "train2017", "images_train", "train-set"],
  validation: ["val", "Valid", "validation", "dev", "DEVEL", "val_split"],
  test: ["test", "testing", "tst", "holdout", "held-out", "Test Set", "test_images"],
};

describe("any tree", () => {
  test("with two splits has exactly their classes, for any names of splits", () => {
    const partNames = fc.tuple(...Object.values(someNames).map((names) => fc.constantFrom(...names)));
    fc.assert(
      fc.property(
        partNames,
        fc.integer({ min: 0, max: 2 }),
        classNames,
        fc.constantFrom("", "set/", "a/images/"),
        (names, left, classes, above) => {
          const kept = names.filter((_, i) => i !== left);
          const expected = Object.keys(someNames).filter((_, i) => i !== left);
          const counts = ten(...within(kept, classes).map((path) => above + path));
          const { parts, classes: found } = arrange(treeOf(counts));
          expect([parts, found]).toEqual([expected, [...classes].sort()]);
          for (const [path, said] of Object.entries(arranged(counts)))
            expect(said).toMatch(new RegExp(`: ${path.split("/").at(-1)}$`));
        },
      ),
    );
  });

  const path = fc
    .array(
      fc.oneof(
        fc.constantFrom("train", "test", "val", "images", "masks", "unlabelled", "cat", "Cat", "fold1", "fold2"),
        fc.stringMatching(/^[a-z]{1,3}$/),
      ),
      { maxLength: 4 },
    )
    .map((names) => names.join("/"));
  const trees = fc.dictionary(path, fc.integer({ min: 0, max: 30 }), { maxKeys: 12, noNullPrototype: true });

  /** Chance seldom makes trees that are refused. */
  const examples: [Record<string, number>][] = [
    [{ train: 0, test: 5 }],
    [ten(...within(["fold1", "fold2"], ["train/cat", "test/cat"]))],
  ];
  /** Any other error is a fault. */
  const refusal = (error: unknown) => {
    expect(error).toBeInstanceOf(UsageError);
    return "refused"; // which folders the message names depends on their order
  };

  test("is arranged in the same way for any order of its folders", () => {
    fc.assert(
      fc.property(trees, (counts) => {
        const attempt = (order?: (a: string, b: string) => number) => {
          try {
            return arranged(counts, order);
          } catch (error) {
            return refusal(error);
          }
        };
        expect(attempt((a, b) => (a < b ? 1 : -1))).toEqual(attempt());
      }),
      { numRuns: 500, examples },
    );
  });

  test("keeps some of its images, in splits and classes that exist", () => {
    fc.assert(
      fc.property(trees, (counts) => {
        const tree = treeOf(counts);
        let arrangement: ReturnType<typeof arrange>;
        try {
          arrangement = arrange(tree);
        } catch (error) {
          return void refusal(error); // folds of a cross-validation, or an empty training folder
        }
        const { places, masks, parts, classes } = arrangement;
        const used = Object.keys(counts).reduce(
          (sum, folder) => sum + (places.has(folder) ? (counts[folder] ?? 0) : 0),
          0,
        );
        const hidden = masks.reduce((sum, { total }) => sum + total, 0);
        for (const { part, label } of places.values()) {
          expect(parts).toContain(part);
          expect(label).toBeLessThan(classes?.length ?? 0);
        }
        expect(classes?.length ?? 2).toBeGreaterThan(1);
        if (tree.total - hidden > 0) expect(used).toBeGreaterThan(0);
      }),
      { numRuns: 1000, examples },
    );
  });
});
