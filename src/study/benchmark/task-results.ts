/** What a benchmark says of each task: was it better than the same network untrained, and how many labels did it save? */
import { correctFamilies, isBetterLayer, type Measured } from "../../evaluate/compare.ts";
import type { LabelCount } from "../../evaluate/draws.ts";
import { drawnOnAverage } from "../../evaluate/label-amounts.ts";
import { type CurvePoint, type LabelSavings, labelSavings } from "../../evaluate/label-savings.ts";
import type { Representation } from "../../evaluate/representations.ts";
import type { Difference } from "../../evaluate/result.ts";
import { improvement } from "../../metric.ts";
import { taskEntry } from "../../tasks/index.ts";
import type { Training } from "./train-all.ts";

export interface TaskResult {
  task: string;
  title: string;
  /** It learned from all training labels: a yardstick that is never the best task. */
  usesLabels: boolean;
  /** Ids of its encoders, one for each seed. */
  ids: string[];
  /** The probe at the verdict's number of labels, against the same network untrained; over all seeds. Its p-value allows for all tasks. */
  untrained: Difference;
  /** Labels per class that training from scratch needs to be as good. */
  savings?: LabelSavings | undefined;
  /** Accuracy on held-out training labels, which ranks the tasks; null if none could be held out. */
  heldOut: number | null;
}

export interface Results {
  trainings: readonly Training[];
  measured: readonly Measured[];
  differences: readonly Difference[];
  representations: readonly Representation[];
  /** The protocol that verdicts are about. */
  probe: string;
  headline: LabelCount;
  /** Numbers of labels a class, in order. */
  counts: readonly LabelCount[];
  /** Labelled training images of each class. */
  sizes: readonly number[];
}

/** One result for each task, the best on held-out training labels first, if any could be held out; those that learned from labels come last. */
export function taskResults(results: Results): TaskResult[] {
  const { trainings, differences, probe, headline, representations } = results;
  const tasks = [...new Set(trainings.map(({ task }) => task))];
  const found = tasks.map((task): TaskResult => {
    const folders = new Set(trainings.filter((one) => one.task === task).map(({ folder }) => folder));
    const own = representations.filter(({ folder }) => folder !== undefined && folders.has(folder));
    const ids = own.map(({ id }) => id);
    const untrained = differences.findLast(
      (one) =>
        one.id === ids[0] &&
        one.baselineKind === "untrained" &&
        one.protocol === probe &&
        one.labelsPerClass === headline,
    ) as Difference; // the last is that of all seeds
    const chosen = ids.map((id) => bestAt(results, id, probe, headline));
    const heldOut = chosen.reduce((sum, one) => sum + one.heldOut, 0) / chosen.length;
    return {
      ...{
        task,
        title: taskEntry(task).title,
        usesLabels: taskEntry(task).usesLabels ?? false,
        ids,
        untrained,
        savings: savingsOf(results, own),
      },
      heldOut: Number.isNaN(heldOut) ? null : heldOut,
    };
  });
  const verdicts = correctFamilies(found.map(({ untrained }) => untrained));
  const corrected = found.map((one, i): TaskResult => ({ ...one, untrained: verdicts[i] as Difference }));
  return corrected.sort(
    (a, b) =>
      Number(a.usesLabels) - Number(b.usesLabels) || improvement(a.untrained.metric, b.heldOut ?? 0, a.heldOut ?? 0),
  );
}

/** An encoder's layer that did best on held-out training labels; its last where none could be held out. */
export function bestAt(
  { measured }: Pick<Results, "measured">,
  id: string,
  protocol: string,
  labelsPerClass: LabelCount,
): Measured {
  const own = measured.filter(
    ({ row }) => row.id === id && row.protocol === protocol && row.labelsPerClass === labelsPerClass,
  );
  return own.reduce((best, one) => (isBetterLayer(one, best) ? one : best));
}

/** Undefined if nothing was trained from scratch, or with one number of labels only, which is no curve. */
function savingsOf(results: Results, own: readonly Representation[]): LabelSavings | undefined {
  const { measured, representations, probe, headline, counts, sizes } = results;
  const scratch = own.map(({ baselines }) =>
    representations.find(({ id, kind }) => kind === "from-scratch" && baselines.includes(id)),
  );
  if (headline === "all" || scratch.some((one) => one === undefined)) return undefined;
  const draws =
    measured.find(({ row }) => row.id === scratch[0]?.id && row.labelsPerClass !== "all")?.scores.length ?? 0;
  const values = (ids: readonly string[], protocol: string | undefined, labels: LabelCount) =>
    ids.flatMap((id) => {
      const name = protocol ?? (measured.find(({ row }) => row.id === id)?.row.protocol as string);
      return bestAt(results, id, name, labels).values.slice(0, draws);
    });
  const ids = scratch.map((one) => (one as Representation).id);
  const metricOf = (id: string | undefined, name?: string) =>
    measured.find(({ row }) => row.id === id && (name === undefined || row.protocol === name))?.row.metric.name;
  if (metricOf(ids[0]) !== metricOf(own[0]?.id, probe)) return undefined; // accuracy cannot be read off a curve of mAP
  const trained = (count: LabelCount) => measured.some(({ row }) => row.id === ids[0] && row.labelsPerClass === count);
  const point = (count: LabelCount, of: readonly string[], protocol?: string): CurvePoint => ({
    labels: drawnOnAverage(count, sizes),
    values: values(of, protocol, count),
  });
  const curve = counts.filter(trained).map((count) => point(count, ids));
  if (curve.length < 2) return undefined;
  const ours = own.map(({ id }) => id);
  return labelSavings(point(headline, ours, probe), curve, ids.length);
}
