import { expect, test } from "vitest";
import { type Part, partOf } from "../../src/evaluate/parts.ts";

test("a part of a part has the named images once each, and knows their new places", async () => {
  const asked: number[][] = [];
  const whole = {
    labels: Int32Array.of(5, 6, 7, 8),
    groups: Int32Array.of(0, 1, 2, 1),
    set: "the set",
    store: {
      length: 4,
      source: Int32Array.of(10, 11, 12, 13),
      get: (indices: Int32Array) => {
        asked.push([...indices]);
        return Promise.resolve(new Uint8Array(indices.length));
      },
    },
  } as unknown as Part;
  const { part, rowsOf } = partOf(whole, [3, 1, 3]);
  expect(part.store.length).toBe(2);
  expect([...part.labels]).toEqual([6, 8]);
  expect([...part.store.source]).toEqual([11, 13]);
  expect(part.groups).toEqual(Int32Array.of(0, 0));
  expect(partOf(whole, [0, 1]).part.groups).toBeUndefined(); // each is alone
  expect(rowsOf([3, 1, 3])).toEqual([1, 0, 1]);
  await part.store.get(Int32Array.of(1, 0));
  expect(asked).toEqual([[3, 1]]);
});
