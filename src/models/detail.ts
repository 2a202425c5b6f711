/** What a network costs: parameters, arithmetic, memory, and training speed on this machine. */
import { autocast, noGrad } from "../torch/autograd.ts";
import { synchronize } from "../torch/device.ts";
import type { Module } from "../torch/nn/module.ts";
import { randn, zeros } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import type { Device, Tensor } from "../torch/tensor.ts";
import { createEncoder, type EncoderSpec } from "./index.ts";
import { type Encoder, parameterCount, requireImageSize } from "./model.ts";

export interface DetailOptions extends EncoderSpec {
  /** Side of the images in pixels. By default 64. */
  imageSize?: number;
}

export interface ModelDetail {
  /** Number of trained values, without any head. */
  parameters: number;
  /** Multiply-adds in the convolutions, matrix products and attention of one image's forward pass. */
  multiplyAdds: number;
  /**
   * Bytes that one image's forward pass keeps for the backward pass in training, in f32. The sum of what each layer declares, not a
   * measurement: libtorch's allocator cannot be asked. The kernels' temporary memory is not included.
   */
  activationBytes: number;
}

/**
 * What a model costs on images of one size.
 * @throws UsageError for an unknown model or stem, an invalid width, or an image size that the model cannot take
 */
export function describeModel(options: DetailOptions): ModelDetail {
  return withEncoder(options, (encoder, size) => {
    const parameters = parameterCount(encoder);
    const { multiplyAdds, kept } = costOfImage(encoder, size);
    return { parameters, multiplyAdds, activationBytes: 4 * kept };
  });
}

export interface SpeedOptions extends DetailOptions {
  /** Images per step. By default 16. */
  batchSize?: number;
  device?: Device;
  precision?: "f32" | "bf16";
}

/**
 * Images per second through forward and backward passes in training mode, without an optimizer step: the median of up to five
 * steps in about a second, after one warm-up step.
 * @throws UsageError as {@link describeModel}
 */
export function trainingSpeed(options: SpeedOptions): number {
  const { batchSize = 16, device = "cpu", precision = "f32" } = options;
  return withEncoder(options, (encoder, size) => {
    encoder.to({ device, memoryFormat: "channels_last" });
    return batchSize / stepSeconds(encoder, [batchSize, 3, size, size], device, precision);
  });
}

function withEncoder<T>(options: DetailOptions, body: (encoder: Encoder, size: number) => T): T {
  const { model, imageSize = 64 } = options;
  const encoder = createEncoder(options);
  try {
    requireImageSize(encoder, imageSize, model);
    return body(encoder, imageSize);
  } finally {
    encoder.dispose();
  }
}

/** Sums the costs that all modules report in one pass of a blank image. */
function costOfImage(encoder: Encoder, size: number): { multiplyAdds: number; kept: number } {
  const total = { multiplyAdds: 0, kept: 0 };
  const modules = [...encoder.namedModules()].map(([, module]) => module);
  for (const module of modules) {
    const { forward } = module; // the class's method
    module.forward = (x: Tensor) => {
      const before = total.kept;
      const y = forward.call(module, x);
      const { multiplyAdds = 0, kept = 0, recomputes } = module.cost(x, y);
      total.multiplyAdds += multiplyAdds;
      total.kept = kept + (recomputes ? before : total.kept);
      return y;
    };
  }
  try {
    encoder.eval();
    scope(() => noGrad(() => void encoder.forward(zeros([1, 3, size, size]))));
  } finally {
    for (const module of modules) Reflect.deleteProperty(module as Partial<Module>, "forward");
  }
  return total;
}

const MOST_STEPS = 5;
const SECONDS = 1;

function stepSeconds(encoder: Encoder, shape: number[], device: Device, precision: "f32" | "bf16"): number {
  encoder.train();
  const parameters = encoder.parameters();
  const step = () => {
    const started = performance.now();
    scope(() => {
      const images = randn(shape, { device }).contiguous("channels_last");
      const vectors = autocast(device, precision, () => encoder.forward(images));
      vectors.to("f32").pow(2).mean().backward();
      for (const parameter of parameters) parameter.grad = null;
    });
    synchronize(device);
    return (performance.now() - started) / 1000;
  };
  step();
  const times: number[] = [];
  for (let spent = 0; times.length < MOST_STEPS && (times.length === 0 || spent < SECONDS); ) {
    const seconds = step();
    times.push(seconds);
    spent += seconds;
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] as number;
}
