import type { Command } from "commander";
import { parseOptions } from "../options.ts";
import { pretrainOptions } from "../run/options.ts";
import { progressLine } from "../run/progress.ts";
import { resolveConfig } from "../run/resolve.ts";
import { duration } from "../setup/terminal.ts";
import { pretrain } from "../train/pretrain.ts";
import { addFlags, parsePairs, refuseOtherTasks, showResolved } from "./flags.ts";
import { untilInterrupted } from "./signals.ts";
import { workingLine } from "./working.ts";

export function addPretrain(program: Command): void {
  const command = program
    .command("pretrain")
    .description("train an encoder on images without labels")
    .argument("<images>", pretrainOptions.shape.images.description)
    .argument("[key=value...]", "the task's own options")
    .configureOutput({
      outputError(text, write) {
        write(
          text.includes("missing required") ? `${text}Try: npx selfsight pretrain path/to/photos --minutes 10\n` : text,
        );
      },
    });
  showResolved(command, (flags) => {
    const { out: _, ...resolved } = resolveConfig(parseOptions(pretrainOptions, { ...flags, images: "images" }));
    return resolved;
  });
  addFlags(command, pretrainOptions, ["images", "taskOptions"]).action(
    async (images: string, pairs: string[], flags: object) => {
      const taskOptions = parsePairs(pairs);
      if (!("resume" in flags)) refuseOtherTasks(taskOptions, flags);
      await runPretrain({ ...flags, images, taskOptions });
    },
  );
}

/** Pre-trains with progress on the terminal. SIGINT, SIGTERM and SIGHUP save before they stop it. */
export function runPretrain(options: Parameters<typeof pretrain>[0]) {
  return untilInterrupted(async ({ signal, saveFirst }) => {
    let progress: ReturnType<typeof progressLine> | undefined;
    const working = workingLine();
    const result = await pretrain(options, {
      signal,
      onEvent(event) {
        working.tell(event);
        if (event.type === "step") progress?.step(event.record);
        if (event.type !== "start") return;
        saveFirst();
        working.end();
        const { notes, images, compute, folder } = event;
        for (const note of notes) process.stderr.write(`${note}\n`);
        process.stderr.write(`${images} images, ${compute.device}, ${compute.precision}, into ${folder}\n`);
        progress = progressLine(event);
      },
    }).finally(() => (progress ?? working).end());
    process.stderr.write(
      `Done: ${result.steps} steps, ${result.images} images seen, ${duration(result.seconds * 1000)}. Encoder: ${result.folder}/encoder.safetensors\n`,
    );
    if (result.caveat) process.stderr.write(`${result.caveat}\n`);
    return result;
  });
}
