/** How runs end, and go on, when something goes wrong beside the training itself. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { RunEvent } from "../../src/run/events.ts";
import { isDone, runFiles } from "../../src/run/folder.ts";
import { pretrain } from "../../src/train/pretrain.ts";
import { makePictures, scratch } from "../images.ts";
import { expectNoLeak } from "../live.ts";
import { smallRun, stopAt, tensorsOf } from "../small-run.ts";

const folder = scratch();
const images = join(folder, "pictures");
/** 3 steps. */
const small = { ...smallRun, images, epochs: 1 };

expectNoLeak();
beforeAll(() => makePictures(images, { count: 24 }));

const stateOf = (run: string) => JSON.parse(readFileSync(runFiles(run).status, "utf8")).state;

test("a run that fails after its last step says so, and goes on from there", async () => {
  const [out, whole] = [join(folder, "full"), join(folder, "whole")];
  const blocked = join(runFiles(out).samples, "last.png");
  const onEvent = (event: RunEvent) => {
    if (event.type === "step" && event.record.progress === 1)
      mkdirSync(join(blocked, "in the way"), { recursive: true });
  };
  await expect(pretrain({ ...small, out }, { onEvent })).rejects.toThrow();
  expect([existsSync(runFiles(out).encoder), isDone(out), stateOf(out)]).toEqual([true, false, "failed"]);
  rmSync(blocked, { recursive: true });
  const { last } = await pretrain({ ...small, out, resume: true });
  expect([last, isDone(out), existsSync(blocked)]).toEqual([undefined, true, true]);
  await pretrain({ ...small, out: whole });
  expect(tensorsOf(out)).toEqual(tensorsOf(whole));
  await expect(pretrain({ ...small, out, resume: true })).rejects.toThrow("is finished already");
});

test("a run that goes on in another precision says so", async () => {
  const out = join(folder, "moved");
  await expect(pretrain({ ...small, out }, stopAt(1))).rejects.toThrow("Interrupted");
  const { environment, log } = runFiles(out);
  const before = JSON.parse(readFileSync(environment, "utf8"));
  writeFileSync(environment, JSON.stringify({ ...before, precision: "bf16" }));
  const notes: string[] = [];
  const onEvent = (event: RunEvent) => event.type === "start" && notes.push(...event.notes);
  await pretrain({ ...small, out, resume: true }, { onEvent });
  const said = "The run goes on in f32 on cpu; until now it computed in bf16 on cpu.";
  expect(notes).toContain(said);
  expect(readFileSync(log, "utf8")).toContain(said);
});
