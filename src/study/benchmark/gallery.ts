/** Pictures of what pre-training changed: test images that it fixed and broke, and which classes are taken for which. */
import { contactSheet, type SheetCell } from "../../data/sheet.ts";
import { UsageError } from "../../errors.ts";
import type { Measured } from "../../evaluate/compare.ts";
import type { LabelCount } from "../../evaluate/draws.ts";
import { neighbourSheet } from "../../evaluate/neighbours.ts";
import type { Representation } from "../../evaluate/representations.ts";
import type { Session } from "../../evaluate/session.ts";
import { bestAt, type TaskResult } from "./task-results.ts";

export interface Gallery {
  /** PNG: images that the pre-trained network gets right more often than the untrained one; undefined if there are none. */
  fixed?: Uint8Array | undefined;
  broken?: Uint8Array | undefined;
  /** PNG: some test images, each with those nearest to it. */
  neighbours?: Uint8Array | undefined;
  /** PNG: training images whose label looks wrong. */
  suspects?: Uint8Array | undefined;
  /** Test images by true and predicted class, over all draws; undefined where predictions are not classes. */
  confusion?: { counts: number[][]; draws: number } | undefined;
}

const SHOWN = 12;
const COLUMNS = 6;

/** @param best the task that is shown, with its first seed */
export async function gallery({
  session,
  measured,
  best,
  headline,
  signal,
}: {
  session: Session;
  measured: readonly Measured[];
  best: TaskResult;
  headline: LabelCount;
  signal?: AbortSignal | undefined;
}): Promise<Gallery> {
  const { id, baselineId, protocol } = best.untrained;
  const [ours, theirs] = [id, baselineId].map((own) => bestAt({ measured }, own, protocol, headline)) as [
    Measured,
    Measured,
  ];
  const shown = session.representations.find((one) => one.id === id) as Representation;
  const { test } = await session.partsFor(shown);
  const changes = changesOf(ours, theirs, test.labels);
  const most = (sign: 1 | -1) =>
    changes
      .filter(({ change }) => sign * change > 0)
      .sort((a, b) => sign * (b.change - a.change) || a.i - b.i)
      .slice(0, SHOWN);
  const name = (label: number) => session.classes[label] ?? "?";
  const sheet = async (chosen: typeof changes, answers: Measured) => {
    const cells: SheetCell[] = [];
    for (const { i } of chosen) {
      const label = test.labels[i] as number;
      const guess = usualGuess(answers, i, label);
      const caption = guess === undefined ? name(label) : `${name(guess)} / ${name(label)}`;
      const { size } = test.store;
      cells.push({ pixels: await test.store.get([i]), width: size, height: size, caption });
    }
    return cells.length ? contactSheet(cells, COLUMNS) : undefined;
  };
  return {
    fixed: await sheet(most(1), theirs),
    broken: await sheet(most(-1), ours),
    neighbours: await neighbourSheet(shown.folder as string, test.set, { compute: session.compute, signal }).catch(
      onlyUsage,
    ),
    confusion: confusionOf(ours, test.labels, session.classes.length),
  };
}

/** By how much more of the draws each test image is right for the one than for the other; none where predictions are not classes. */
export function changesOf(ours: Measured, theirs: Measured, labels: Int32Array): { i: number; change: number }[] {
  const [mine, others] = [ours.predictions, theirs.predictions];
  if (!mine || !others) return [];
  const rate = (rows: number[][], i: number) => rows.filter((row) => row[i] === labels[i]).length / rows.length;
  return Array.from(labels, (_, i) => ({ i, change: rate(mine, i) - rate(others, i) }));
}

/** Fewer than two images have no neighbours. */
function onlyUsage(error: unknown): undefined {
  if (!(error instanceof UsageError)) throw error;
}

/** The wrong class that an image is taken for most often. */
function usualGuess({ predictions }: Measured, i: number, label: number): number | undefined {
  const counts = new Map<number, number>();
  for (const row of predictions ?? []) {
    const guess = row[i] as number;
    if (guess !== label) counts.set(guess, (counts.get(guess) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0]?.[0];
}

function confusionOf({ predictions }: Measured, labels: Int32Array, classes: number): Gallery["confusion"] {
  if (!predictions) return undefined;
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (const row of predictions) {
    for (const [i, guess] of row.entries()) {
      const own = counts[labels[i] as number] as number[];
      own[guess] = (own[guess] as number) + 1;
    }
  }
  return { counts, draws: predictions.length };
}
