import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

const script = fileURLToPath(new URL("../scripts/house.mjs", import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "house-"));
  execFileSync("git", ["init", "-q"], { cwd: folder });
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Writes the files, and returns the script's lines and exit code. */
function check(files: Record<string, string | Uint8Array>): { lines: string[]; code: number | null } {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  const { stdout, stderr, status } = spawnSync(process.execPath, [script, folder], { encoding: "utf8" });
  expect(stderr).toBe("");
  return { lines: stdout.split("\n").filter(Boolean), code: status };
}

const lines = (count: number) => "// line\n".repeat(count);

it("finds nothing in this repository", () => {
  const { stdout, status } = spawnSync(process.execPath, [script], { encoding: "utf8" });
  expect({ stdout, status }).toEqual({ stdout: "", status: 0 });
});

it("finds nothing if all is well", () => {
  const fine = check({
    "src/errors.ts": "export class Wrong extends Error {}\n",
    "src/setup/setup.ts": 'import { Wrong } from "../errors.ts";\n',
    "src/torch/ops.ts": 'import { setup } from "../setup/setup.ts";\n',
    "src/cli/main.ts": 'import fs from "node:fs";\nimport { ops } from "../torch/ops.ts";\n',
    "src/index.ts": 'export * from "./cli/main.ts";\n',
    "src/tasks/a.ts": lines(150),
    "src/models/a.ts": lines(250),
    "native/a.cc": lines(300),
    "test/a.test.ts": lines(400),
    "data.json": lines(500),
    "picture.png": Uint8Array.of(0, ...Buffer.from(["", "root", "x"].join("/"))),
    "package-lock.json": '{ "resolved": "file:x" }\n',
  });
  expect(fine).toEqual({ lines: [], code: 0 });
});

it.each([
  ["a static import", 'import { loop } from "../train/loop.ts";'],
  ["a type", 'import type { Loop } from "../train/loop.ts";'],
  ["several lines", 'import {\n  a,\n  b,\n} from "../train/loop.ts";'],
  ["effects alone", 'import "../train/loop.ts";'],
  ["a re-export", 'export { loop } from "../train/loop.ts";'],
  ["all of it", 'export * from "../train/loop.ts";'],
  ["a dynamic import", 'const loop = await import("../train/loop.ts");'],
  ["a template", "const loop = await import(`../train/loop.ts`);"],
  ["a call of several lines", 'const loop = await import(\n  "../train/loop.ts"\n);'],
])("finds an import from a lower layer: %s", (_, statement) => {
  const { lines: found, code } = check({ "src/tasks/a.ts": `${statement}\n`, "src/train/loop.ts": "\n" });
  expect(found).toEqual(["src/tasks/a.ts: imports src/train/loop.ts, which stands below it"]);
  expect(code).toBe(1);
});

it.each([
  ["src/errors.ts", "./torch/ops.ts", "src/torch/ops.ts"],
  ["src/setup/setup.ts", "../torch/ops.ts", "src/torch/ops.ts"],
  ["src/cli/main.ts", "../index.ts", "src/index.ts"],
  ["src/cli/main.ts", "selfsight", "src/index.ts"],
])("%s must not import %s", (file, specifier, target) => {
  const { lines: found } = check({ [file]: `import { x } from "${specifier}";\n`, [target]: "\n" });
  expect(found).toEqual([`${file}: imports ${target}, which stands below it`]);
});

it("finds a folder that belongs to no layer", () => {
  expect(check({ "src/utils/a.ts": "\n" }).lines).toEqual([
    "src/utils/a.ts: belongs to no layer; scripts/house.mjs lists them",
  ]);
});

it("finds import cycles, also of three files and of types", () => {
  const { lines: found, code } = check({
    "src/torch/a.ts": 'import { b } from "./b.ts";\n',
    "src/torch/b.ts": 'import type { C } from "./nn/c.ts";\n',
    "src/torch/nn/c.ts": 'import { a } from "../a.ts";\n',
    "src/data/self.ts": 'import { x } from "./self.ts";\n',
  });
  expect(found).toEqual([
    "src/data/self.ts: imports in a circle: src/data/self.ts > src/data/self.ts",
    "src/torch/a.ts: imports in a circle: src/torch/a.ts > src/torch/b.ts > src/torch/nn/c.ts > src/torch/a.ts",
  ]);
  expect(code).toBe(1);
});

it.each([
  ["src/tasks/a.ts", 150],
  ["src/models/a.ts", 250],
  ["src/data/a.ts", 300],
  ["native/a.cc", 300],
  ["scripts/a.py", 300],
  ["test/a.test.ts", 400],
])("finds that %s has more than %d lines", (file, most) => {
  const { lines: found, code } = check({ [file]: lines(most + 1) });
  expect(found).toEqual([`${file}: ${most + 1} lines, at most ${most}: split it, or delete`]);
  expect(code).toBe(1);
});

it.each([
  ["a path of one machine", ["", "root", ".cache"].join("/")],
  ["a path of one machine", `see "${["", "home", "ada", "x"].join("/")}"`],
  ["a path of one machine", `file://${["", "work", "main"].join("/")}`],
  ["a path of one machine", ["", "mnt", "disk"].join("/")],
  ["a path of one machine", ["C:", "Users", "ada"].join("\\")],
  ["a package registry's host", `https://${["registry", "npmjs", "org"].join(".")}/zod`],
  ["a package registry's host", `https://${["pypi", "org"].join(".")}/simple`],
  ["an unfinished note", `// ${"TO"}${"DO"}: later`],
  ["an unfinished note", `# ${"FIX"}${"ME"}`],
])("finds %s: %s", (what, text) => {
  const { lines: found, code } = check({ "notes.md": `fine\n${text}\n` });
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(`notes.md:2: ${what}: `);
  expect(code).toBe(1);
});

it("ignores other paths and words", () => {
  const fine = "src/work/main and ../home/x and a/tmp/b, a mastodon, toDo, https://download.pytorch.org/x\n";
  expect(check({ "notes.md": fine }).lines).toEqual([]);
});

it("finds a registry in npm's settings", () => {
  const { lines: found } = check({
    ".npmrc": "fund=false\n@ours:registry = https://example.org\n",
    "a.md": "registry=\n",
  });
  expect(found).toEqual([".npmrc:2: a package registry: @ours:registry ="]);
});

/** Older ones take no word for it on the command line. */
const git = Number(/version 2\.(\d+)/.exec(execFileSync("git", ["--version"], { encoding: "utf8" }))?.[1]);

it.runIf(git >= 38)("reads a folder that belongs to another user", () => {
  vi.stubEnv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1");
  expect(() => execFileSync("git", ["ls-files"], { cwd: folder, stdio: "pipe" })).toThrow("dubious ownership");
  expect(check({ "b.ts": lines(301) }).lines).toHaveLength(1);
});

it("finds where packages were fetched from", () => {
  const { lines: found } = check({ "package-lock.json": '{\n  "resolved": "https://example.org/zod.tgz"\n}\n' });
  expect(found).toEqual(["package-lock.json:2: names where a package was fetched from"]);
});

it("checks only files that git would track", () => {
  const { lines: found } = check({ ".gitignore": "dist/\n", "dist/a.ts": lines(999), "b.ts": lines(301) });
  expect(found).toEqual(["b.ts: 301 lines, at most 300: split it, or delete"]);
});
