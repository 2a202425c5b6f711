/** Where results go: two evaluations of a run at the same time must not write the same file. */
import { closeSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { onDisk } from "../errors.ts";
import { makeFolder } from "../setup/folders.ts";

/** Creates an empty `evals/NAME/result.json`; or `evals/NAME-2/result.json`, … if another process was faster. */
export function claimResultFile(wanted: string): string {
  return onDisk(`${wanted} cannot be written`, () => {
    for (let i = 1; ; i++) {
      const file = i === 1 ? wanted : join(`${dirname(wanted)}-${i}`, "result.json");
      makeFolder(dirname(file));
      try {
        closeSync(openSync(file, "wx"));
        return file;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
    }
  });
}
