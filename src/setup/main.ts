/** `node dist/setup/main.js`: run by scripts/ensure.mjs. Silent when there is nothing to do. */
import { diskError, SelfsightError } from "../errors.ts";
import { exitOnSignals } from "./lock.ts";
import { setup } from "./setup.ts";

exitOnSignals();
try {
  await setup({ force: process.argv.includes("--force"), say: (line) => console.error(line) });
} catch (error) {
  const known = error instanceof SelfsightError ? error : diskError(error);
  if (!known) throw error;
  console.error(known.message);
  process.exitCode = known.exitCode;
}
