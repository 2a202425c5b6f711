import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readJson, writeJson } from "../src/files.ts";
import { scratch } from "./images.ts";

test("JSON is read as it was written; a file that is missing or damaged gives the default", () => {
  const file = join(scratch(), "value.json");
  expect(readJson(file, "none")).toBe("none");
  writeJson(file, { a: [1, null] });
  expect(readJson(file, "none")).toEqual({ a: [1, null] });
  writeFileSync(file, "{");
  expect(readJson(file, "none")).toBe("none");
});
