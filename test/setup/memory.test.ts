import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { peakMemory } from "../../src/setup/memory.ts";

it("finds what was held and let go, and nothing of the process that started this one", () => {
  const before = process.memoryUsage.rss();
  const large = Buffer.alloc(before + 300e6, 1);
  expect(peakMemory()).toBeGreaterThan(large.length);
  const source = `import { peakMemory } from ${JSON.stringify(new URL("../../src/setup/memory.ts", import.meta.url).href)};
    const first = peakMemory();
    Buffer.alloc(200e6, 1);
    console.log(first, peakMemory());`;
  const run = ["--import", "tsx", "--input-type=module", "-e", source];
  const [first = 0, then = 0] = execFileSync(process.execPath, run, { encoding: "utf8" }).split(" ").map(Number);
  expect(then).toBeGreaterThan(200e6);
  if (process.platform === "linux") expect(first).toBeLessThan(large.length);
});
