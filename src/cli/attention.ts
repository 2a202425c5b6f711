import type { Command } from "commander";
import { UsageError } from "../errors.ts";
import { writeAttention } from "../report/attention.ts";
import { attentionSummary } from "../report/attention-numbers.ts";
import { attention } from "../study/attention/attention.ts";
import { attentionOptions } from "../study/attention/options.ts";
import { addFlags } from "./flags.ts";
import { untilInterrupted } from "./signals.ts";
import { workingLine } from "./working.ts";

export function addAttention(program: Command): void {
  const command = program
    .command("attention")
    .description("where encoders look: a picture and a page, beside the same networks untrained")
    .argument("<runs-and-images...>", "run folders of pretrain, then the images");
  addFlags(command, attentionOptions, ["runs", "images"]).action(async (places: string[], flags: object) => {
    if (places.length < 2) {
      throw new UsageError(
        `Expected one run folder or more, and then the images; got only "${places[0]}". Try: npx selfsight attention runs/mine path/to/photos`,
      );
    }
    const working = workingLine();
    const result = await untilInterrupted(({ signal }) =>
      attention(
        { ...flags, runs: places.slice(0, -1), images: places.at(-1) ?? "" },
        { signal, onEvent: (event) => working.tell(event) },
      ).finally(() => working.end()),
    );
    await writeAttention(result);
    const said = result.numbers && attentionSummary(result.numbers);
    if (said) process.stdout.write(`${said}\n`);
    for (const note of result.notes) process.stderr.write(`${note}\n`);
    process.stdout.write(`${result.file}\n${result.page}\n`);
  });
}
