import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { makeFolder, removeEmpty } from "../../src/setup/folders.ts";
import { scratch } from "../images.ts";

const root = scratch();

it("makes and returns missing folders, and removes those that are empty", () => {
  const deep = join(root, "a", "b", "c");
  const made = makeFolder(deep);
  expect(made).toEqual([join(root, "a"), join(root, "a", "b"), deep]);
  expect(makeFolder(deep)).toEqual([]);
  writeFileSync(join(root, "a", "kept"), "");
  removeEmpty(made);
  expect([existsSync(join(root, "a", "b")), existsSync(join(root, "a"))]).toEqual([false, true]);
});

it("follows links to folders", () => {
  mkdirSync(join(root, "real"));
  symlinkSync(join(root, "real"), join(root, "link"));
  makeFolder(join(root, "link", "inner"));
  expect(existsSync(join(root, "real", "inner"))).toBe(true);
});

it("rejects impossible paths, with the system's code", () => {
  writeFileSync(join(root, "file"), "");
  symlinkSync(join(root, "nowhere"), join(root, "dangling"));
  symlinkSync(join(root, "loop"), join(root, "loop"));
  const codeOf = (path: string) => {
    try {
      return makeFolder(path);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
  };
  expect(codeOf(join(root, "file"))).toBe("ENOTDIR");
  expect(codeOf(join(root, "file", "inner"))).toBe("ENOTDIR");
  expect(codeOf(join(root, "dangling"))).toBe("EEXIST");
  expect(codeOf(join(root, "loop", "inner"))).toBe("ELOOP");
  expect(codeOf(join(root, "x".repeat(300)))).toBe("ENAMETOOLONG");
});

it.runIf(process.platform === "linux")("throws on a file system that answers ENOENT", () => {
  expect(() => makeFolder("/proc/selfsight/a/b")).toThrow(/ENOENT/);
});
