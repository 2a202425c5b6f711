/** 600 steps of a whole run, in its own process: a training step frees what it creates. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { makePictures, scratch } from "../images.ts";

const folder = scratch();
const script = fileURLToPath(new URL("../../bench/memory.ts", import.meta.url));

test("600 steps leave as many tensors as one, and use no more memory than 200", {
  timeout: 120_000,
}, async () => {
  const images = await makePictures(join(folder, "pictures"), { count: 32, size: 16 });
  // A small space for JavaScript's short-lived objects: in so small a process, how full it is depends on chance.
  const options = { model: "nin3", width: 0.0625, imageSize: 8, batchSize: 8, threads: 1 };
  const printed = execFileSync(
    process.execPath,
    ["--max-semi-space-size=1", "--import", "tsx", script, images, JSON.stringify(options), "200", "600"],
    {
      encoding: "utf8",
    },
  );
  const { steps, liveTensors, growth } = JSON.parse(printed) as {
    steps: number;
    liveTensors: number[];
    growth: number;
  };
  expect(steps).toBe(600);
  // The optimizer creates its momenta at the first step.
  expect(liveTensors).toHaveLength(1);
  expect(growth).toBeLessThan(0.013); // 10 KB a step
});
