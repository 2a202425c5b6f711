import { spawnSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { SelfsightError } from "../../src/errors.ts";
import { writeJson } from "../../src/files.ts";
import type { StepRecord } from "../../src/run/events.ts";
import { openLog, readMetrics } from "../../src/run/log.ts";

let folder: string;
let time: number;
const now = () => time;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "log-"));
  time = Date.UTC(2026, 0, 1);
});
afterEach(() => rmSync(folder, { recursive: true }));

const record = (step: number): StepRecord => ({
  step,
  seconds: step / 3,
  epoch: Math.floor((step - 1) / 4),
  loss: 1 / step,
  learningRate: 0.05,
  metrics: { accuracy: step / 100 },
  progress: step / 20,
  images: 64,
});
const metricsFile = () => join(folder, "metrics.jsonl");
const stepsLogged = () => readMetrics(metricsFile()).map(({ step }) => step);

it("writes every step at once, so that a kill loses none", () => {
  const log = openLog(folder, { resumeAtStep: 0, now });
  log.step(record(1));
  log.step(record(2));
  expect(readMetrics(metricsFile())).toEqual([
    { step: 1, epoch: 0, images: 64, seconds: 0.333, loss: 1, learningRate: 0.05, accuracy: 0.01 },
    { step: 2, epoch: 0, images: 128, seconds: 0.667, loss: 0.5, learningRate: 0.05, accuracy: 0.02 },
  ]);
  log.close();
});

it("has every step exactly once after a kill and a resume, whatever the kill left behind", () => {
  const first = openLog(folder, { resumeAtStep: 0, now });
  for (let step = 1; step <= 7; step++) first.step(record(step));
  first.close();
  writeFileSync(metricsFile(), '{"step":8,"los', { flag: "a" }); // cut short by the kill
  const second = openLog(folder, { resumeAtStep: 5, now });
  expect(stepsLogged()).toEqual([1, 2, 3, 4, 5]);
  for (let step = 6; step <= 9; step++) second.step(record(step));
  second.close();
  expect(stepsLogged()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(readMetrics(metricsFile())[6]?.["loss"]).toBe(1 / 7);
});

it("writes a line to train.log every ten seconds, and the last step", () => {
  const log = openLog(folder, { resumeAtStep: 0, now });
  for (let step = 1; step <= 25; step++) {
    time += 1000;
    log.step(record(step));
  }
  log.line("saved");
  log.close();
  const lines = readFileSync(join(folder, "train.log"), "utf8").trim().split("\n");
  expect(lines).toEqual([
    "2026-01-01T00:00:00.000Z started",
    "2026-01-01T00:00:10.000Z epoch 3, step 10: loss 0.1000, accuracy 0.1000, learningRate 0.05000",
    "2026-01-01T00:00:20.000Z epoch 5, step 20: loss 0.05000, accuracy 0.2000, learningRate 0.05000",
    "2026-01-01T00:00:25.000Z saved",
    "2026-01-01T00:00:25.000Z epoch 7, step 25: loss 0.04000, accuracy 0.2500, learningRate 0.05000",
  ]);
  openLog(folder, { resumeAtStep: 20, now }).close();
  expect(readFileSync(join(folder, "train.log"), "utf8")).toMatch(/started[\s\S]*resumed after step 20\n$/);
});

it("replaces a JSON file atomically", () => {
  const file = join(folder, "status.json");
  writeJson(file, { state: "training", step: 3 });
  writeJson(file, { state: "done" });
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ state: "done" });
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  expect(() => writeJson(file, circle)).toThrow();
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ state: "done" });
  expect(readdirSync(folder)).toEqual(["status.json"]);
});

it("writes through a link, and to a pipe or device, instead of replacing it", ({ skip }) => {
  const [target, link] = [join(folder, "target.json"), join(folder, "link.json")];
  symlinkSync("target.json", link);
  writeJson(target, 1);
  writeJson(link, 2);
  expect([lstatSync(link).isSymbolicLink(), readFileSync(target, "utf8")]).toEqual([true, "2\n"]);
  const device = join(folder, "device");
  if (spawnSync("mknod", [device, "c", "1", "3"]).status !== 0) return skip("cannot make a device here");
  writeJson(device, 3);
  expect(lstatSync(device).isCharacterDevice()).toBe(true);
});

it("says what to do when the disk is full", ({ skip }) => {
  const disk = join(folder, "disk");
  mkdirSync(disk);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]).status !== 0)
    skip("cannot mount a small disk here");
  try {
    const status = join(disk, "status.json");
    writeJson(status, { state: "training" });
    const log = openLog(disk, { resumeAtStep: 0, now });
    const fill = () => {
      for (let step = 1; step < 5000; step++) log.step(record(step));
    };
    expect(fill).toThrow(SelfsightError);
    expect(fill).toThrow(/disk is full.*--resume/);
    expect(() => writeJson(status, { state: "x".repeat(100_000) })).toThrow(/disk is full/);
    expect(JSON.parse(readFileSync(status, "utf8"))).toEqual({ state: "training" });
    log.close();
  } finally {
    spawnSync("umount", [disk]);
  }
});
