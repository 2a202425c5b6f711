/** Only one process at a time may use a run folder. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { InterruptedError } from "../../src/errors.ts";
import type { RunEvent } from "../../src/run/events.ts";
import { defaultRunFolder, lockOf, runFiles } from "../../src/run/folder.ts";
import { ownMark } from "../../src/setup/alive.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun } from "../small-run.ts";

const folder = scratch();
const images = join(folder, "pictures");
const small = { ...smallRun, images, epochs: 1 };
const locks = (out: string) => readdirSync(out).filter((name) => name.startsWith("lock"));

expectNoLeak();
beforeAll(() => makePictures(images, { count: 16 }));

test("of two runs that start at once, one trains and the other is refused", async () => {
  const out = join(folder, "both");
  const ends = await Promise.allSettled([pretrain({ ...small, out }), pretrain({ ...small, out, seed: 1 })]);
  expect(ends.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const refused = ends.find((end) => end.status === "rejected");
  expect(String(refused?.reason)).toMatch(/in use: process \d+ works there.*--out/);
  expect(JSON.parse(readFileSync(runFiles(out).status, "utf8"))).toMatchObject({ state: "done" });
  expect(locks(out)).toEqual([]);
});

test("the folder of a training run is refused under any path, to start and to resume", async () => {
  const out = join(folder, "used");
  const link = join(folder, "link");
  const refusals: unknown[] = [];
  const stop = new AbortController();
  const running = pretrain(
    { ...small, epochs: 1000, out },
    {
      signal: stop.signal,
      async onEvent(event) {
        if (event.type !== "step" || event.record.step !== 1) return;
        symlinkSync(out, link);
        const spellings = [out, `${out}/`, join(folder, ".", "pictures", "..", "used"), relative("", out), link];
        for (const spelling of spellings) {
          for (const resume of [false, true])
            refusals.push(await pretrain({ ...small, out: spelling, resume }).catch((error) => error.message));
        }
        stop.abort();
      },
    },
  );
  await expect(running).rejects.toThrow(InterruptedError);
  expect(refusals).toHaveLength(10);
  for (const refusal of refusals) expect(refusal).toMatch(/is in use: process/);
  expect(locks(out)).toEqual([]);
  expect(await pretrain({ ...small, out: link, resume: true })).toMatchObject({ steps: 2 });
});

test("a killed run leaves its lock, and can still be resumed", async () => {
  const out = join(folder, "killed");
  const stop = new AbortController();
  const hooks = { signal: stop.signal, onEvent: ({ type }: RunEvent) => type === "start" && stop.abort() };
  await expect(pretrain({ ...small, epochs: 2, out }, hooks)).rejects.toThrow(InterruptedError);
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  const sign = `${lockOf(out)}.${child.pid}-${ownMark().place}-0-0123abcd-here`;
  writeFileSync(sign, "");
  await expect(pretrain({ ...small, out, resume: true })).rejects.toThrow(`process ${child.pid} works there`);
  const ended = new Promise((resolve) => child.on("close", resolve));
  child.kill("SIGKILL");
  await ended;
  expect(await pretrain({ ...small, out, epochs: 2, resume: true })).toMatchObject({ steps: 4 });
  expect([existsSync(sign), locks(out)]).toEqual([false, []]);
});

test("a run killed before its first step does not block a new one", async () => {
  const out = join(folder, "early");
  mkdirSync(out);
  writeFileSync(`${lockOf(out)}.2147483646-${ownMark().place}-0-0123abcd-here`, "");
  expect(await pretrain({ ...small, out })).toMatchObject({ steps: 2 });
});

test("a lock of another machine is never taken over: the message says what to delete", async () => {
  const out = join(folder, "shared");
  mkdirSync(out);
  const sign = `${lockOf(out)}.12-00000000-0-0123abcd-node-7.cluster`;
  writeFileSync(sign, "");
  await expect(pretrain({ ...small, out })).rejects.toThrow(/process 12 of the .* "node-7\.cluster".*delete .*node-7/);
  rmSync(sign);
  expect(await pretrain({ ...small, out })).toMatchObject({ steps: 2 });
});

test("a run that fails before it starts leaves no folder, and no parent folders", async () => {
  const out = join(folder, "deep", "deeper", "run");
  await expect(pretrain({ ...small, out, batchSize: 100 })).rejects.toThrow(/batch of 100/);
  expect(existsSync(join(folder, "deep"))).toBe(false);
  mkdirSync(join(folder, "deep"));
  await expect(pretrain({ ...small, out, images: join(folder, "none") })).rejects.toThrow(/no file or folder/);
  expect(readdirSync(join(folder, "deep"))).toEqual([]);
});

test.runIf(process.platform === "linux")("a path where no folder can be created is refused at once", async () => {
  await expect(pretrain({ ...small, out: "/proc/selfsight/run" })).rejects.toThrow(/run cannot be made: .*ENOENT/);
});

describe("a run folder's name", () => {
  const nameOf = (images: string) => defaultRunFolder({ images, task: "rotation", model: "nin4" });
  const [here, above] = [process.cwd().split("/").at(-1), process.cwd().split("/").at(-2)];

  test.each([
    ["photos", "photos"],
    ["some/photos/", "photos"],
    [".", here],
    ["./", here],
    ["..", above],
    ["/", "images"],
    [".photos", "photos"],
    ["...", "images"],
    ["a b&c", "a_b_c"],
    ["写真 2", "写真_2"],
    ["cafe\u0301", "café"],
    ["x".repeat(300), "x".repeat(50)],
  ])("of %s", (images, name) => {
    expect(nameOf(images)).toBe(join("runs", `${name}-rotation-nin4`));
  });
});
