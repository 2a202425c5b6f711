/** The report of one run, from its folder. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Evaluation } from "../evaluate/evaluate.ts";
import type { Difference } from "../evaluate/result.ts";
import type { Environment } from "../run/environment.ts";
import { type RunStatus, readConfig, runFiles } from "../run/folder.ts";
import { readMetrics } from "../run/log.ts";
import { duration } from "../setup/terminal.ts";
import { taskEntry } from "../tasks/index.ts";
import { count } from "./format.ts";
import type { Report } from "./html.ts";
import { outcome, verdict } from "./verdict.ts";

/** Most points in a curve: neighbouring steps are averaged, so that it can be read. */
const POINTS = 100;

/** What a report shows besides the run folder. */
export interface RunReport {
  /** One or a few sentences at the top if there is no result; otherwise its verdict is there. */
  headline?: string;
  /** Undefined without labels. */
  result?: { evaluation: Evaluation; difference: Difference };
  /** A PNG of images that look alike to the encoder. */
  neighbours?: Uint8Array;
}

export function runReport(folder: string, { headline = "", result, neighbours }: RunReport): Report {
  const config = readConfig(folder);
  const files = runFiles(folder);
  const environment = JSON.parse(readFileSync(files.environment, "utf8")) as Environment;
  const records = readMetrics(files.metrics);
  const { metric, guess, lossUnit } = JSON.parse(readFileSync(files.status, "utf8")) as RunStatus;
  const last = records.at(-1) ?? {};
  const samples = join(files.samples, "last.png");
  return {
    title: `${taskEntry(config.task).title} on ${config.images}`,
    verdict: result ? verdict(result.difference) : headline,
    ...(result && { outcome: outcome(result.difference), headline: result.difference }),
    facts: [
      ["Images", config.images],
      ["Task", `${taskEntry(config.task).title} (${taskEntry(config.task).paper})`],
      ["Network", `${config.model}, width ${config.width}, ${config.imageSize} × ${config.imageSize} pixels`],
      [
        "Trained",
        `${duration((last["seconds"] ?? 0) * 1000)}, ${count(last["images"] ?? 0, "image")} seen, ${count(last["step"] ?? 0, "step")} of ${config.batchSize}`,
      ],
      ...(config.init === undefined ? [] : [["Began with", `the weights of ${config.init}`] as [string, string]]),
      ["Seed", String(config.seed)],
      [
        "Hardware",
        `${environment.processor}, ${environment.threads} threads, ${environment.device}, ${environment.precision}`,
      ],
      ["Software", `Selfsight ${environment.selfsight}, libtorch ${environment.libtorch}, Node ${environment.node}`],
    ],
    curves: [
      { name: "loss", unit: lossUnit ?? "", points: curve(records, "loss"), chance: guess.loss },
      { name: metric.name, unit: "", points: curve(records, metric.name), chance: guess.value },
    ],
    ...(existsSync(samples) && { samples: readFileSync(samples) }),
    ...(neighbours && { neighbours }),
    notes: result?.evaluation.notes ?? [],
    rows: result?.evaluation.rows ?? [],
    differences: result?.evaluation.differences ?? [],
  };
}

/** The mean of a metric over up to 100 equal stretches of a run, by images seen. */
export function curve(records: readonly Record<string, number>[], name: string): [number, number][] {
  const points = Math.min(POINTS, records.length);
  const edge = (i: number) => Math.floor((i * records.length) / points); // stretches differ by at most one step
  return Array.from({ length: points }, (_, i) => {
    const part = records.slice(edge(i), edge(i + 1));
    const mean = part.reduce((sum, record) => sum + (record[name] ?? Number.NaN), 0) / part.length;
    return [part.at(-1)?.["images"] ?? 0, mean];
  });
}
