import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { claimResultFile } from "../../src/evaluate/place.ts";
import { scratch } from "../images.ts";

const folder = scratch();

it("gives every evaluation its own folder", () => {
  const wanted = join(folder, "evals", "default", "result.json");
  const claimed = [1, 2, 3].map(() => claimResultFile(wanted));
  expect(claimed).toEqual(
    ["default", "default-2", "default-3"].map((name) => join(folder, "evals", name, "result.json")),
  );
  expect(claimed.every((file) => existsSync(file))).toBe(true);
});

it("says why it cannot create one", () => {
  writeFileSync(join(folder, "file"), "");
  expect(() => claimResultFile(join(folder, "file", "evals", "result.json"))).toThrow(/cannot be written: .*ENOTDIR/);
});
