/** Where results go: two evaluations of a run at once must not take the same place. */
import { closeSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { onDisk } from "../errors.ts";
import { makeFolder } from "../setup/folders.ts";

/** Makes `evals/NAME/result.json`, empty; or `evals/NAME-2/result.json`, … where another process has been quicker. */
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
