/** The three example diffs of CONTRIBUTING.md apply to the current source, and what they add can be used. */
import { execFileSync } from "node:child_process";
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { makePictures, scratch } from "./images.ts";
import { asFlags, smallRun } from "./small-run.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const diffs = [...readFileSync(join(root, "CONTRIBUTING.md"), "utf8").matchAll(/```diff\n(.*?)```/gs)].map(
  ([, diff = ""]) => diff,
);

test("each is at most 40 lines", () => {
  expect(diffs).toHaveLength(3);
  for (const diff of diffs) expect(diff.trimEnd().split("\n").length).toBeLessThanOrEqual(40);
});

test("a new task trains a new model, and a new protocol evaluates it", async () => {
  const folder = scratch();
  const copy = join(folder, "copy");
  for (const part of ["src", "package.json", "tsconfig.json", "tsconfig.build.json"])
    cpSync(join(root, part), join(copy, part), { recursive: true });
  for (const part of ["node_modules", "build", "native"]) symlinkSync(join(root, part), join(copy, part));
  for (const [i, diff] of diffs.entries()) {
    writeFileSync(join(folder, `${i}.diff`), diff);
    execFileSync("git", ["apply", "--unidiff-zero", join(folder, `${i}.diff`)], { cwd: copy });
  }
  const run = (command: string, args: readonly string[]) =>
    execFileSync(process.execPath, [join(copy, command), ...args], { cwd: copy, encoding: "utf8", stdio: "pipe" });
  run("node_modules/typescript/bin/tsc", ["-p", "tsconfig.build.json", "--noEmit"]);

  const pictures = await makePictures(join(folder, "pictures"), { count: 30, classes: ["one", "two"] });
  const selfsight = (...args: string[]) => run("node_modules/tsx/dist/cli.mjs", ["src/cli/main.ts", ...args]);
  const out = join(folder, "run");
  const { model: _, stem: __, ...rest } = smallRun;
  const flags = asFlags({ ...rest, task: "upside-down", model: "tiny", epochs: 30, learningRate: 0.02, out });
  selfsight("pretrain", pictures, ...flags);
  const last = readFileSync(join(out, "metrics.jsonl"), "utf8").trimEnd().split("\n").at(-1) ?? "";
  expect(JSON.parse(last).accuracy).toBeGreaterThan(0.8); // up is brighter than down
  const table = selfsight("evaluate", out, pictures, "--protocol", "centroid", "--labels-per-class", "5");
  expect(table).toMatch(/centroid · 5 labels per class/);
  expect(table).toMatch(/conv2 .*\n.*output/);
}, 240_000);
