// Run by collect.test.ts. Makes tensors outside of any scope and forgets them, as a user's script may. Nothing calls gc().
import { setImmediate } from "node:timers/promises";
import { register } from "tsx/esm/api";

register();
const { empty } = await import("../../src/torch/ops.ts");
const { memory } = await import("../../src/torch/scope.ts");

let most = 0;
for (let i = 0; i < 3000; i++) {
  empty([2 ** 18]); // 1 MB
  most = Math.max(most, memory().tensors);
  await setImmediate();
}
console.log(JSON.stringify({ most }));
