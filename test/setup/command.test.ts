/** The command `selfsight` in a clone, before and after set-up. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { scratch } from "../images.ts";

test("says how to set up while dist/ is missing, and then runs what is there", () => {
  const root = scratch();
  const script = join(root, "scripts", "selfsight.mjs");
  mkdirSync(join(root, "scripts"));
  copyFileSync(fileURLToPath(new URL("../../scripts/selfsight.mjs", import.meta.url)), script);
  const selfsight = () => spawnSync(process.execPath, [script, "doctor"], { encoding: "utf8" });
  expect(selfsight()).toMatchObject({ status: 1, stdout: "", stderr: expect.stringContaining("npm run setup") });
  mkdirSync(join(root, "dist", "cli"), { recursive: true });
  writeFileSync(join(root, "package.json"), '{"type":"module"}');
  writeFileSync(join(root, "dist", "cli", "main.js"), "console.log(process.argv[2]); process.exitCode = 3;");
  expect(selfsight()).toMatchObject({ status: 3, stdout: "doctor\n", stderr: "" });
});
