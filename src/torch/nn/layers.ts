/** The layers of `torch.nn` in use, with its initial values. x is (B, C, H, W) unless stated otherwise. */

import { UsageError } from "../../errors.ts";
import * as ops from "../ops.ts";
import { ones, zeros } from "../ops.ts";
import { scope } from "../scope.ts";
import { isReplaying } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { convolve } from "./convolution.ts";
import { kaimingNormalFanOut, uniform } from "./init.ts";
import { Buffer, type Cost, Module, Parameter } from "./module.ts";

export interface Conv2dOptions {
  stride?: number;
  padding?: number;
  groups?: number;
  bias?: boolean;
  /**
   * "he" (default): kernels by He et al. and zero bias, as in torchvision's networks. "uniform": both uniform in ±1/√fan-in, as
   * in `torch.nn.Conv2d`.
   */
  initial?: "he" | "uniform";
}

/** Kernels (outputs, inputs / groups, kernel, kernel). No bias by default, as is usual before a batch norm. */
export class Conv2d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  private readonly options: { stride: number; padding: number; groups: number };

  constructor(inputs: number, outputs: number, kernel: number, options: Conv2dOptions = {}) {
    super();
    const { stride = 1, padding = 0, groups = 1, bias = false, initial = "he" } = options;
    const shape = [outputs, inputs / groups, kernel, kernel] as const;
    const bound = 1 / Math.sqrt((inputs / groups) * kernel ** 2);
    this.options = { stride, padding, groups };
    const he = initial === "he";
    this.weight = scope(() => new Parameter(he ? kaimingNormalFanOut(shape) : uniform(shape, bound)));
    this.bias = bias ? scope(() => new Parameter(he ? zeros([outputs]) : uniform([outputs], bound))) : null;
  }

  override forward(x: Tensor): Tensor {
    return convolve(x, this.weight, this.bias, this.options);
  }

  override cost(_x: Tensor, { numel }: Tensor): Cost {
    return { multiplyAdds: (numel * this.weight.numel) / this.weight.size(0), kept: numel };
  }
}

/** Normalises by the batch's statistics in training, else by the running ones. Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167 */
abstract class BatchNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly running_mean: Buffer;
  readonly running_var: Buffer;
  readonly num_batches_tracked: Buffer;

  constructor(channels: number) {
    super();
    [this.weight, this.bias] = scope(() => [new Parameter(ones([channels])), new Parameter(zeros([channels]))]);
    [this.running_mean, this.running_var] = scope(() => [new Buffer(zeros([channels])), new Buffer(ones([channels]))]);
    this.num_batches_tracked = scope(() => new Buffer(zeros([], { dtype: "i64" })));
  }

  /** The shapes of x that it takes, by their number of dimensions. */
  protected abstract get inputs(): Readonly<Record<number, string>>;

  /**
   * @throws UsageError for x of another number of dimensions; in training on one value per channel: it has no variance, and would
   *   corrupt the running one
   */
  override forward(x: Tensor): Tensor {
    const { shape } = x;
    if (!(shape.length in this.inputs)) {
      const expected = Object.values(this.inputs).join(" or ");
      throw new UsageError(
        `${this.constructor.name} takes ${expected}, got [${shape}]. Reshape it, or use the batch norm for as many dimensions.`,
      );
    }
    if (this.training) {
      if (shape.reduce((product, size) => product * size, 1) === shape[1]) {
        throw new UsageError(
          `Batch norm needs more than one value a channel in training, got [${shape}]. Use a larger batch or larger images.`,
        );
      }
    }
    const { weight, bias, running_mean, running_var, training } = this;
    // A batch that is recomputed for its gradient counts once.
    if (training && isReplaying()) return ops.batchNorm(x, weight, bias, null, null, true, 0.1, 1e-5, true);
    if (training) this.num_batches_tracked.add_(1);
    return ops.batchNorm(x, weight, bias, running_mean, running_var, training, 0.1, 1e-5, true);
  }

  override cost(_x: Tensor, { numel }: Tensor): Cost {
    return { kept: numel };
  }
}

/** Batch norm of vectors (N, C), or of sequences (N, C, L). */
export class BatchNorm1d extends BatchNorm {
  protected override get inputs() {
    return { 2: "(N, C)", 3: "(N, C, L)" };
  }
}

/** Batch norm of maps (N, C, H, W). */
export class BatchNorm2d extends BatchNorm {
  protected override get inputs() {
    return { 4: "(N, C, H, W)" };
  }
}

/** x (..., inputs) to (..., outputs). Initial weights and biases are uniform in ±1/√inputs, as in PyTorch. */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(inputs: number, outputs: number, { bias = true } = {}) {
    super();
    const bound = 1 / Math.sqrt(inputs);
    this.weight = scope(() => new Parameter(uniform([outputs, inputs], bound)));
    this.bias = bias ? scope(() => new Parameter(uniform([outputs], bound))) : null;
  }

  override forward(x: Tensor): Tensor {
    return ops.linear(x, this.weight, this.bias);
  }

  override cost(_x: Tensor, { numel }: Tensor): Cost {
    return { multiplyAdds: (numel * this.weight.numel) / this.weight.size(0), kept: numel };
  }
}

/** Normalises over the last dimension. Ba, Kiros & Hinton 2016, https://arxiv.org/abs/1607.06450 */
export class LayerNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  private readonly width: number;
  private readonly epsilon: number;

  constructor(width: number, { epsilon = 1e-5 } = {}) {
    super();
    [this.width, this.epsilon] = [width, epsilon];
    [this.weight, this.bias] = scope(() => [new Parameter(ones([width])), new Parameter(zeros([width]))]);
  }

  override forward(x: Tensor): Tensor {
    return ops.layerNorm(x, [this.width], this.weight, this.bias, this.epsilon);
  }

  override cost(_x: Tensor, { numel }: Tensor): Cost {
    return { kept: numel };
  }
}

/** Base of the pooling layers. Has no parameters. */
abstract class Pool extends Module {
  protected readonly kernel: number;
  protected readonly stride: number;
  protected readonly padding: number;

  constructor(kernel: number, stride: number, padding = 0) {
    super();
    [this.kernel, this.stride, this.padding] = [kernel, stride, padding];
  }
}

export class MaxPool2d extends Pool {
  override forward(x: Tensor): Tensor {
    return ops.maxPool2d(x, this.kernel, this.stride, this.padding);
  }

  override cost(_x: Tensor, { numel }: Tensor): Cost {
    return { kept: 3 * numel }; // the position of each maximum is an i64: twice an f32
  }
}

/** The average includes the padding, as in PyTorch. */
export class AvgPool2d extends Pool {
  override forward(x: Tensor): Tensor {
    return ops.avgPool2d(x, this.kernel, this.stride, this.padding);
  }

  override cost(_x: Tensor, { numel }: Tensor): Cost {
    return { kept: numel };
  }
}

/** In place: overwrites its input. */
export class ReLU extends Module {
  override forward(x: Tensor): Tensor {
    return x.relu_();
  }
}

export class GELU extends Module {
  override forward(x: Tensor): Tensor {
    return ops.gelu(x);
  }

  override cost(_x: Tensor, { numel }: Tensor): Cost {
    return { kept: numel };
  }
}

export class Dropout extends Module {
  private readonly probability: number;

  constructor(probability: number) {
    super();
    this.probability = probability;
  }

  override forward(x: Tensor): Tensor {
    return ops.dropout(x, this.probability, this.training);
  }
}
