import type { Command } from "commander";
import { auditTable } from "../report/audit.ts";
import { preview, previewOptions } from "../train/preview.ts";
import { addFlags, parsePairs } from "./flags.ts";
import { untilInterrupted } from "./signals.ts";
import { workingLine } from "./working.ts";

export function addPreview(program: Command): void {
  const command = program
    .command("preview")
    .description("a picture of what a task shows the network; with --audit, whether it can be done by a shortcut")
    .argument("<images>", previewOptions.shape.images.description)
    .argument("[key=value...]", "the task's own options");
  addFlags(command, previewOptions, ["images", "taskOptions"]).action(
    async (images: string, pairs: string[], flags: object) => {
      const working = workingLine();
      const { file, audit } = await untilInterrupted(({ signal }) =>
        preview(
          { ...flags, images, taskOptions: parsePairs(pairs) },
          {
            signal,
            onDownload: (line) => process.stderr.write(`${line}\n`),
            onRead: (done, total) => working.show(`reading images: ${done} of ${total}`),
            onDecode: (done, total) => working.show(`decoding images: ${done} of ${total}`),
            onProbe: (view) => process.stderr.write(`training a probe that sees only ${view}\n`),
          },
        ).finally(() => working.end()),
      );
      process.stdout.write(audit.length ? `${auditTable(audit)}\n${file}\n` : `${file}\n`);
    },
  );
}
