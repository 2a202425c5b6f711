/** Each example is a separate program and runs to its end, as its first lines say. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { makePictures, scratch } from "./images.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);
const folder = scratch();
const images = join(folder, "pictures");

beforeAll(() => makePictures(images, { count: 40 }));

test.each([
  ["01-tensors.ts", [], /d\(x²\)\/dx at 3 = 6[\s\S]*1 tensor left of three/],
  ["02-rotation-by-hand.ts", [images, "11"], /step 10: loss .* accuracy/],
  ["03-your-own-task.ts", [], /step 32: loss[\s\S]*accuracy \d+ %/],
  ["04-embeddings.ts", [images], /layer4 +Tensor[\s\S]*is most like/],
])("%s", { timeout: 120_000 }, async (file, args, expected) => {
  const { stdout } = await run(process.execPath, ["--import", "tsx", `examples/${file}`, ...args], {
    cwd: root,
    env: { ...process.env, TMPDIR: folder }, // where an example leaves its run
  });
  expect(stdout).toMatch(expected);
});
