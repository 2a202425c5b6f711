/** Parts of a vision transformer, with timm's names: attention, a two-layer perceptron, and a block of both. */
import { GELU, LayerNorm, Linear } from "../torch/nn/layers.ts";
import { type Cost, Module } from "../torch/nn/module.ts";
import { isAttentionFused, scaledDotProductAttention } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";

export const norm = (width: number) => new LayerNorm(width, { epsilon: 1e-6 });

class Attention extends Module {
  readonly qkv: Linear;
  readonly proj: Linear;
  private readonly heads: number;

  constructor(width: number, heads: number) {
    super();
    this.heads = heads;
    this.qkv = new Linear(width, 3 * width);
    this.proj = new Linear(width, width);
  }

  /** (B, N, C) to (B, N, C) */
  override forward(x: Tensor): Tensor {
    return this.project(scaledDotProductAttention(...this.queryKeyValue(x)));
  }

  /** What {@link forward} gives, and the attention weights (B, heads, N, N) that it comes from: rows sum to 1. */
  withWeights(x: Tensor): [Tensor, weights: Tensor] {
    const [query, key, value] = this.queryKeyValue(x);
    const weights = query
      .matmul(key.transpose(2, 3))
      .div(Math.sqrt(query.size(3)))
      .softmax(3);
    return [this.project(weights.matmul(value)), weights];
  }

  /** Each head's mixed values (B, heads, N, C / heads) to (B, N, C). */
  private project(mixed: Tensor): Tensor {
    const [batch, heads, tokens, width] = mixed.shape as [number, number, number, number];
    return this.proj.forward(mixed.transpose(1, 2).reshape(batch, tokens, heads * width));
  }

  /** (B, N, C) to queries, keys and values, each (B, heads, N, C / heads). */
  private queryKeyValue(x: Tensor): [query: Tensor, key: Tensor, value: Tensor] {
    const [batch, tokens, width] = x.shape as [number, number, number];
    const parts = this.qkv
      .forward(x)
      .reshape(batch, tokens, 3, this.heads, width / this.heads)
      .permute(2, 0, 3, 1, 4);
    return [parts.select(0, 0), parts.select(0, 1), parts.select(0, 2)];
  }

  override cost({ shape }: Tensor, { numel }: Tensor): Cost {
    const pairs = numel * (shape[1] as number); // token pairs times channels
    return {
      multiplyAdds: 2 * pairs,
      kept: 2 * numel + (isAttentionFused() ? 0 : (2 * pairs * this.heads) / (shape[2] as number)),
    };
  }
}

class Mlp extends Module {
  readonly fc1: Linear;
  readonly act = new GELU();
  readonly fc2: Linear;

  constructor(width: number) {
    super();
    this.fc1 = new Linear(width, 4 * width);
    this.fc2 = new Linear(4 * width, width);
  }

  override forward(x: Tensor): Tensor {
    return this.fc2.forward(this.act.forward(this.fc1.forward(x)));
  }
}

export class Block extends Module {
  readonly norm1: LayerNorm;
  readonly attn: Attention;
  readonly norm2: LayerNorm;
  readonly mlp: Mlp;

  constructor(width: number, heads: number) {
    super();
    this.norm1 = norm(width);
    this.attn = new Attention(width, heads);
    this.norm2 = norm(width);
    this.mlp = new Mlp(width);
  }

  override forward(x: Tensor): Tensor {
    return this.rest(x, this.attn.forward(this.norm1.forward(x)));
  }

  /** What {@link forward} gives, and the attention weights (B, heads, N, N). */
  withWeights(x: Tensor): [Tensor, weights: Tensor] {
    const [mixed, weights] = this.attn.withWeights(this.norm1.forward(x));
    return [this.rest(x, mixed), weights];
  }

  private rest(x: Tensor, attended: Tensor): Tensor {
    const mixed = x.add(attended);
    return mixed.add(this.mlp.forward(this.norm2.forward(mixed)));
  }

  override cost(_x: Tensor, { numel }: Tensor): Cost {
    return { kept: 2 * numel }; // the two sums
  }
}
