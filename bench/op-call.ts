/** The cost of one operator call: adding two tensors of one element. */
import { ones } from "../src/torch/ops.ts";
import { scope } from "../src/torch/scope.ts";
import { type Row, toRow } from "./rows.ts";
import { alternate, type Context, type Measure, withPeers } from "./runner.ts";

const CALLS = 200_000;
/** Calls per scope. Their results are freed together, as in a training step. */
const CALLS_A_SCOPE = 1_000;

export async function opCall(context: Context): Promise<Row[]> {
  const rows: Row[] = [];
  for (const grad of ["off", "on"] as const) {
    const peers = { add: { args: ["--grad", grad, "--calls", String(CALLS)] } };
    await withPeers(context, "op_call.py", peers, async ({ add }) => {
      const ours = smallAdd(grad === "on");
      await ours();
      const values = await alternate(context.rounds, { ours, peer: add.measure });
      rows.push(toRow("op-call", `add, gradients ${grad}`, "ns/call", values.ours, values.peer));
    });
  }
  return rows;
}

function smallAdd(requiresGrad: boolean): Measure {
  const [a, b] = [ones([1]), ones([1])];
  if (requiresGrad) for (const leaf of [a, b]) leaf.requiresGrad_();
  return () => {
    const start = performance.now();
    for (let done = 0; done < CALLS; done += CALLS_A_SCOPE) {
      scope(() => {
        for (let i = 0; i < CALLS_A_SCOPE; i++) a.add(b);
      });
    }
    return ((performance.now() - start) * 1e6) / CALLS;
  };
}
