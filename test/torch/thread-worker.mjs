// A worker thread: loads the addon, computes, and tries the handle of another thread's tensor.
import { createRequire } from "node:module";
import { parentPort, workerData } from "node:worker_threads";

const native = createRequire(import.meta.url)(workerData.addon);
const [matmul] = native.findOperator("aten::matmul");
const values = new Uint8Array(Float32Array.from({ length: 64 * 64 }, (_, i) => i % 7).buffer);
const x = native.fromBytes(values, "f32", [64, 64]);
let product = x;
for (let i = 0; i < 20; i++) product = native.call(matmul, x, x);
const [first] = new Float32Array(native.toBytes(product));
let refusal = "none";
try {
  native.shape(workerData.foreign);
} catch (error) {
  refusal = error.message;
}
// Live tensors are left behind on purpose: the end of the thread frees them.
parentPort.postMessage({ first, refusal, live: native.live()[0] });
