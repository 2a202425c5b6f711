/** A training step of a classifier: same network, same batch, same optimizer as the peer. */
import { createEncoder } from "../src/models/index.ts";
import { Linear } from "../src/torch/nn/layers.ts";
import { crossEntropy, randint, randn } from "../src/torch/ops.ts";
import type { Row } from "./rows.ts";
import type { Context } from "./runner.ts";
import { compareSteps, type Training, type Variant } from "./steps.ts";

const networks = {
  nin4: { size: 32, batch: 128 },
  resnet18: { size: 64, batch: 64 },
};
type Network = keyof typeof networks;

export async function trainStep(context: Context): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of Object.keys(networks) as Network[]) {
    const peer = { script: "train_step.py", args: ["--network", name] };
    const make = (variant: Variant) => classifier(name, variant);
    const step = { bench: "train-step", name, peer, make, ...networks[name], atItsBest: true };
    rows.push(...(await compareSteps(context, step)));
  }
  return rows;
}

function classifier(model: Network, { memoryFormat }: Variant): Training {
  const { size, batch } = networks[model];
  const encoder = createEncoder({ model }).to({ memoryFormat });
  const head = new Linear(encoder.outDim, 4);
  const [images, labels] = [randn([batch, 3, size, size]).to({ memoryFormat }), randint(4, [batch])];
  return {
    modules: [encoder, head],
    loss: () => crossEntropy(head.forward(encoder.forward(images)).to("f32"), labels),
  };
}
