import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export const extension = process.platform === "darwin" ? "dylib" : "so";
const newAbi = "_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE";

export type Version = readonly [major: number, minor: number, patch: number];

/** Writes the files that setup looks at, laid out as in a libtorch archive. */
export function fakeLibtorch(home: string, [major, minor, patch]: Version, libc10 = newAbi): void {
  const write = (path: string, text = "") => writeInto(home, path, text);
  const api = "include/torch/csrc/api/include/torch";
  write("include/ATen/ATen.h");
  write(`${api}/torch.h`);
  const header = { MAJOR: major, MINOR: minor, PATCH: patch };
  const lines = Object.entries(header).map(([name, value]) => `#define TORCH_VERSION_${name} ${value}`);
  write(`${api}/version.h`, lines.join("\n"));
  write(`lib/libtorch_cpu.${extension}`, `${major}.${minor}.${patch}`);
  write(`lib/libc10.${extension}`, `\0\u007fELF\0${libc10}\0`);
}

/** Writes a file and makes its folder. */
export function writeInto(folder: string, path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text, { mode });
}
