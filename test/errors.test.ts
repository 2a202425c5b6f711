import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { diskError, onDisk, SelfsightError } from "../src/errors.ts";

describe("an error of the file system", () => {
  test.each([
    ["EACCES", /permission denied \(EACCES\)\. Check the permissions/],
    ["EPERM", /not permitted \(EPERM\)\. Check the permissions/],
    ["EROFS", /can only be read \(EROFS\)\. Choose another place/],
    ["ENOENT", /\(ENOENT\)/],
    ["EISDIR", /is a folder, not a file/],
    ["ENOTDIR", /a part of the path is a file/],
    ["ELOOP", /links lead in a circle/],
    ["ENAMETOOLONG", /name is too long/],
    ["EINVAL", /does not take that/],
    ["EIO", /has failed.*Check the disk/],
    ["EMFILE", /ulimit -n/],
    ["ENOSPC", /^The disk is full: r cannot be written\. Make room/],
    ["EDQUOT", /^The disk is full: r cannot be written \(this user's share/],
    ["EBUSY", /another program uses it.*Close that/],
    ["ETXTBSY", /another program uses it/],
    ["EOVERFLOW", /^r cannot be written: EOVERFLOW: as the system says/],
  ])("%s is explained in one sentence", (code, sentence) => {
    const cause = Object.assign(new Error(`${code}: as the system says, open 'r'`), { code, syscall: "open" });
    const fail = () =>
      onDisk("r cannot be written", () => {
        throw cause;
      });
    expect(fail).toThrow(SelfsightError);
    expect(fail).toThrow(sentence);
    expect(diskError(cause)?.message).not.toContain("\n");
  });

  it("is explained from the error alone if nothing else is known", () => {
    const folder = mkdtempSync(join(tmpdir(), "errors-"));
    const messageOf = (body: () => unknown) => {
      try {
        return body();
      } catch (error) {
        return diskError(error)?.message;
      }
    };
    writeFileSync(join(folder, "file"), "");
    expect(messageOf(() => readFileSync(folder))).toMatch(/^A file cannot be read: it is a folder/);
    expect(messageOf(() => readFileSync(join(folder, "none")))).toBe(
      `${join(folder, "none")} cannot be opened: there is no such file or folder, and none can be made there (ENOENT). Check the path, or choose another place.`,
    );
    expect(messageOf(() => mkdirSync(join(folder, "file", "x")))).toMatch(/x cannot be made: a part of the path/);
    rmSync(folder, { recursive: true });
  });

  it("is distinguished from other errors, which are passed on unchanged", () => {
    for (const error of [new TypeError("no"), Object.assign(new Error("no"), { code: "ERR_INVALID_ARG_TYPE" }), "no"]) {
      expect(diskError(error)).toBeUndefined();
      expect(() =>
        onDisk("r cannot be written", () => {
          throw error;
        }),
      ).toThrow(error as Error);
    }
  });
});
