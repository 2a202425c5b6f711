import type { Command } from "commander";
import { UsageError } from "../errors.ts";
import { embed, embedOptions } from "../evaluate/embed.ts";
import { addFlags } from "./flags.ts";
import { untilInterrupted } from "./signals.ts";
import { workingLine } from "./working.ts";

export function addEmbed(program: Command): void {
  const { run, images } = embedOptions.shape;
  const command = program
    .command("embed")
    .description("features of every image by a trained encoder, in a file for other programs")
    .argument("<run>", run.description)
    .argument("<images>", images.description);
  addFlags(command, embedOptions, ["run", "images"]).action(
    async (run: string, images: string, flags: Omit<Parameters<typeof embed>[0], "run" | "images">) => {
      if (flags.out === undefined) {
        throw new UsageError(
          "embed needs --out, the file to write: NAME.parquet or NAME.npy. " +
            "Try: npx selfsight embed runs/mine path/to/photos --out features.parquet",
        );
      }
      const working = workingLine();
      const { files, rows, width, notes } = await untilInterrupted(({ signal }) =>
        embed({ ...flags, run, images }, { signal, onEvent: (event) => working.tell(event) }).finally(() =>
          working.end(),
        ),
      );
      for (const note of notes) process.stderr.write(`${note}\n`);
      process.stderr.write(`${rows} images, ${width} features each\n`);
      process.stdout.write(`${files.join("\n")}\n`);
    },
  );
}
