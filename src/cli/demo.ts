import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { openImages } from "../data/open.ts";
import { SelfsightError } from "../errors.ts";
import { writeReport } from "../report/html.ts";
import { runReport } from "../report/run.ts";
import { verdict } from "../report/verdict.ts";
import { runEvaluate } from "./evaluate.ts";
import { runPretrain } from "./pretrain.ts";

/** Labels a class that the verdict is about. */
const LABELS = 25;

export function addDemo(program: Command): void {
  program
    .command("demo")
    .description("the main job in minutes: pre-train on photos of clothes without labels, and see how much that helps")
    .option("--minutes <number>", "of training (default: 2)", Number)
    .action(async ({ minutes = 2 }: { minutes?: number }) => {
      const images = await demoImages();
      const out = freeFolder("runs/demo");
      process.stdout.write(
        `1/3 Pre-training for ${minutes} minutes on ${images}: the network learns to tell how far each picture was turned. No labels.\n`,
      );
      await runPretrain({ images, minutes, out });
      process.stdout.write(`2/3 Measuring: what can be told from its features with ${LABELS} labels a class?\n`);
      const evaluation = await runEvaluate({
        runs: [out],
        images,
        protocol: ["linear", "knn"],
        labelsPerClass: [LABELS],
      });
      const difference = evaluation.differences.find(
        ({ protocol, baseline }) => protocol === "linear" && baseline.includes("untrained"),
      );
      if (!difference) throw new SelfsightError("The evaluation gave no comparison with the untrained network.");
      const report = join(out, "report.html");
      writeReport(report, runReport(out, evaluation, difference));
      process.stdout.write(
        `3/3 ${verdict(difference)}\n    ${report} has the curve, what the network saw, and all numbers.\n`,
      );
    });
}

/** Photos of clothes; where they cannot be had, emoji. */
async function demoImages(): Promise<string> {
  try {
    await openImages("clothing");
    return "clothing";
  } catch (error) {
    if (!(error instanceof SelfsightError)) throw error;
    process.stdout.write(`${error.message}\nGoing on with the emoji set, which is installed already.\n`);
    return "emoji";
  }
}

function freeFolder(wanted: string): string {
  let folder = wanted;
  for (let i = 2; existsSync(folder); i++) folder = `${wanted}-${i}`;
  return folder;
}
