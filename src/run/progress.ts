/** Training progress: one line redrawn on a terminal, a plain line every ten seconds elsewhere. */

import { type Guess, type Metric, showValue } from "../metric.ts";
import { cut, duration } from "../setup/terminal.ts";
import type { StepRecord } from "./events.ts";

export interface Output {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  write(text: string): unknown;
}

export interface ProgressOptions {
  metric: Metric;
  guess: Guess;
  output?: Output;
  /** Milliseconds. */
  now?: () => number;
}

export interface ProgressLine {
  step(record: StepRecord): void;
  /** Shows the last step, and ends the line. */
  end(): void;
}

const PLAIN_EVERY = 10_000;
const REDRAW_EVERY = 200;
/** Seconds of training over which values are averaged, so that they can be read. */
const MEMORY = 10;

/** Loss and metric with their chance levels, images per second, time left: averaged over about the last ten seconds. */
export function progressLine({
  metric,
  guess,
  output = process.stderr,
  now = Date.now,
}: ProgressOptions): ProgressLine {
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
      text = describe(record, recent(record), metric, guess);
      if (now() - shownAt >= every) show();
    },
    end() {
      if (text !== shown) show();
      if (text && output.isTTY) output.write("\n");
    },
  };
}

interface Averages {
  values: Readonly<Record<string, number>>;
  /** Images per second. */
  speed: number;
}

/** Exponential moving averages: a step's weight falls by a factor e per `MEMORY` seconds of training. */
function recentAverage(): (record: StepRecord) => Averages {
  const sums = new Map<string, number>();
  let [weight, images, seconds, last] = [0, 0, 0, Number.NaN];
  return (record) => {
    const took = Number.isNaN(last) ? 0 : record.seconds - last; // the first step after a start knows only the total
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

function describe(record: StepRecord, { values, speed }: Averages, metric: Metric, guess: Guess): string {
  const { loss = Number.NaN, [metric.name]: measure } = values;
  const left = (record.seconds / record.progress) * (1 - record.progress) * 1000;
  return [
    `${Math.floor(record.progress * 100)} %`,
    `epoch ${record.epoch + 1}, step ${record.step}`,
    `loss ${loss.toFixed(3)} (chance ${guess.loss.toFixed(3)})`,
    measure !== undefined && `${metric.name} ${showValue(metric, measure)} (chance ${showValue(metric, guess.value)})`,
    Number.isFinite(speed) && `${Math.round(speed)} images/s`,
    `${duration(left)} left`,
  ]
    .filter(Boolean)
    .join(" · ");
}
