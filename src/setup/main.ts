/** `node dist/setup/main.js`: what scripts/ensure.mjs runs. Silent when everything is in place. */
import { diskError, SelfsightError } from "../errors.ts";
import { setup } from "./setup.ts";

try {
  await setup({ force: process.argv.includes("--force"), say: (line) => console.error(line) });
} catch (error) {
  const known = error instanceof SelfsightError ? error : diskError(error);
  if (!known) throw error;
  console.error(known.message);
  process.exitCode = known.exitCode;
}
