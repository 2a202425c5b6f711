import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  findInEnvironment,
  folderPlace,
  inspectAgain,
  inspectLibtorch,
  type Libtorch,
} from "../../src/setup/libtorch.ts";
import { extension, type Version, fakeLibtorch as writeFakeLibtorch, writeInto } from "./fake-libtorch.ts";

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "libtorch-"));
});
afterEach(() => rmSync(home, { recursive: true }));

const write = (path: string, text = "") => writeInto(home, path, text);
const fakeLibtorch = (version: Version, libc10?: string) => writeFakeLibtorch(home, version, libc10);

describe("inspectLibtorch", () => {
  it("reads version, folders and ABI", () => {
    fakeLibtorch([2, 4, 1]);
    expect(inspectLibtorch(folderPlace(home), "archive")).toEqual({
      version: "2.4.1",
      includeDirs: [join(home, "include"), join(home, "include/torch/csrc/api/include")],
      libDirs: [join(home, "lib")],
      abi: 1,
      source: "archive",
      cuda: false,
    });
  });

  it("reads the version of newer headers, which keep it elsewhere", () => {
    fakeLibtorch([2, 0, 0]);
    write("include/torch/csrc/api/include/torch/version.h", "#include <torch/headeronly/version.h>");
    write(
      "include/torch/headeronly/version.h",
      "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 15\n#define TORCH_VERSION_PATCH 0\n",
    );
    expect(inspectLibtorch(folderPlace(home), "python")).toMatchObject({ version: "2.15.0" });
  });

  it("prefers the version from the archive or the Python package, because it names the build", () => {
    fakeLibtorch([2, 7, 1]);
    write("version.py", "__version__ = '2.7.1+cu128'\n");
    expect(inspectLibtorch(folderPlace(home), "python")).toMatchObject({ version: "2.7.1+cu128" });
    write("build-version", "2.7.1+cpu\n");
    expect(inspectLibtorch(folderPlace(home), "archive")).toMatchObject({ version: "2.7.1+cpu" });
  });

  it.skipIf(process.platform === "darwin")("recognises the old ABI by the absence of the new names", () => {
    fakeLibtorch([2, 4, 1], "_ZNSsC1EPKcRKSaIcE");
    expect(inspectLibtorch(folderPlace(home), "archive")).toMatchObject({ abi: 0 });
  });

  it("finds the CUDA libraries", () => {
    fakeLibtorch([2, 4, 1]);
    write(`lib/libtorch_cuda.${extension}`);
    expect(inspectLibtorch(folderPlace(home), "archive")).toMatchObject({ cuda: true });
  });

  it("says what is missing and what is too old", () => {
    expect(inspectLibtorch(folderPlace(home), "archive")).toBe(`no ATen/ATen.h in ${join(home, "include")}`);
    fakeLibtorch([1, 12, 9]);
    expect(inspectLibtorch(folderPlace(home), "archive")).toMatch(/^libtorch 1\.12\.9 in .*lib is older than 1\.13$/);
    for (const minor of [0, 3]) {
      fakeLibtorch([2, minor, 1]);
      expect(inspectLibtorch(folderPlace(home), "python")).toMatch(
        /^libtorch 2\..* lacks what the addon needs: .*2\.4 or/,
      );
    }
    for (const version of [
      [1, 13, 0],
      [2, 4, 0],
      [2, 30, 0],
    ] as const) {
      fakeLibtorch(version);
      expect(inspectLibtorch(folderPlace(home), "archive")).toMatchObject({ version: version.join(".") });
    }
    rmSync(join(home, `lib/libtorch_cpu.${extension}`));
    expect(inspectLibtorch(folderPlace(home), "archive")).toMatch(/^no libtorch_cpu\..* in .*lib$/);
  });
});

describe("inspectAgain", () => {
  function found(source: Libtorch["source"]): Libtorch {
    const libtorch = inspectLibtorch(folderPlace(home), source);
    if (typeof libtorch === "string") throw new Error(libtorch);
    return libtorch;
  }

  it("returns the same while nothing changes", () => {
    fakeLibtorch([2, 7, 1]);
    expect(inspectAgain(found("system"))).toEqual(found("system"));
    write("version.py", "__version__ = '2.7.1+cpu'\n");
    expect(inspectAgain(found("python"))).toEqual(found("python"));
  });

  it("notices another version in the same folders, and one that is too old or gone", () => {
    fakeLibtorch([2, 7, 1]);
    write("version.py", "__version__ = '2.7.1+cpu'\n");
    const before = found("python");
    fakeLibtorch([2, 8, 0], "_ZNSsC1EPKcRKSaIcE");
    write("version.py", "__version__ = '2.8.0+cu128'\n");
    write(`lib/libtorch_cuda.${extension}`);
    const abi = process.platform === "darwin" ? 1 : 0;
    expect(inspectAgain(before)).toEqual({ ...before, version: "2.8.0+cu128", abi, cuda: true });
    write("version.py", "__version__ = '2.3.0'\n");
    expect(inspectAgain(before)).toMatch(/^libtorch 2\.3\.0 in .* lacks what the addon needs/);
    rmSync(join(home, "include"), { recursive: true });
    expect(inspectAgain(before)).toMatch(/^no ATen/);
  });
});

describe("findInEnvironment", () => {
  it("takes LIBTORCH, or LIBTORCH_INCLUDE and LIBTORCH_LIB with or without the last folder", () => {
    fakeLibtorch([2, 4, 1]);
    const found = { version: "2.4.1", source: "env" };
    expect(findInEnvironment({ LIBTORCH: home })).toMatchObject(found);
    expect(findInEnvironment({ LIBTORCH_INCLUDE: home, LIBTORCH_LIB: home })).toMatchObject(found);
    expect(
      findInEnvironment({ LIBTORCH_INCLUDE: join(home, "include"), LIBTORCH_LIB: join(home, "lib") }),
    ).toMatchObject(found);
  });

  it("makes relative paths absolute, for CMake works in another folder", () => {
    fakeLibtorch([2, 4, 1]);
    expect(findInEnvironment({ LIBTORCH: relative(process.cwd(), home) })).toMatchObject({
      libDirs: [join(home, "lib")],
    });
  });

  it("says so when it is unset or wrong", () => {
    expect(findInEnvironment({})).toBe("$LIBTORCH is not set");
    expect(findInEnvironment({ LIBTORCH: home })).toBe(`$LIBTORCH names no libtorch: no ATen/ATen.h in ${home}`);
  });
});
