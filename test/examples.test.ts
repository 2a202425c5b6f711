/** Each example is a separate program and runs to its end, as its first lines say. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);

test.each([
  ["01-tensors.ts", [], /d\(x²\)\/dx at 3 = 6[\s\S]*1 tensor left of three/],
  ["02-rotation-by-hand.ts", ["emoji", "11"], /step 10: loss .* accuracy/],
  ["03-your-own-task.ts", [], /step 32: loss[\s\S]*accuracy \d+ %/],
  ["04-embeddings.ts", [], /layer4 +Tensor[\s\S]*is most like/],
])("%s", { timeout: 120_000 }, async (file, args, expected) => {
  const { stdout } = await run(process.execPath, ["--import", "tsx", `examples/${file}`, ...args], { cwd: root });
  expect(stdout).toMatch(expected);
});
