#!/usr/bin/env node
/** The command `selfsight`. A file of its own because dist/ is missing in a bare clone, where npx would keep its failure. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const main = new URL("../dist/cli/main.js", import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  const folder = fileURLToPath(new URL("..", import.meta.url));
  console.error(`Selfsight is not set up yet. In ${folder}, run: npm run setup`);
  process.exitCode = 1;
}
