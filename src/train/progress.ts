/** How training goes, for whoever watches: one line redrawn on a terminal, one plain line every ten seconds elsewhere. */

import { cut } from "../setup/terminal.ts";
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

export interface ProgressLine {
  step(record: StepRecord): void;
  /** Shows the last step, and leaves the line. */
  end(): void;
}

const PLAIN_EVERY = 10_000;
const REDRAW_EVERY = 200;
/** Seconds of training over which the numbers are averaged, so that they can be read. */
const MEMORY = 10;

/** Loss and measures beside chance, images a second, time left: averaged over about the last ten seconds. */
export function progressLine({ chance, output = process.stderr, now = Date.now }: ProgressOptions): ProgressLine {
  const recent = recentAverage();
  const every = output.isTTY ? REDRAW_EVERY : PLAIN_EVERY;
  let shownAt = output.isTTY ? Number.NEGATIVE_INFINITY : now();
  let [text, shown] = ["", ""];
  const show = () => {
    shown = text;
    shownAt = now();
    output.write(output.isTTY ? `\r\x1b[K${cut(text, (output.columns || 120) - 1)}` : `${text}\n`);
  };
  return {
    step(record) {
      text = describe(record, recent(record), chance);
      if (now() - shownAt >= every) show();
    },
    end() {
      if (text !== shown) show();
      if (text && output.isTTY) output.write("\n");
    },
  };
}

/** 75,000 ms to "1 min 15 s". */
export function duration(milliseconds: number): string {
  if (!Number.isFinite(milliseconds)) return "?";
  const seconds = Math.round(milliseconds / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

interface Averages {
  values: Readonly<Record<string, number>>;
  /** Images a second. */
  speed: number;
}

/** Sums in which a step counts e times less after every `MEMORY` seconds of training. */
function recentAverage(): (record: StepRecord) => Averages {
  const sums = new Map<string, number>();
  let [weight, images, seconds, last] = [0, 0, 0, Number.NaN];
  return (record) => {
    const took = Number.isNaN(last) ? 0 : record.seconds - last; // the first step since a start knows only the total
    const fade = Math.exp(-took / MEMORY);
    weight = weight * fade + 1;
    for (const [name, value] of Object.entries({ loss: record.loss, ...record.metrics })) {
      sums.set(name, (sums.get(name) ?? 0) * fade + value);
    }
    if (took > 0) [images, seconds] = [images * fade + record.images, seconds * fade + took];
    last = record.seconds;
    return {
      values: Object.fromEntries([...sums].map(([name, sum]) => [name, sum / weight])),
      speed: images / seconds,
    };
  };
}

function describe(record: StepRecord, { values, speed }: Averages, chance: ProgressOptions["chance"]): string {
  const { loss = Number.NaN, [chance.metric]: measure } = values;
  const show = chance.metric === "accuracy" ? percent : (value: number) => value.toFixed(3);
  const left = (record.seconds / record.progress) * (1 - record.progress) * 1000;
  return [
    `${Math.floor(record.progress * 100)} %`,
    `epoch ${record.epoch + 1}, step ${record.step}`,
    `loss ${loss.toFixed(3)} (chance ${chance.loss.toFixed(3)})`,
    measure !== undefined && `${chance.metric} ${show(measure)} (chance ${show(chance.value)})`,
    Number.isFinite(speed) && `${Math.round(speed)} images/s`,
    `${duration(left)} left`,
  ]
    .filter(Boolean)
    .join(" · ");
}

function percent(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}
