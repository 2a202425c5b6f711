/** What a run writes down: metrics.jsonl for programs, events.* for TensorBoard, train.log for people. */
import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { onDisk } from "../errors.ts";
import type { StepRecord } from "./loop.ts";
import { openEvents } from "./tfevents.ts";

export interface RunLog {
  /** A line of metrics.jsonl and TensorBoard's scalars; every ten seconds a line of train.log. */
  step(record: StepRecord): void;
  /** A picture for TensorBoard. */
  image(step: number, name: string, png: Uint8Array): void;
  /** A line of train.log, with the time. */
  line(text: string): void;
  close(): void;
}

export interface LogOptions {
  /** 0 for a new run. What a killed run wrote after this step is cut off. */
  resumeAtStep: number;
  /** Milliseconds. */
  now?: () => number;
}

const LINE_EVERY = 10_000;

/**
 * Opens the logs of a run folder, which exists. Every step is written at once: a kill loses none.
 * @throws SelfsightError, here and while writing, when the disk is full
 */
export function openLog(folder: string, { resumeAtStep, now = Date.now }: LogOptions): RunLog {
  return guarded(() => {
    const path = join(folder, "metrics.jsonl");
    if (existsSync(path)) keepUntil(path, resumeAtStep);
    const metrics = openSync(path, "a");
    const text = openSync(join(folder, "train.log"), "a");
    const events = openEvents(folder, { resumeAtStep, now });
    const line = (message: string) => appendFileSync(text, `${new Date(now()).toISOString()} ${message}\n`);
    line(resumeAtStep ? `resumed after step ${resumeAtStep}` : "started");
    let [writtenAt, unwritten] = [now(), ""];
    return {
      step: (record) =>
        guarded(() => {
          const values = { loss: record.loss, learningRate: record.learningRate, ...record.metrics };
          appendFileSync(metrics, `${JSON.stringify({ ...placeOf(record), ...values })}\n`);
          events.scalars(record.step, values);
          unwritten = describe(record);
          if (now() - writtenAt < LINE_EVERY) return;
          line(unwritten);
          [writtenAt, unwritten] = [now(), ""];
        }),
      image: (step, name, png) => guarded(() => events.image(step, name, png)),
      line: (message) => guarded(() => line(message)),
      close() {
        try {
          if (unwritten) guarded(() => line(unwritten));
        } finally {
          closeSync(metrics);
          closeSync(text);
          events.close();
        }
      },
    };
  });
}

/** The records of a metrics.jsonl; a line cut short by a kill is left out. */
export function readMetrics(file: string): Record<string, number>[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        return line ? [JSON.parse(line) as Record<string, number>] : [];
      } catch {
        return [];
      }
    });
}

/**
 * Writes a JSON file so that a reader sees the old one or the new one, never half of it.
 * @throws SelfsightError when the disk is full or may not be written to
 */
export function writeJson(file: string, value: unknown): void {
  replaceFile(file, `${JSON.stringify(value, null, 2)}\n`);
}

function keepUntil(file: string, step: number): void {
  const kept = readMetrics(file).filter((record) => Number(record["step"]) <= step);
  replaceFile(file, kept.map((record) => `${JSON.stringify(record)}\n`).join(""));
}

/** As {@link writeJson}, for any contents. */
export function replaceFile(file: string, contents: string | Uint8Array): void {
  onDisk(`${file} cannot be written`, () => replace(file, contents));
}

function replace(named: string, contents: string | Uint8Array): void {
  const before = statSync(named, { throwIfNoEntry: false });
  if (before && !before.isFile()) {
    writeFileSync(named, contents); // a pipe, a device: it is not to be replaced
    return;
  }
  const file = before ? realpathSync(named) : named; // a link stays, and what it leads to is replaced
  const part = `${file}.${process.pid}.part`; // two processes may write a preview at once
  try {
    const descriptor = openSync(part, "w");
    try {
      writeFileSync(descriptor, contents);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(part, file);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}

function placeOf({ step, epoch, images, seconds }: StepRecord): Record<string, number> {
  return { step, epoch, images: step * images, seconds: Math.round(seconds * 1000) / 1000 };
}

function describe({ step, epoch, loss, learningRate, metrics }: StepRecord): string {
  const values = Object.entries({ loss, ...metrics, learningRate }).map(
    ([name, value]) => `${name} ${value.toPrecision(4)}`,
  );
  return `epoch ${epoch + 1}, step ${step}: ${values.join(", ")}`;
}

function guarded<Result>(write: () => Result): Result {
  return onDisk("the run's log cannot be written (its last checkpoint is intact: --resume goes on from there)", write);
}
