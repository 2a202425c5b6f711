import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findInEnvironment, folderPlace, inspectLibtorch } from "../../src/setup/libtorch.ts";

const extension = process.platform === "darwin" ? "dylib" : "so";
const newAbi = "_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE";
let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "libtorch-"));
});
afterEach(() => rmSync(home, { recursive: true }));

function write(path: string, text = ""): void {
  mkdirSync(dirname(join(home, path)), { recursive: true });
  writeFileSync(join(home, path), text);
}

/** Writes the files that setup looks at, laid out as in a libtorch archive. */
function fakeLibtorch(version: [number, number, number], libc10 = newAbi): void {
  const [major, minor, patch] = version;
  const api = "include/torch/csrc/api/include/torch";
  write("include/ATen/ATen.h");
  write(`${api}/torch.h`);
  const header = { MAJOR: major, MINOR: minor, PATCH: patch };
  const lines = Object.entries(header).map(([name, value]) => `#define TORCH_VERSION_${name} ${value}`);
  write(`${api}/version.h`, lines.join("\n"));
  write(`lib/libtorch_cpu.${extension}`);
  write(`lib/libc10.${extension}`, `\0\u007fELF\0${libc10}\0`);
}

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
      fakeLibtorch([...version]);
      expect(inspectLibtorch(folderPlace(home), "archive")).toMatchObject({ version: version.join(".") });
    }
    rmSync(join(home, `lib/libtorch_cpu.${extension}`));
    expect(inspectLibtorch(folderPlace(home), "archive")).toMatch(/^no libtorch_cpu\..* in .*lib$/);
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

  it("says so when it is unset or wrong", () => {
    expect(findInEnvironment({})).toBe("$LIBTORCH is not set");
    expect(findInEnvironment({ LIBTORCH: home })).toBe(`$LIBTORCH names no libtorch: no ATen/ATen.h in ${home}`);
  });
});
