import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { zeros } from "../../src/torch/ops.ts";
import { memory } from "../../src/torch/scope.ts";
import { expectNoLeak } from "../live.ts";

expectNoLeak();

const record = () =>
  JSON.parse(readFileSync(new URL("../../build/current.json", import.meta.url), "utf8")) as { addon: string };

function run(foreign: bigint): Promise<{ first: number; refusal: string; live: number }> {
  const addon = process.env["SELFSIGHT_ADDON"] ?? record().addon;
  const file = fileURLToPath(new URL("./thread-worker.mjs", import.meta.url));
  return new Promise((resolve, reject) => {
    const worker = new Worker(file, { workerData: { addon, foreign } });
    let answer: { first: number; refusal: string; live: number };
    worker.on("message", (message) => {
      answer = message;
    });
    worker.on("error", reject);
    worker.on("exit", (code) => (code === 0 ? resolve(answer) : reject(new Error(`exit code ${code}`))));
  });
}

test("each thread loads the addon, computes in parallel, and cannot use another thread's tensors", async () => {
  // Workers have tensors in the lowest slots too, and none in that of the last tensor.
  const mine = Array.from({ length: 200 }, () => zeros([1]));
  const [first, last] = [mine[0], mine.at(-1)];
  const before = memory().tensors;
  const answers = await Promise.all([first, last].map((one) => run(one?.handle ?? 0n)));
  for (const { first: product, refusal, live } of answers) {
    expect(product).toBe(expectedFirst());
    expect(refusal).toBe("the tensor was disposed, or belongs to another thread");
    expect(live).toBe(21);
  }
  expect(memory().tensors).toBe(before);
  expect(last?.item()).toBe(0);
  for (const one of mine) one.dispose();
});

/** Row 0 times column 0 of the 64 × 64 matrix of i % 7. */
function expectedFirst(): number {
  return Array.from({ length: 64 }, (_, k) => (k % 7) * ((64 * k) % 7)).reduce((sum, part) => sum + part, 0);
}
