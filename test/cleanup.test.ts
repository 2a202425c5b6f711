import { expect, test } from "vitest";
import { withCleanup } from "../src/cleanup.ts";

const failing = (message: string) => () => {
  throw new Error(message);
};

test("runs all cleanups, last one first, and returns the result", async () => {
  const done: string[] = [];
  const result = await withCleanup(async (cleanup) => {
    cleanup.push(
      () => done.push("first"),
      async () => done.push("second"),
    );
    return 7;
  });
  expect([result, done]).toEqual([7, ["second", "first"]]);
});

test("a failure does not stop other cleanups, and the first failure is reported", async () => {
  const done: string[] = [];
  const both = withCleanup(async (cleanup) => {
    cleanup.push(() => done.push("first"), failing("undoing"));
    throw new Error("the cause");
  });
  await expect(both).rejects.toThrow("the cause");
  const undoing = withCleanup(async (cleanup) => void cleanup.push(() => done.push("second"), failing("undoing")));
  await expect(undoing).rejects.toThrow("undoing");
  expect(done).toEqual(["first", "second"]);
});
