import type { Command } from "commander";
import { UsageError } from "../errors.ts";
import { type Evaluation, evaluate } from "../evaluate/evaluate.ts";
import { type EvaluateOptions, evaluateOptions } from "../evaluate/options.ts";
import { resultTable } from "../report/table.ts";
import { verdict } from "../report/verdict.ts";
import { wrap } from "../setup/terminal.ts";
import { addFlags } from "./flags.ts";
import { untilInterrupted } from "./signals.ts";
import { workingLine } from "./working.ts";

export function addEvaluate(program: Command): void {
  const command = program
    .command("evaluate")
    .description(
      "measure encoders on labelled images, beside the same networks untrained, raw pixels and HOG with a colour histogram",
    )
    .argument("<runs-and-images...>", "run folders of pretrain, then the labelled images");
  addFlags(command, evaluateOptions, ["runs", "images"]).action(async (places: string[], flags: object) => {
    if (places.length < 2) {
      throw new UsageError(
        `Expected one run folder or more, and then the labelled images; got only "${places[0]}". ` +
          "Try: npx selfsight evaluate runs/mine path/to/labelled/photos",
      );
    }
    const result = await runEvaluate({ ...flags, runs: places.slice(0, -1), images: places.at(-1) ?? "" });
    const columns = process.stdout.columns || Number.POSITIVE_INFINITY;
    for (const difference of result.differences)
      process.stdout.write(`${wrap(verdict(difference), columns).join("\n")}\n`);
    process.stdout.write(`${result.file}\n`);
  });
}

/** Evaluates with progress on stderr and the table on stdout. */
async function runEvaluate(options: EvaluateOptions): Promise<Evaluation> {
  const { stdout, stderr } = process;
  const working = workingLine();
  const result = await untilInterrupted(({ signal }) =>
    evaluate(options, { signal, onEvent: (event) => working.tell(event) }).finally(() => working.end()),
  );
  for (const note of result.notes) stderr.write(`${note}\n`);
  stdout.write(`${resultTable(result.rows, stdout, result.differences)}\n`);
  return result;
}
