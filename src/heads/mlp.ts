/** A classifier with one hidden layer, for features of one image or of several patches. */
import { BatchNorm1d, Linear, ReLU } from "../torch/nn/layers.ts";
import { Sequential } from "../torch/nn/module.ts";

/** Rows (N, inputs) to logits (N, classes), through one hidden layer. */
export function mlp(inputs: number, hidden: number, classes: number): Sequential {
  return new Sequential(new Linear(inputs, hidden), new BatchNorm1d(hidden), new ReLU(), new Linear(hidden, classes));
}
