/** Four times the layers take the same memory, measured in separate processes. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("../../bench/revnet-memory.ts", import.meta.url));
const options = JSON.stringify({ width: 0.25, size: 32, batch: 16, steps: 2, threads: 1 });

test("a RevNet's activations take the same memory with 104 layers as with 26, and far less than stored ones", () => {
  const activations = (name: string): number =>
    JSON.parse(
      execFileSync(process.execPath, ["--import", "tsx", script, name, options, "child"], { encoding: "utf8" }),
    ).activations;
  const [shallow, deep, stored] = [activations("revnet26"), activations("revnet104"), activations("revnet104:stored")];
  expect(deep / shallow).toBeLessThan(1.1);
  expect(deep / stored).toBeLessThan(0.7);
});
