import { expect, it, test } from "vitest";
import { inPartOrder, partName, plainPart } from "../../src/data/parts.ts";
import fc from "../fast-check.ts";

it.each<[string, string[]]>([
  [
    "train",
    [
      "train",
      "Training",
      "TRN",
      "trainset",
      "train2017",
      "train_images",
      "images-train",
      "TrainSet",
      "train.X1",
      "train_64x64",
      "01_train",
      "trainval",
      "train+val",
      "trainA",
      "minitrain",
      "train (2)",
      "partial-train",
      "ｔｒａｉｎ",
    ],
  ],
  [
    "validation",
    ["val", "valid", "Validation", "dev", "devel", "eval", "val2017", "val_split", "ValSet", "validation-set"],
  ],
  [
    "test",
    [
      "test",
      "testing",
      "TST",
      "test-dev",
      "testset",
      "hold_out",
      "held-out",
      "holdout",
      "Test Images",
      "test1",
      "dev_test",
    ],
  ],
  ["unlabelled", ["unlabelled", "Unlabeled", "unsup", "un-labeled", "no_label", "train_unlabeled", "unsupervised"]],
  ["extra", ["extra", "extra_images"]],
])("names for %s", (part, names) => {
  for (const name of names) expect([name, plainPart(name)]).toEqual([name, part]);
});

it("other names are not splits", () => {
  const others = [
    "cat",
    "trainer",
    "station",
    "train_station",
    "bullet train",
    "test_tube",
    "contest",
    "invalid",
    "invalidated",
    "developer",
    "all",
    "data",
    "train_test_split",
    "tests_of_time",
    "",
    "2017",
    "...",
    "restrain",
  ];
  for (const name of others) expect([name, plainPart(name)]).toEqual([name, undefined]);
});

it("the rest of a name", () => {
  expect(partName("cats_train")).toEqual({ part: "train", rest: "cats" });
  expect(partName("bounding_box_test")).toEqual({ part: "test", rest: "bounding box" });
});

test("case and separators make no difference", () => {
  const words = fc.tuple(
    fc.constantFrom("train", "val", "test", "unlabeled", "extra"),
    fc.constantFrom("set", "images", "split", "2017"),
    fc.constantFrom("_", "-", " ", "."),
  );
  fc.assert(
    fc.property(words, fc.boolean(), ([part, filler, between], upper) => {
      for (const name of [part + between + filler, filler + between + part])
        expect(plainPart(upper ? name.toUpperCase() : name)).toBe(plainPart(part));
    }),
  );
});

it("the usual splits come first", () => {
  expect(inPartOrder(["siteB", "unlabelled", "test", "siteA", "train"])).toEqual([
    "train",
    "test",
    "unlabelled",
    "siteA",
    "siteB",
  ]);
});
