import type { Command } from "commander";
import { benchmarkVerdict, writeBenchmark } from "../report/benchmark.ts";
import { wrap } from "../setup/terminal.ts";
import { benchmark } from "../study/benchmark/benchmark.ts";
import { benchmarkFiles } from "../study/benchmark/folder.ts";
import { benchmarkOptions } from "../study/benchmark/options.ts";
import { addFlags, commandLine } from "./flags.ts";
import { untilInterrupted } from "./signals.ts";
import { workingLine } from "./working.ts";

export function addBenchmark(program: Command): void {
  const command = program
    .command("benchmark")
    .description("which pretext task suits your images, does it help, and how many labels does it save?")
    .argument("<images>", benchmarkOptions.shape.images.description);
  addFlags(command, benchmarkOptions, ["images"]).action(async (images: string, flags: object) => {
    const working = workingLine();
    const result = await untilInterrupted(({ signal, saveFirst }) =>
      benchmark(
        { ...flags, images },
        {
          signal,
          onEvent(event) {
            working.tell(event);
            if (event.type === "start") saveFirst();
          },
        },
      ).finally(() => working.end()),
    );
    const { page, report } = benchmarkFiles(result.folder);
    writeBenchmark(page, result, commandLine("benchmark", images, flags));
    const columns = process.stdout.columns || Number.POSITIVE_INFINITY;
    const lines = benchmarkVerdict(result).flatMap((sentence) => wrap(sentence, columns));
    process.stdout.write(`${lines.join("\n")}\nThe report: ${page}\nThe numbers: ${report}\n`);
  });
}
