import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isBuilt, isInstalled, isLockCurrent, isNodeRecent, sourceDigest } from "../../scripts/ensure.mjs";

let root: string;

function write(path: string, content: unknown = ""): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), typeof content === "string" ? content : JSON.stringify(content));
}

/** A clone with one dependency, one tool, and a binary for another system, as npm leaves it. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "clone-"));
  const dependencies = { zod: "^4.0.0" };
  const devDependencies = { tsx: "^4.0.0" };
  const packages = { "node_modules/zod": { version: "4.0.1" }, "node_modules/tsx": { version: "4.1.0", dev: true } };
  const foreign = { "node_modules/sharp-other": { version: "1.0.0", optional: true } };
  write("package.json", { dependencies, devDependencies });
  write("package-lock.json", { packages: { "": { dependencies, devDependencies }, ...packages, ...foreign } });
  write("node_modules/.package-lock.json", { packages });
  write("node_modules/zod/package.json", "{}");
  write("node_modules/tsx/package.json", "{}");
  write("tsconfig.json", "{}");
  write("tsconfig.build.json", "{}");
  write("src/a/b.ts", "export const b = 1;");
  write("dist/.built-from", sourceDigest(root));
});
afterEach(() => rmSync(root, { recursive: true }));

describe("isInstalled", () => {
  it("accepts what npm leaves, although another system's binary is missing", () => {
    expect(isInstalled(root)).toBe(true);
  });

  it("refuses to do without a binary for this machine", () => {
    const lacking = (own: object) => {
      const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as { packages: object };
      const binary = { version: "1.0.0", optional: true, os: [process.platform], cpu: [process.arch], ...own };
      write("package-lock.json", { packages: { ...lock.packages, "node_modules/sharp-own": binary } });
      return isInstalled(root);
    };
    expect([{}, { os: ["aix"] }, { cpu: ["mips"] }, { libc: ["none"] }].map(lacking)).toEqual([
      false,
      true,
      true,
      true,
    ]);
  });

  it("requires a complete node_modules", () => {
    rmSync(join(root, "node_modules/zod"), { recursive: true });
    expect(isInstalled(root)).toBe(false);
    rmSync(join(root, "node_modules"), { recursive: true });
    expect(isInstalled(root)).toBe(false);
  });

  it("notices an install that npm did not finish", () => {
    rmSync(join(root, "node_modules/.package-lock.json"));
    expect(isInstalled(root)).toBe(false);
  });

  it("notices a version that differs from the lock file's", () => {
    write("node_modules/.package-lock.json", {
      packages: { "node_modules/zod": { version: "4.0.0" }, "node_modules/tsx": { version: "4.1.0" } },
    });
    expect(isInstalled(root)).toBe(false);
  });

  it("notices a dependency that is missing from the lock file", () => {
    write("package.json", { dependencies: { zod: "^4.0.0", yaml: "^2.0.0" }, devDependencies: { tsx: "^4.0.0" } });
    expect(isLockCurrent(root)).toBe(false);
    expect(isInstalled(root)).toBe(false);
  });
});

describe("isBuilt", () => {
  it("is true until a source changes or is added", () => {
    expect(isBuilt(root)).toBe(true);
    write("src/a/b.ts", "export const b = 2;");
    expect(isBuilt(root)).toBe(false);
    write("src/a/b.ts", "export const b = 1;");
    expect(isBuilt(root)).toBe(true);
    write("src/c.ts");
    expect(isBuilt(root)).toBe(false);
  });

  it("is false without dist", () => {
    rmSync(join(root, "dist"), { recursive: true });
    expect(isBuilt(root)).toBe(false);
  });
});

describe("--build", () => {
  /** Runs the script in the clone, with a compiler that does as told. */
  function build(compiler: string): Promise<number | null> {
    write("package.json", { engines: { node: ">=20" } });
    write("node_modules/typescript/bin/tsc", compiler);
    mkdirSync(join(root, "scripts"), { recursive: true });
    const script = join(root, "scripts", "ensure.mjs");
    copyFileSync(fileURLToPath(new URL("../../scripts/ensure.mjs", import.meta.url)), script);
    return new Promise((resolve) => spawn(process.execPath, [script, "--build"]).on("close", resolve));
  }

  it("removes what was compiled from files that are gone", async () => {
    write("dist/.built-from", "something else");
    for (const name of ["a/b", "a/gone"]) for (const end of [".js", ".js.map", ".d.ts"]) write(`dist/${name}${end}`);
    expect(await build("")).toBe(0);
    expect(isBuilt(root)).toBe(true);
    const left = ["a/b.js", "a/b.d.ts", "a/gone.js", "a/gone.js.map", "a/gone.d.ts"];
    expect(left.map((file) => existsSync(join(root, "dist", file)))).toEqual([true, true, false, false, false]);
  });

  it("trusts nothing that a failed compiler leaves", async () => {
    expect(isBuilt(root)).toBe(true);
    expect(await build("process.exit(2)")).toBe(1);
    expect(isBuilt(root)).toBe(false);
  });

  it.runIf(process.platform === "linux")("lets one process compile at a time", async () => {
    const compiler = `const { appendFileSync } = require("node:fs");
      appendFileSync("log", "in ");
      setTimeout(() => appendFileSync("log", "out "), 500);`;
    expect(await Promise.all([build(compiler), build(compiler)])).toEqual([0, 0]);
    expect(readFileSync(join(root, "log"), "utf8")).toBe("in out in out ");
  });
});

describe("isNodeRecent", () => {
  it("compares numbers, not text", () => {
    expect(isNodeRecent("20.19.0", ">=20.19")).toBe(true);
    expect(isNodeRecent("20.9.0", ">=20.19")).toBe(false);
    expect(isNodeRecent("18.20.0", ">=20.19")).toBe(false);
    expect(isNodeRecent("100.0.0", ">=20.19")).toBe(true);
    const range = "^20.19 || >=22.12"; // Observable Plot is required, which older ones cannot do with modules
    const inRange = ["20.18.9", "20.19.0", "21.7.0", "22.11.0", "22.12.0", "24.0.0"].filter((one) =>
      isNodeRecent(one, range),
    );
    expect(inRange).toEqual(["20.19.0", "22.12.0", "24.0.0"]);
  });
});
