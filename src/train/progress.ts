/** How training goes, for whoever watches: one line redrawn on a terminal, one plain line every ten seconds elsewhere. */
import type { TaskInstance } from "../tasks/task.ts";
import type { StepRecord } from "./loop.ts";

export interface Output {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  write(text: string): unknown;
}

export interface ProgressOptions {
  chance: TaskInstance["chance"];
  output?: Output;
  /** Milliseconds. */
  now?: () => number;
}

const PLAIN_EVERY = 10_000;
const REDRAW_EVERY = 200;

/** Averages loss and measures over about the last 20 steps, so that the line can be read. */
export function progressLine({ chance, output = process.stderr, now = Date.now }: ProgressOptions): {
  step(record: StepRecord): void;
  end(): void;
} {
  const average = new Map<string, number>();
  const started = now();
  let [shown, firstStep, text] = [started - (output.isTTY ? REDRAW_EVERY : 0), -1, ""];
  return {
    step(record) {
      if (firstStep < 0) firstStep = record.step - 1;
      for (const [name, value] of Object.entries({ loss: record.loss, ...record.metrics })) {
        average.set(name, (average.get(name) ?? value) * 0.95 + value * 0.05);
      }
      const elapsed = now() - started;
      const speed = ((record.step - firstStep) * record.images) / (elapsed / 1000);
      text = describe(record, average, chance, speed, elapsed);
      if (now() - shown < (output.isTTY ? REDRAW_EVERY : PLAIN_EVERY)) return;
      shown = now();
      output.write(output.isTTY ? `\r\x1b[K${text.slice(0, (output.columns ?? 120) - 1)}` : `${text}\n`);
    },
    end() {
      if (text) output.write(output.isTTY ? `\r\x1b[K${text}\n` : `${text}\n`);
    },
  };
}

function describe(
  record: StepRecord,
  average: ReadonlyMap<string, number>,
  chance: ProgressOptions["chance"],
  speed: number,
  elapsed: number,
): string {
  const measure = average.get(chance.metric);
  const left = record.progress > 0 ? (elapsed / record.progress) * (1 - record.progress) : Number.NaN;
  return [
    `${Math.floor(record.progress * 100)} %`,
    `epoch ${record.epoch + 1}, step ${record.step}`,
    `loss ${average.get("loss")?.toFixed(3)} (chance ${chance.loss.toFixed(3)})`,
    measure !== undefined && `${chance.metric} ${percent(measure)} (chance ${percent(chance.value)})`,
    `${speed.toFixed(0)} images/s`,
    `${duration(left)} left`,
  ]
    .filter(Boolean)
    .join(" · ");
}

function percent(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}

/** 75,000 ms to "1 min 15 s". */
export function duration(milliseconds: number): string {
  if (!Number.isFinite(milliseconds)) return "?";
  const seconds = Math.round(milliseconds / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}
