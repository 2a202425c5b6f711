/**
 * Gradients without stored activations. The activations of a segment are freed in the forward pass; `backward` computes them
 * again, from its input (Chen et al. 2016, https://arxiv.org/abs/1604.06174) or its output (Gomez et al. 2017).
 *
 * To libtorch a segment's output is a leaf. `Tensor.backward` first lets libtorch fill its gradient, and then runs the
 * segments in reverse (tape.ts): libtorch's engine calls nothing in JavaScript, and on a GPU it has threads of its own.
 */
import { autocast, gradMode, noGrad } from "./autograd.ts";
import { native } from "./native.ts";
import { isInScope, scope } from "./scope.ts";
import { type Recorded, tape } from "./tape.ts";
import type { Device, Tensor } from "./tensor.ts";

export interface Segment {
  /** All that it learns. */
  parameters: readonly Tensor[];
  /** Runs without gradients, and again with them where they are stored after all. Draws no random numbers. */
  forward: (input: Tensor) => Tensor;
  /**
   * Adds to the `grad` of the input and of the parameters, with gradients on and autocast as it was in the forward pass.
   * @param gradient d(loss)/d(output), to be changed or disposed as it likes
   */
  backward: (input: Tensor, output: Tensor, gradient: Tensor) => void;
}

let isStoring = false;

/** Runs `body` with libtorch's own graph in place of segments: what they save is measured against this. */
export function storeActivations<T>(body: () => T): T {
  const before = isStoring;
  isStoring = true;
  try {
    return body();
  } finally {
    isStoring = before;
  }
}

/**
 * The segment's output. If the input has a graph, it has no other consumer than this: that graph is gone through when the
 * segment is. Outside of any scope, nothing would say when to forget the segment: there libtorch records everything.
 */
export function segment(input: Tensor, { parameters, forward, backward }: Segment): Tensor {
  if (!gradMode()) return scope(() => forward(input));
  const learns = input.requiresGrad || parameters.some((parameter) => parameter.requiresGrad);
  if (isStoring || !isInScope() || !learns) return forward(input);

  const output = noGrad(() => scope(() => forward(input).detach())).requiresGrad_();
  // Second handles to the same two tensors, which nobody else can dispose.
  const [x, y] = [input.to({}), output.to({})];
  const { device } = input;
  const precision = lowPrecision(device);
  const replay = (keepGraph: boolean) =>
    scope(() => {
      const gradient = y.grad;
      if (gradient === null) return;
      y.grad = null;
      if (recorded.isSpent) {
        throw new Error(
          "backward() a second time through a segment: give the first { keepGraph: true }, or add the losses",
        );
      }
      recorded.isSpent = !keepGraph;
      const leaf = x.detach().requiresGrad_(x.requiresGrad);
      freshAutocast(device, precision, () => scope(() => backward(leaf, y.detach(), gradient)));
      const { grad } = leaf;
      if (grad) native().backward(x.handle, grad.handle, keepGraph);
    });
  const recorded: Recorded = { output, needs: [x, y], replay, isSpent: false };
  tape.push(recorded);
  return output;
}

/** A segment that is computed again from its input. */
export function checkpoint(input: Tensor, parameters: readonly Tensor[], forward: (input: Tensor) => Tensor): Tensor {
  const backward = (x: Tensor, _: Tensor, gradient: Tensor) => {
    const y = forward(x);
    if (y.requiresGrad) y.backward(gradient);
  };
  return segment(input, { parameters, forward, backward });
}

/**
 * What autocast is set to. Forgets the weights that it cast: it keeps them for the next use, but those of a forward pass without
 * gradients have none, and would be taken where gradients are wanted.
 */
function lowPrecision(device: Device): "bf16" | "f16" | null {
  const dtype = native().autocast(device, null);
  if (dtype !== null) native().autocast(device, dtype);
  return dtype as "bf16" | "f16" | null;
}

function freshAutocast(device: Device, dtype: "bf16" | "f16" | null, body: () => void): void {
  const before = native().autocast(device, null);
  try {
    autocast(device, dtype ?? "f32", body);
  } finally {
    native().autocast(device, before);
  }
}
