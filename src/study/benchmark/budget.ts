/** The time that a benchmark may take, and what its trainings get of it. */
import { UsageError } from "../../errors.ts";
import { readJson, writeJson } from "../../files.ts";

/** Part of the budget that is for training, after what reading and decoding take; the rest is for measuring. */
const TRAINING_PART = 2 / 3;
/** However long images take to read and decode, training gets at least this part of its share. */
const LEAST_PART = 1 / 4;

/** How much of the budget is left, in seconds; negative once it is used up. */
export type TimeLeft = () => number;

/** @param spent seconds that were used before now */
export function timeLeft(minutes: number, spent: number, now: () => number = () => performance.now()): TimeLeft {
  const began = now();
  return () => minutes * 60 - spent - (now() - began) / 1000;
}

/** Seconds of measuring, over all starts of a benchmark: kept in a file, of which a damaged one counts nothing. */
export function measuringTime(file: string) {
  const before = Number(readJson<{ seconds?: unknown } | null>(file, {})?.seconds) || 0;
  const began = performance.now();
  return { before, note: () => writeJson(file, { seconds: before + (performance.now() - began) / 1000 }) };
}

/**
 * Minutes of each training.
 * @param budget in minutes, of which so many are left: none if reading the images took longer than that
 * @param preparing minutes in which all images are decoded: each training does it, and measuring takes three times that: it
 *   reads them, decodes them, and decodes those for the report's pictures
 */
export function minutesEach(
  budget: number,
  { left, trainings, preparing }: { left: number; trainings: number; preparing: number },
): number {
  const free = left - (trainings + 3) * preparing;
  return (TRAINING_PART * Math.max(free, LEAST_PART * budget)) / trainings;
}

/** "45m", "1.5h", "90" (minutes) to minutes. @throws UsageError for anything else */
export function minutesOf(budget: string): number {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*(s|m|min|h)?\s*$/.exec(budget) ?? [];
  const minutes = Number(number) * ({ s: 1 / 60, h: 60 }[unit ?? ""] ?? 1);
  if (number !== undefined && minutes > 0) return minutes;
  throw new UsageError(`--budget: expected a time such as 30m or 2h; got "${budget}".`);
}
