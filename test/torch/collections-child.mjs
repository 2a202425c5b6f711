// Run by collect.test.ts. Makes tensors in scopes, as a training step does, and counts how often all garbage is collected.
import { constants, PerformanceObserver } from "node:perf_hooks";
import { setImmediate } from "node:timers/promises";
import { register } from "tsx/esm/api";

register();
const { empty } = await import("../../src/torch/ops.ts");
const { scope } = await import("../../src/torch/scope.ts");

let collections = 0;
new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collections++;
}).observe({ entryTypes: ["gc"] });
for (let step = 0; step < 30; step++) {
  scope(() => {
    for (let i = 0; i < 100; i++) empty([2 ** 20]); // 4 MB
  });
  await setImmediate();
}
await setImmediate();
console.log(JSON.stringify({ collections }));
