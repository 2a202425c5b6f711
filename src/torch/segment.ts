/**
 * Gradients without stored activations. The activations of a segment are freed in the forward pass; `backward` recomputes them
 * from its input (Chen et al. 2016, https://arxiv.org/abs/1604.06174) or its output (Gomez et al. 2017).
 *
 * To libtorch, a segment's output is a leaf. `Tensor.backward` first lets libtorch compute its gradient, then runs the segments
 * in reverse (tape.ts): libtorch's engine cannot call JavaScript, and on a GPU it runs in its own threads.
 */
import { autocast, autocastDtype, gradMode, noGrad } from "./autograd.ts";
import { operator } from "./dispatch.ts";
import { native } from "./native.ts";
import { fromTypedArray } from "./ops.ts";
import { rngState, setRngState } from "./random.ts";
import { isInScope, scope } from "./scope.ts";
import { synchronous } from "./synchronous.ts";
import { type Recorded, tape } from "./tape.ts";
import type { Device, Tensor } from "./tensor.ts";

export interface Segment {
  /** All its trainable parameters. */
  parameters: readonly Tensor[];
  /**
   * Runs without gradients, or with them when activations are stored anyway. Must not change its input, nor draw random numbers
   * that `backward` does not draw again ({@link checkpoint} does).
   * @returns the output and, if needed, another tensor to keep for `backward`
   */
  forward: (input: Tensor) => readonly [output: Tensor, state?: () => Tensor];
  /**
   * Adds to the `grad` of the input and of the parameters. Runs with gradients on, and with the autocast of the forward pass.
   * @param gradient d(loss)/d(output). May be modified or disposed
   */
  backward: (input: Tensor, output: Tensor, gradient: Tensor, state: Tensor | undefined) => void;
}

let isStoring = false;

/** Runs `body` with libtorch's own graph instead of segments: the baseline for the memory they save. */
export function storeActivations<T>(body: () => T): T {
  const before = isStoring;
  isStoring = true;
  try {
    return synchronous("storeActivations", body);
  } finally {
    isStoring = before;
  }
}

/**
 * The segment's output. An input that has a graph must have no other consumer: `backward` goes through that graph together with
 * the segment. Outside of any scope, libtorch records everything: nothing would tell when to drop the segment.
 *
 * As with libtorch, `backward` throws if the input or the output was changed in place since. In a scope, return what depends on the
 * output: a sum that was made before the scope and is added to in place gets no gradient through it.
 * @throws Error if `forward` changes its input
 */
export function segment(input: Tensor, { parameters, forward, backward }: Segment): Tensor {
  if (!gradMode()) return scope(() => forward(input)[0]);
  const learns = input.requiresGrad || parameters.some((parameter) => parameter.requiresGrad);
  if (isStoring || !isInScope() || !learns) return forward(input)[0];

  const before = version(input);
  const [output, state] = noGrad(() =>
    scope(() => {
      const [y, state] = forward(input);
      return [y.detach(), state?.()] as const;
    }),
  );
  if (version(input) !== before) {
    throw new Error(
      `a segment changes its input in place, ${input}, from which backward() computes: let it change a copy, input.clone()`,
    );
  }
  output.requiresGrad_();
  // Our own handles to the same two tensors: nobody else can dispose these.
  const [x, y] = [input.to({}), output.to({})];
  const { device } = input;
  const precision = autocastDtype(device);
  const after = version(y);
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
      requireVersion("input", x, before);
      requireVersion("output", y, after);
      recorded.isSpent = !keepGraph;
      const leaf = x.detach().requiresGrad_(x.requiresGrad);
      freshAutocast(device, precision, () => scope(() => backward(leaf, y.detach(), gradient, state)));
      const { grad } = leaf;
      if (grad) native().backward(x.handle, grad.handle, keepGraph);
    });
  const recorded: Recorded = { needs: [x, y, ...(state ? [state] : [])], replay, isSpent: false };
  tape.push(recorded);
  return output;
}

/** A segment that is recomputed from its input, with the same random numbers, as for dropout. */
export function checkpoint(input: Tensor, parameters: readonly Tensor[], forward: (input: Tensor) => Tensor): Tensor {
  const { device } = input;
  const first = randomState(device);
  const backward = (x: Tensor, _: Tensor, gradient: Tensor) => {
    const later = randomState(device);
    setRandomState(device, first);
    let y: Tensor;
    try {
      y = forward(x);
    } finally {
      setRandomState(device, later);
    }
    if (y.requiresGrad) y.backward(gradient);
  };
  return segment(input, { parameters, forward: (x) => [forward(x)], backward });
}

/** The generators that operators on a device draw from: some draw on the CPU. */
const generators = (device: Device): Device[] => (device === "cpu" ? [device] : ["cpu", device]);

/** Their states. Bytes, not tensors: they live as long as the segment does. */
const randomState = (device: Device): Uint8Array[] =>
  scope(() => generators(device).map((one) => rngState(one).bytes()));

function setRandomState(device: Device, states: readonly Uint8Array[]): void {
  scope(() => {
    for (const [i, one] of generators(device).entries()) setRngState(fromTypedArray(states[i] as Uint8Array), one);
  });
}

function requireVersion(name: string, tensor: Tensor, expected: number): void {
  const found = version(tensor);
  if (found === expected) return;
  throw new Error(
    `a segment's ${name}, ${tensor}, was changed in place before backward(), which computes from it: it is at version ${found}, ` +
      `expected ${expected}. Change a copy of it, clone()`,
  );
}

/** Counts changes in place: of the tensor, and of those that share its memory. */
const version = operator("aten::_version") as (tensor: Tensor) => number;

function freshAutocast(device: Device, dtype: "bf16" | "f16" | null, body: () => void): void {
  const before = native().autocast(device, null);
  try {
    autocast(device, dtype ?? "f32", body);
  } finally {
    native().autocast(device, before);
  }
}
