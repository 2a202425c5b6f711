import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("the garbage collector frees tensors that were dropped outside of scopes, and knows their size", () => {
  // 3,000 tensors of 1 MB: their handles alone are too small to trigger the collector. With 4 bytes each, all 3,000 stay.
  expect(runChild("collect-child.mjs")["most"]).toBeLessThan(1500);
});

test("what a scope frees does not set off collections of all garbage", () => {
  // 30 scopes of 400 MB each. When the collector was told of them, there was one in each.
  expect(runChild("collections-child.mjs")["collections"]).toBeLessThan(5);
});

function runChild(name: string): Record<string, number> {
  const child = fileURLToPath(new URL(name, import.meta.url));
  return JSON.parse(execFileSync(process.execPath, [child], { encoding: "utf8" }));
}
