import type { Command } from "commander";
import { z } from "zod";
import { parseOptions } from "../options.ts";
import { writeStudyPages } from "../report/study.ts";
import { planTable, studyTable } from "../report/study-text.ts";
import type { Hooks } from "../run/events.ts";
import { wrap } from "../setup/terminal.ts";
import { nextCommand } from "../study/analysis/ranking.ts";
import { type Failure, studyFiles } from "../study/grid/folder.ts";
import { studyOptions } from "../study/grid/options.ts";
import { shardOf } from "../study/grid/shard.ts";
import { dryRun, study } from "../study/grid/study.ts";
import type { StudyRun } from "../study/grid/work.ts";
import { readStudy, studyName } from "../study/grid/yaml.ts";
import { addFlags, commandLine, keyLines } from "./flags.ts";
import { print } from "./output.ts";
import { untilInterrupted } from "./signals.ts";
import { workingLine } from "./working.ts";

/** Options of the file that the command line may set in its place. */
const changes = studyOptions.pick({
  ...{ images: true, labels: true, group: true, out: true },
  ...{ device: true, precision: true, threads: true },
});
const flags = z.strictObject({
  dryRun: z.boolean().default(false).describe("list the cells, and how long each will take; train nothing"),
  retry: z.boolean().default(false).describe("try again what has failed"),
  yes: z.boolean().default(false).describe("go on with more than 10,000 cells"),
  shard: z
    .string()
    .optional()
    .describe("work only on part I of N, as 1/4; default: from SLURM_ARRAY_TASK_ID and _COUNT, if these are set"),
});

export function addStudy(program: Command): void {
  const command = program
    .command("study")
    .description("train and measure a grid of tasks, architectures, widths, data sizes and seeds, described by a file")
    .argument("<file>", "the study as YAML, or a recipe: tasks, architectures, widths, scaling, ten-minutes");
  command.addHelpText("after", () => ["", "Keys of the file:", ...keyLines(studyOptions)].join("\n"));
  addFlags(addFlags(command, changes), flags).action(async (file: string, given: Record<string, unknown>) => {
    const { dryRun: dry, shard, ...how } = parseOptions(flags, pick(given, flags));
    const run = { ...how, shard: shardOf(shard) };
    const config = readStudy(file, pick(given, changes));
    await (dry
      ? showPlan(config, run)
      : runStudy(config, run, { name: studyName(file), command: commandLine("study", file, given) }));
  });
}

type Config = ReturnType<typeof readStudy>;

async function showPlan(config: Config, run: StudyRun): Promise<void> {
  const working = workingLine();
  const plan = await untilInterrupted(({ signal }) =>
    dryRun(config, { signal, onEvent: working.tell }, run).finally(() => working.end()),
  );
  tellFailures("Left out", plan.leftOut);
  print(planTable(plan));
}

async function runStudy(config: Config, run: StudyRun, about: { name: string; command: string }): Promise<void> {
  const working = workingLine();
  const result = await untilInterrupted(({ signal, saveFirst }) => {
    const onEvent: Hooks["onEvent"] = (event) => {
      working.tell(event);
      if (event.type === "start") saveFirst();
    };
    return study(config, { signal, onEvent }, run).finally(() => working.end());
  });
  tellFailures("Left out", result.leftOut);
  tellFailures("Failed", result.failed);
  if (result.failed.length) {
    process.stderr.write("The same command with --retry tries again what has failed.\n");
    process.exitCode = 1;
  }
  if (!result.study) {
    process.stderr.write("Done with this part. The process that ends last writes the study's result.\n");
    return;
  }
  const { folder } = result;
  const columns = process.stdout.columns || Number.POSITIVE_INFINITY;
  const { files, sentences } = writeStudyPages(folder, { ...result.study, ...about });
  if (result.study.cells.length) process.stdout.write(`${studyTable(result.study)}\n`);
  for (const sentence of sentences) process.stdout.write(`${wrap(sentence, columns).join("\n")}\n`);
  print(["", ...files, studyFiles(folder).study].join("\n"));
  const next = nextCommand(result.study);
  if (next) process.stdout.write(`Next, for longer:\n  ${next}\n`);
}

function tellFailures(what: string, failures: readonly Failure[]): void {
  for (const { name, message } of failures) process.stderr.write(`${what}: ${name}: ${message}\n`);
}

function pick(given: Record<string, unknown>, { shape }: z.ZodObject): object {
  return Object.fromEntries(Object.entries(given).filter(([key]) => key in shape));
}
