/** What a network costs: its parameters, arithmetic, memory, and how fast it trains here. */
import { autocast, noGrad } from "../torch/autograd.ts";
import { synchronize } from "../torch/device.ts";
import type { Module } from "../torch/nn/module.ts";
import { randn, zeros } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import type { Device, Tensor } from "../torch/tensor.ts";
import { createEncoder, type EncoderSpec } from "./index.ts";
import { type Encoder, requireImageSize } from "./model.ts";

export interface DetailOptions extends EncoderSpec {
  /** Side of the images in pixels. 64 unless told. */
  imageSize?: number;
}

export interface ModelDetail {
  /** Numbers that are trained, without any head. */
  parameters: number;
  /** Multiplications, each with its addition, in the convolutions, matrices and attention of one image's forward pass. */
  multiplyAdds: number;
  /**
   * Bytes that one image's forward pass leaves for the backward one in training, f32. Summed from what each layer declares to
   * keep, not measured: libtorch's allocator cannot be asked. What kernels need while they work is not in it.
   */
  activationBytes: number;
}

/**
 * What a model costs on images of one size.
 * @throws UsageError for a model, stem or width that is none, and for a size it cannot take
 */
export function describeModel(options: DetailOptions): ModelDetail {
  return withEncoder(options, (encoder, size) => {
    const parameters = encoder.parameters().reduce((sum, { numel }) => sum + numel, 0);
    const { multiplyAdds, kept } = costOfImage(encoder, size);
    return { parameters, multiplyAdds, activationBytes: 4 * kept };
  });
}

export interface SpeedOptions extends DetailOptions {
  /** Images in a step. 16 unless told. */
  batchSize?: number;
  device?: Device;
  precision?: "f32" | "bf16";
}

/**
 * Images a second through forward and backward passes in training mode, without an optimizer's step: the median of up to five
 * steps in about a second, after one to warm up.
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

/** One pass of a blank image, in which every module is asked what it costs. */
function costOfImage(encoder: Encoder, size: number): { multiplyAdds: number; kept: number } {
  const total = { multiplyAdds: 0, kept: 0 };
  const modules = [...encoder.namedModules()].map(([, module]) => module);
  for (const module of modules) {
    const { forward } = module; // the class's
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
