/** The lines of a benchmark's charts: the mean over all trainings of a task, by number of labels and by layer. */
import type { Measured } from "../../evaluate/compare.ts";
import type { LabelCount } from "../../evaluate/draws.ts";
import type { Kind, Representation } from "../../evaluate/representations.ts";
import type { Interval } from "../../evaluate/statistics.ts";
import { answersOf, intervalOf } from "../../evaluate/uncertainty.ts";
import { bestAt, type TaskResult } from "./task-results.ts";

export interface Line {
  name: string;
  kind: Kind;
  /** Over the trainings: at the layer that was best for each. The interval allows for trainings, draws and test images. */
  labels: ({ labels: LabelCount } & Interval)[];
  /** With the headline's number of labels. */
  layers: ({ layer: string } & Interval)[];
}

interface Shown {
  tasks: readonly TaskResult[];
  measured: readonly Measured[];
  representations: readonly Representation[];
  headline: LabelCount;
}

/** Every task, what the best one is compared with untrained and from scratch, and what needs no training, in this order. */
export function linesOf({ tasks, measured, representations, headline }: Shown): Line[] {
  const [best] = tasks as [TaskResult];
  const { protocol, metric } = best.untrained;
  const scratch = measured.find(({ row }) => row.kind === "from-scratch")?.row;
  const own = representations.filter(({ id }) => best.ids.includes(id));
  const others = (kind: Kind) =>
    representations.filter((one) => one.kind === kind && own.some(({ baselines }) => baselines.includes(one.id)));
  const line = (ids: readonly string[], name: string, kind: Kind, by = protocol): Line => {
    const rows = measured.filter(({ row }) => row.protocol === by && ids.includes(row.id));
    const pooled = (some: readonly Measured[]) => {
      const [{ protocol, row }] = some as [Measured];
      return intervalOf(
        some.flatMap(({ scores }) => scores),
        some.flatMap(({ values }) => values),
        protocol.reduce,
        { trainings: some.length, answers: answersOf(row) },
      );
    };
    const counts = [...new Set(rows.map(({ row }) => row.labelsPerClass))];
    const atHeadline = rows.filter(({ row }) => row.labelsPerClass === headline);
    const layers = [...new Set(atHeadline.map(({ row }) => row.layer))];
    return {
      ...{ name, kind },
      labels: counts.map((labels) => ({
        labels,
        ...pooled(ids.map((id) => bestAt({ measured }, id, by, labels))),
      })),
      layers: layers.map((layer) => ({ layer, ...pooled(atHeadline.filter(({ row }) => row.layer === layer)) })),
    };
  };
  const group = (kind: Kind, by?: string) => {
    const [first, ...more] = others(kind);
    return first
      ? [
          line(
            [first, ...more].map(({ id }) => id),
            first.role,
            kind,
            by,
          ),
        ]
      : [];
  };
  const networks: readonly Kind[] = ["pre-trained", "untrained", "from-scratch"];
  return [
    ...tasks.map(({ ids, title }) => line(ids, title, "pre-trained")),
    ...group("untrained"),
    ...representations
      .filter(({ kind }) => !networks.includes(kind))
      .map(({ id, label, kind }) => line([id], label, kind)),
    ...(scratch?.metric.name === metric.name ? group("from-scratch", scratch.protocol) : []), // accuracy has no place on an axis of mAP
  ];
}
