import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { withLock } from "../../src/setup/lock.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lock-"));
  file = join(folder, "lock");
});
afterEach(() => rmSync(folder, { recursive: true }));

it("lets one in at a time, and leaves nothing behind", async () => {
  const events: string[] = [];
  const job = (name: string) =>
    withLock(
      file,
      () => events.push(`${name} waits`),
      async () => {
        events.push(`${name} begins`);
        await new Promise((resolve) => setTimeout(resolve, 50));
        events.push(`${name} ends`);
      },
    );
  await Promise.all([job("a"), job("b")]);
  expect(events).toEqual(["a begins", "b waits", "a ends", "b begins", "b ends"]);
  expect(readdirSync(folder)).toEqual([]);
});

it("takes over the lock of a process that is gone", async () => {
  writeFileSync(file, "2147483646"); // above every system's largest process id
  await expect(
    withLock(
      file,
      () => {},
      async () => "done",
    ),
  ).resolves.toBe("done");
});

it("never lets two in, however many find the lock of a process that is gone", async () => {
  writeFileSync(file, "2147483646");
  let [inside, most] = [0, 0];
  const job = () =>
    withLock(
      file,
      () => {},
      async () => {
        most = Math.max(most, ++inside);
        await new Promise((resolve) => setTimeout(resolve, 5));
        inside--;
      },
    );
  await Promise.all(Array.from({ length: 8 }, job));
  expect([most, readdirSync(folder)]).toEqual([1, []]);
});

it("opens again when the work fails", async () => {
  const failing = withLock(
    file,
    () => {},
    () => Promise.reject(new Error("no")),
  );
  await expect(failing).rejects.toThrow("no");
  expect(existsSync(file)).toBe(false);
});
