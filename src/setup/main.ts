/** `node dist/setup/main.js`: what scripts/ensure.mjs runs. Silent when everything is in place. */
import { SelfsightError } from "../errors.ts";
import { setup } from "./setup.ts";

try {
  await setup({ force: process.argv.includes("--force"), say: (line) => console.error(line) });
} catch (error) {
  if (!(error instanceof SelfsightError)) throw error;
  console.error(error.message);
  process.exitCode = error.exitCode;
}
