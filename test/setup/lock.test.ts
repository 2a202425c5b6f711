import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ownMark } from "../../src/setup/alive.ts";
import { isSign, lockHolder, takeLock, withLock } from "../../src/setup/lock.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lock-"));
  file = join(folder, "lock");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Makes the sign of a process that was killed, or still runs. */
function putSign(pid: number, { place = ownMark().place, birth = "0", host = "here" } = {}): string {
  const sign = `${file}.${pid}-${place}-${birth}-0123abcd-${host}`;
  writeFileSync(sign, "");
  return sign;
}

/** Above every system's largest process id. */
const NO_PROCESS = 2147483646;

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

it("returns its holder, even within the same process", async () => {
  const release = await takeLock(file);
  expect(typeof release).toBe("function");
  expect(await takeLock(file)).toMatchObject({ pid: process.pid, alive: true });
  if (typeof release === "function") release();
  expect(lockHolder(file)).toBeUndefined();
});

it("takes over the lock of a process that is gone", async () => {
  putSign(NO_PROCESS);
  await expect(withLock(file, unexpected, async () => readdirSync(folder).length)).resolves.toBe(1);
  expect(readdirSync(folder)).toEqual([]);
});

it("recognises a process that has the id of a dead one", () => {
  const { birth } = ownMark();
  const own = putSign(process.pid, { birth });
  expect(lockHolder(file)).toMatchObject({ pid: process.pid });
  rmSync(own);
  const reused =
    birth === "0" ? undefined : putSign(process.pid, { birth: birth === "0000000a" ? "0000000b" : "0000000a" });
  expect(lockHolder(file)).toBeUndefined();
  expect(reused && existsSync(reused)).toBeFalsy();
});

it.skipIf(process.platform !== "linux")(
  "takes over the lock of a zombie: a dead process that its parent has not collected",
  async () => {
    // The shell becomes `sleep 60`, which never collects the child that it inherits.
    const parent = spawn("sh", ["-c", "sleep 0.01 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
    try {
      const pid = Number(await new Promise((resolve) => parent.stdout.once("data", resolve)));
      await expect.poll(() => readFileSync(`/proc/${pid}/stat`, "utf8"), { timeout: 20_000 }).toContain(") Z ");
      putSign(pid);
      expect(lockHolder(file)).toBeUndefined();
    } finally {
      parent.kill();
    }
  },
);

it("never takes over the lock of another machine", async () => {
  const sign = putSign(NO_PROCESS, { place: "00000000", host: "far-away.example" });
  expect(await takeLock(file)).toEqual(
    expect.objectContaining({ pid: NO_PROCESS, host: "far-away.example", sign, alive: undefined }),
  );
  expect(existsSync(sign)).toBe(true);
});

it("names whom it waits for, and the file to delete if that one is long gone", async () => {
  const sign = putSign(NO_PROCESS, { place: "00000000", host: "far-away.example" });
  const told: string[] = [];
  const work = withLock(
    file,
    (holder) => told.push(holder),
    async () => "done",
  );
  await vi.waitFor(() => expect(told).toHaveLength(1), { timeout: 20_000 });
  expect(told[0]).toContain(`container "far-away.example"; if that one is no longer running, delete ${sign}`);
  rmSync(sign);
  expect(await work).toBe("done");
});

it("ignores files that are not its signs", async () => {
  for (const name of ["lock.png", "lock.1-2-3", "locker.5-00000000-0-01234567-x"])
    writeFileSync(join(folder, name), "");
  expect(lockHolder(file)).toBeUndefined();
  expect(readdirSync(folder)).toHaveLength(3);
  const release = await takeLock(file);
  expect(readdirSync(folder).filter((name) => isSign(file, name))).toHaveLength(1);
  if (typeof release === "function") release();
});

it("never lets in two of several processes that find the lock of a dead one", async () => {
  putSign(NO_PROCESS);
  const log = join(folder, "log");
  const child = fileURLToPath(new URL("lock-child.ts", import.meta.url));
  const run = () =>
    new Promise((resolve) =>
      spawn(process.execPath, ["--import", "tsx", child, file, log], { stdio: "inherit" }).on("close", resolve),
    );
  expect(await Promise.all([run(), run(), run(), run()])).toEqual([0, 0, 0, 0]);
  const events = readFileSync(log, "utf8").trim().split("\n");
  expect(events).toHaveLength(4 * 2 * 20);
  for (let i = 0; i < events.length; i += 2) {
    expect([events[i], events[i + 1]]).toEqual([events[i], events[i]?.replace("in", "out")]);
  }
  expect(readdirSync(folder)).toEqual(["log"]);
}, 60_000);

it("is released when the work fails", async () => {
  await expect(withLock(file, unexpected, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(readdirSync(folder)).toEqual([]);
});

it.each([
  ["exits", "process.exit(7)", 7],
  ["is interrupted", 'process.kill(process.pid, "SIGINT")', 130],
  ["is told to end", 'process.kill(process.pid, "SIGTERM")', 143],
])("is released when the process %s", async (_, end, code) => {
  const source = `import { exitOnSignals, takeLock } from ${JSON.stringify(new URL("../../src/setup/lock.ts", import.meta.url).href)};
    exitOnSignals();
    await takeLock(${JSON.stringify(file)});
    if (!(await import("node:fs")).readdirSync(${JSON.stringify(folder)}).length) process.exit(2);
    ${end};
    setTimeout(() => process.exit(1), 20_000);`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", source], { stdio: "inherit" });
  expect(await new Promise((resolve) => child.on("close", resolve))).toBe(code);
  expect(readdirSync(folder)).toEqual([]);
});

function unexpected(): never {
  throw new Error("nobody holds it");
}
