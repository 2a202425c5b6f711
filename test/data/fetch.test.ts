import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import { afterEach, describe, expect, it, vi } from "vitest";
import { checkListing, fetchFile, filesUnder, unpack } from "../../src/data/fetch.ts";
import { SelfsightError } from "../../src/errors.ts";
import { scratch } from "../images.ts";

const root = scratch();
const newFolder = () => mkdtempSync(join(root, "f-"));
afterEach(() => vi.unstubAllGlobals());

/** A .tar.gz with these files. */
async function archive(files: Record<string, string>): Promise<Buffer> {
  const entries = Object.entries(files).map(([name, body]) => ({ header: { name, size: body.length }, body }));
  return gzipSync(await packTar(entries));
}

describe("fetchFile", () => {
  it("reports progress, and does not download existing files", async () => {
    const body = Buffer.alloc(25_000_000, 7);
    const fetch = vi.fn(async () => new Response(body, { headers: { "content-length": String(body.length) } }));
    vi.stubGlobal("fetch", fetch);
    const [folder, lines]: [string, string[]] = [newFolder(), []];
    const file = {
      url: "https://example.com/a/b.bin",
      name: "b.bin",
      md5: createHash("md5").update(body).digest("hex"),
    };
    for (let i = 0; i < 2; i++) await fetchFile(file, folder, (line) => lines.push(line));
    expect(readFileSync(join(folder, "b.bin")).equals(body)).toBe(true);
    expect(fetch).toHaveBeenCalledTimes(1);
    expect(lines[0]).toBe("Downloading https://example.com/a/b.bin");
    expect(lines.slice(1)).toEqual(
      lines.slice(1).map(() => expect.stringMatching(/^Downloading b.bin: \d+ of 25 MB$/)),
    );
    expect(lines.length).toBeGreaterThanOrEqual(2);
    expect(lines.length).toBeLessThanOrEqual(4);
  });
});

describe("unpack", () => {
  it("drops the top-level folder", async () => {
    const folder = newFolder();
    const path = join(folder, "x.tar.gz");
    writeFileSync(path, await archive({ "set-0123/a/1.txt": "one", "set-0123/b/c/2.txt": "two" }));
    await unpack(path, folder);
    expect(filesUnder(folder).sort()).toEqual(["a/1.txt", "b/c/2.txt", "x.tar.gz"]);
    expect(readFileSync(join(folder, "b/c/2.txt"), "utf8")).toBe("two");
  });

  it("refuses and deletes a file that is cut short or not an archive", async () => {
    const whole = await archive({ "x/1.txt": "one" });
    for (const bytes of [whole.subarray(0, 30), Buffer.from("<html>"), gzipSync(gunzipSync(whole).subarray(0, 513))]) {
      const path = join(newFolder(), "x.tar.gz");
      writeFileSync(path, bytes);
      const failure = unpack(path, join(path, ".."));
      await expect(failure).rejects.toThrow(SelfsightError);
      await expect(failure).rejects.toThrow(/x.tar.gz cannot be unpacked/);
      expect(existsSync(path)).toBe(false);
    }
  });

  // Without the top-level folder, they lead one and two levels up.
  it.each(["x/../escaped.txt", "x/../../escaped.txt"])(
    "refuses %s, and writes nothing outside its folder",
    async (name) => {
      const top = newFolder();
      const folder = join(top, "outer", "inner");
      mkdirSync(folder, { recursive: true });
      const path = join(folder, "x.tar.gz");
      writeFileSync(path, await archive({ [name]: "!" }));
      await expect(unpack(path, folder)).rejects.toThrow(SelfsightError);
      expect(readdirSync(top, { recursive: true }).map(String).sort()).toEqual(["outer", join("outer", "inner")]);
    },
  );
});

describe("checkListing", () => {
  const folder = newFolder();
  for (const [path, text] of [
    ["train/a/1.jpg", "5"],
    ["train/b/2.jpg", "2"],
    ["test/a/3.jpg", "3"],
  ] as const) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const shell = (command: string) =>
    execFileSync("sh", ["-c", command], { cwd: folder, env: { ...process.env, LC_ALL: "C" }, encoding: "utf8" });

  it.skipIf(process.platform !== "linux")("computes the same sums as sha256sum", async () => {
    const [byPath = ""] = shell("find train test -type f | sort | xargs sha256sum | sha256sum").split(" ");
    const [byLine = ""] = shell("find train test -type f | xargs sha256sum | sort | sha256sum").split(" ");
    expect(byPath).not.toBe(byLine);
    for (const sum of [byPath, byLine]) await checkListing(folder, ["train", "test"], sum);
  });

  it("refuses other files, and says how many there are", async () => {
    const failure = checkListing(folder, ["train", "test"], "0".repeat(64));
    await expect(failure).rejects.toThrow(SelfsightError);
    await expect(failure).rejects.toThrow(/The 3 files under train, test are not those expected/);
  });
});
