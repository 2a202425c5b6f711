import type { Command } from "commander";
import { preview, previewOptions } from "../inspect/preview.ts";
import { parseOptions } from "../options.ts";
import { auditTable } from "../report/audit.ts";
import { pretrainOptions } from "../run/options.ts";
import { resolveConfig } from "../run/resolve.ts";
import { addFlags, parsePairs, refuseOtherTasks, showResolved } from "./flags.ts";
import { untilInterrupted } from "./signals.ts";
import { workingLine } from "./working.ts";

export function addPreview(program: Command): void {
  const command = program
    .command("preview")
    .description("a picture of what a task shows the network; with --audit, whether it can be done by a shortcut")
    .argument("<images>", previewOptions.shape.images.description)
    .argument("[key=value...]", "the task's own options");
  showResolved(command, (flags) => {
    const { images: _, ...shared } = parseOptions(previewOptions, { ...flags, images: "images" });
    const known = Object.keys(pretrainOptions.shape);
    const given = Object.fromEntries(Object.entries(shared).filter(([name]) => name !== "out" && known.includes(name)));
    const {
      out: __,
      minutes: ___,
      ...resolved
    } = resolveConfig(parseOptions(pretrainOptions, { ...given, images: "images", minutes: undefined }));
    return resolved;
  });
  addFlags(command, previewOptions, ["images", "taskOptions"]).action(
    async (images: string, pairs: string[], flags: object) => {
      const taskOptions = parsePairs(pairs);
      if (!("run" in flags)) refuseOtherTasks(taskOptions, flags);
      const working = workingLine();
      const { file, preset, audit } = await untilInterrupted(({ signal }) =>
        preview(
          { ...flags, images, taskOptions },
          {
            signal,
            onEvent: (event) => working.tell(event),
          },
        ).finally(() => working.end()),
      );
      const whose = "run" in flags ? "the run's network" : "an untrained network";
      process.stderr.write(`Below each picture: the guess of ${whose} / the right answer.\n`);
      if (!("run" in flags || "preset" in flags)) {
        process.stderr.write(
          `Shown as by --preset ${preset}. A run of a few minutes takes --preset quick by itself.\n`,
        );
      }
      process.stdout.write(audit.length ? `${auditTable(audit)}\n${file}\n` : `${file}\n`);
    },
  );
}
