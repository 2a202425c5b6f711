import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("the garbage collector frees tensors that were dropped outside of scopes, and knows their size", () => {
  const child = fileURLToPath(new URL("./collect-child.mjs", import.meta.url));
  const { most } = JSON.parse(execFileSync(process.execPath, [child], { encoding: "utf8" })) as { most: number };
  // 3,000 tensors of 1 MB: their handles alone are too small to trigger the collector. With 4 bytes each, all 3,000 stay.
  expect(most).toBeLessThan(1500);
});
