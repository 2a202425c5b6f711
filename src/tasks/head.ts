/** The classifier that patch tasks put on top of what an encoder says of several patches, or of one. */
import { BatchNorm2d, Linear, ReLU } from "../torch/nn/layers.ts";
import { Sequential } from "../torch/nn/module.ts";

/** Rows (N, inputs) to logits (N, classes), by way of one hidden layer. */
export function hiddenHead(inputs: number, hidden: number, classes: number): Sequential {
  return new Sequential(new Linear(inputs, hidden), new BatchNorm2d(hidden), new ReLU(), new Linear(hidden, classes));
}
