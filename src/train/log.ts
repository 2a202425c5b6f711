/** What a run writes down: metrics.jsonl for programs, events.* for TensorBoard, train.log for people. */
import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { StepRecord } from "./loop.ts";
import { openEvents } from "./tfevents.ts";

export interface RunLog {
  step(record: StepRecord): void;
  line(text: string): void;
  close(): void;
}

/** Opens the logs of a run folder. What a killed run wrote after the step it is resumed at is cut off. */
export function openLog(folder: string, { resumeAtStep }: { resumeAtStep: number }): RunLog {
  const metrics = join(folder, "metrics.jsonl");
  if (existsSync(metrics)) keepUntil(metrics, resumeAtStep);
  const file = openSync(metrics, "a");
  const events = openEvents(folder);
  const line = (text: string) => appendFileSync(join(folder, "train.log"), `${new Date().toISOString()} ${text}\n`);
  return {
    step(record) {
      const { step, epoch, loss, learningRate, metrics: measures, seconds } = record;
      const values = { loss, learningRate, ...measures };
      writeSync(
        file,
        `${JSON.stringify({ step, epoch, images: step * record.images, seconds: round(seconds), ...values })}\n`,
      );
      events.scalars(step, values);
    },
    line,
    close() {
      closeSync(file);
      events.close();
    },
  };
}

function keepUntil(file: string, step: number): void {
  const kept = readMetrics(file).filter((record) => Number(record["step"]) <= step);
  replaceFile(file, kept.map((record) => `${JSON.stringify(record)}\n`).join(""));
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

/** Writes a JSON file so that a reader sees the old one or the new one, never half of it. */
export function writeJson(file: string, value: unknown): void {
  replaceFile(file, `${JSON.stringify(value, null, 2)}\n`);
}

function replaceFile(file: string, text: string): void {
  writeFileSync(`${file}.part`, text);
  renameSync(`${file}.part`, file);
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
