import { describe, expect, it, test } from "vitest";
import { columnOf, nameLabels } from "../../src/data/labels.ts";
import fc from "../fast-check.ts";

/** The class name of each image of each file. */
function named(...files: readonly { values: readonly unknown[]; names?: readonly string[] }[]) {
  const found = nameLabels(
    files.map(({ values, names }, i) => ({ file: `file ${i}`, column: columnOf(values), names })),
  );
  const { classes, labels, notes } = found;
  return { classes, notes, named: labels.map((list) => list && Array.from(list, (label) => classes?.[label] ?? null)) };
}

describe("labels", () => {
  test("mean the same class in every file, in whatever order it lists the names", () => {
    const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 });
    const file = names.chain((list) =>
      fc.record({ names: fc.constant(list), values: fc.array(fc.nat(list.length - 1), { maxLength: 10 }) }),
    );
    fc.assert(
      fc.property(fc.array(file, { minLength: 1, maxLength: 4 }), (files) => {
        const { classes = [], named: found, notes } = named(...files);
        expect(notes).toEqual([]);
        expect(new Set(classes).size).toBe(classes.length);
        if (files.some(({ values }) => values.length))
          for (const [k, { names: list, values }] of files.entries())
            expect(found[k]).toEqual(values.map((value) => list[value]));
      }),
    );
  });

  test("without names are numbered in order", () => {
    const values = fc.array(fc.integer({ min: 0 }), { minLength: 1, maxLength: 16 });
    fc.assert(
      fc.property(values, (labels) => {
        const { classes, named: found } = named({ values: labels });
        expect(classes).toEqual([...new Set(labels)].sort((a, b) => a - b).map(String));
        expect(found).toEqual([labels.map(String)]);
      }),
    );
  });

  it("with a list of names keep its order, and names that no image has", () => {
    expect(named({ values: [2, 0], names: ["c", "b", "a"] }).classes).toEqual(["c", "b", "a"]);
  });

  it("with two equal names are two classes", () => {
    const { named: found } = named({ values: [0, 1, 2], names: ["crane", "owl", "crane"] });
    expect(found).toEqual([["crane", "owl", "crane (2)"]]);
  });

  it("can be numbers as text, which are sorted as numbers", () => {
    expect(named({ values: ["10", "9", "b", "a"] }).classes).toEqual(["9", "10", "a", "b"]);
  });

  it.each([
    [
      [-2, -1, 0, 1, 2, -1],
      ["-2", "-1", "0", "1", "2"],
    ],
    [
      [-3, 4],
      ["-3", "4"],
    ],
    [
      [-1, 1, 1],
      ["-1", "1"],
    ],
    [
      ["-1", "cat"],
      ["-1", "cat"],
    ],
  ])("%j are classes, also those below 0", (values, classes) => {
    expect(named({ values })).toEqual({ classes, named: [values.map(String)], notes: [] });
  });

  it("of -1 are none if nothing else is below 0, with a note", () => {
    expect(named({ values: [-1, 0, 1, -1] })).toEqual({
      classes: ["0", "1"],
      named: [[null, "0", "1", null]],
      notes: ["2 images with the label -1 count as unlabelled."],
    });
    expect(named({ values: [-1, 2, 3] }, { values: [-1, -1] }).notes).toEqual([
      "3 images with the label -1 count as unlabelled.",
    ]);
    expect(named({ values: [-1, -1] }).classes).toBeUndefined();
  });

  it("of -1 are none beside a list of names, which begins at 0", () => {
    expect(named({ values: [-1, 1], names: ["no", "yes"] })).toEqual({
      classes: ["no", "yes"],
      named: [[null, "yes"]],
      notes: ["1 image with the label -1 counts as unlabelled."],
    });
    const { named: found, notes } = named({ values: [-1, -2, 1], names: ["no", "yes"] });
    expect(found).toEqual([[null, "-2", "yes"]]);
    expect(notes).toEqual([expect.any(String), expect.stringMatching(/have no name.*: -2\.$/)]);
  });

  it("beyond the list of names are named by their number", () => {
    const { named: found, notes } = named({ values: [0, 5], names: ["a", "b"] });
    expect([found, notes]).toEqual([[["a", "5"]], [expect.stringMatching(/have no name.*: 5\.$/)]]);
  });

  it("without names are not used if other files list names in different orders", () => {
    const { named: found, notes } = named(
      { values: [0], names: ["a", "b"] },
      { values: [0], names: ["b", "a"] },
      { values: [1] },
    );
    expect(found).toEqual([["a"], ["b"], undefined]);
    expect(notes).toEqual([expect.stringMatching(/^The labels of file 2 have no names/)]);
  });

  it("too large for an exact number stay distinct", () => {
    expect(named({ values: [2n ** 60n, 2n ** 60n + 1n, 3n] }).classes).toEqual([
      "3",
      String(2n ** 60n),
      String(2n ** 60n + 1n),
    ]);
  });

  it("are not classes if there are as many as images, unless there are few", () => {
    const ids = Array.from({ length: 30 }, (_, i) => `image ${i}`);
    expect(named({ values: ids }).classes).toBeUndefined();
    expect(named({ values: ids.slice(0, 5) }).classes).toHaveLength(5);
    expect(named({ values: [...ids, ...ids] }).classes).toHaveLength(30);
  });

  it("that are empty, missing or NaN are not labels", () => {
    expect(named({ values: ["", null, undefined, Number.NaN, "a"] }).named).toEqual([[null, null, null, null, "a"]]);
  });
});
