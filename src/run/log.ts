/** A run's logs: metrics.jsonl for programs, events.* for TensorBoard, train.log for people. */
import { appendFileSync, closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { onDisk } from "../errors.ts";
import { replaceFile } from "../files.ts";
import type { StepRecord } from "./events.ts";
import { runFiles } from "./folder.ts";
import { openEvents } from "./tfevents.ts";

export interface RunLog {
  /** Adds a line to metrics.jsonl and scalars for TensorBoard; every ten seconds also a line to train.log. */
  step(record: StepRecord): void;
  /** Adds an image for TensorBoard. */
  image(step: number, name: string, png: Uint8Array): void;
  /** Adds a line to train.log, with the time. */
  line(text: string): void;
  /** Drops what is not written yet: another process goes on with the run. */
  abandon(): void;
  close(): void;
}

export interface LogOptions {
  /** 0 for a new run. Anything that a killed run wrote after this step is cut off. */
  resumeAtStep: number;
  /** Milliseconds. */
  now?: () => number;
}

const LINE_EVERY = 10_000;

/**
 * Opens the logs of an existing run folder. Every step is written at once: a kill loses none.
 * @throws SelfsightError, here and on writing, if the disk is full
 */
export function openLog(folder: string, { resumeAtStep, now = Date.now }: LogOptions): RunLog {
  return guarded(() => {
    const { metrics: path, log } = runFiles(folder);
    if (existsSync(path)) keepUntil(path, resumeAtStep);
    const metrics = openSync(path, "a");
    const text = openSync(log, "a");
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
      abandon() {
        unwritten = "";
      },
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

/** The records of a metrics.jsonl; a line cut short by a kill is skipped. */
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

/** Seconds that a run has trained, by its metrics.jsonl; 0 before its first step. */
export function secondsTrained(file: string): number {
  return existsSync(file) ? (readMetrics(file).at(-1)?.["seconds"] ?? 0) : 0;
}

function keepUntil(file: string, step: number): void {
  const kept = readMetrics(file).filter((record) => Number(record["step"]) <= step);
  replaceFile(file, kept.map((record) => `${JSON.stringify(record)}\n`).join(""));
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
