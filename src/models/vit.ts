/**
 * Vision transformers: patches as tokens. Dosovitskiy et al., ICLR 2021, https://arxiv.org/abs/2010.11929; Tiny and Small are
 * those of Touvron et al., ICML 2021, https://arxiv.org/abs/2012.12877
 * Parameter names and initial values are those of timm's `vit_tiny_patch16_224` and so on (`timm/models/vision_transformer.py`),
 * without `head`.
 */
import { UsageError } from "../errors.ts";
import { noGrad } from "../torch/autograd.ts";
import { normal } from "../torch/nn/init.ts";
import { Conv2d, GELU, LayerNorm, Linear } from "../torch/nn/layers.ts";
import { type Cost, Module, Parameter } from "../torch/nn/module.ts";
import { attention, cat, isAttentionFused, resizeBicubic } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { Encoder, type ModelEntry, type ModelOptions } from "./model.ts";

/** Channels of a token; all have 12 blocks. */
const sizes = { tiny: 192, small: 384, base: 768 };
const patches = [4, 8, 16] as const;
const DEPTH = 12;
/** Channels of an attention head. */
const HEAD = 64;
/** Side of the images whose grid of patches has an embedding for each position; others get theirs by interpolation. */
const BASE_SIZE = 224;

const norm = (width: number) => new LayerNorm(width, { epsilon: 1e-6 });

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
    const [batch, tokens, width] = x.shape as [number, number, number];
    const parts = this.qkv
      .forward(x)
      .reshape(batch, tokens, 3, this.heads, width / this.heads)
      .permute(2, 0, 3, 1, 4);
    const mixed = attention(parts.select(0, 0), parts.select(0, 1), parts.select(0, 2)); // (B, heads, N, C / heads)
    return this.proj.forward(mixed.transpose(1, 2).reshape(batch, tokens, width));
  }

  override cost({ shape }: Tensor, { numel }: Tensor): Cost {
    const pairs = numel * (shape[1] as number); // of tokens, for each channel
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

class Block extends Module {
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
    const mixed = x.add(this.attn.forward(this.norm1.forward(x)));
    return mixed.add(this.mlp.forward(this.norm2.forward(mixed)));
  }

  override cost(_x: Tensor, { numel }: Tensor): Cost {
    return { kept: 2 * numel }; // the two sums
  }
}

/** A patch is a token: a convolution with its size and stride, by the name `patch_embed.proj`. */
class PatchEmbed extends Module {
  readonly proj: Conv2d;

  constructor(width: number, patch: number) {
    super();
    this.proj = new Conv2d(3, width, patch, { stride: patch, bias: true, initial: "uniform" });
  }

  override forward(images: Tensor): Tensor {
    return this.proj.forward(images);
  }
}

/**
 * `block1` to `block12` are the patches' tokens as maps, the last behind the final norm; `forward` gives the class token
 * there, as timm's does.
 */
export class VisionTransformer extends Encoder {
  override readonly featureDims: Readonly<Record<string, number>>;
  override readonly outDim: number;
  override readonly minImageSize: number;
  override readonly sizeStep: number;
  readonly cls_token: Parameter;
  readonly pos_embed: Parameter;
  readonly patch_embed: PatchEmbed;
  readonly blocks: Block[];
  readonly norm: LayerNorm;

  constructor(channels: number, patch: number, { width }: ModelOptions) {
    super();
    // Whole heads of 64 channels; one narrower head where that is too wide.
    const wanted = Math.max(1, Math.round(channels * width));
    const heads = Math.max(1, Math.round(wanted / HEAD));
    const dim = wanted < HEAD ? wanted : heads * HEAD;
    const grid = BASE_SIZE / patch;
    this.cls_token = scope(() => new Parameter(normal([1, 1, dim], 1e-6)));
    this.pos_embed = scope(() => new Parameter(normal([1, 1 + grid ** 2, dim], 0.02)));
    this.patch_embed = new PatchEmbed(dim, patch);
    this.blocks = Array.from({ length: DEPTH }, () => new Block(dim, heads));
    this.norm = norm(dim);
    this.featureDims = Object.fromEntries(this.blocks.map((_, i) => [`block${i + 1}`, dim]));
    this.outDim = dim;
    this.sizeStep = patch;
    this.minImageSize = 2 * patch; // one patch alone would attend to nothing
    for (const [, module] of this.namedModules()) if (module instanceof Linear) initialise(module);
  }

  override features(images: Tensor): Record<string, Tensor> {
    const [h, w] = this.gridOf(images);
    const maps = this.tokens(images).map((tokens, i): [string, Tensor] => {
      const [batch, , width] = tokens.shape as [number, number, number];
      // A view: the channels lie together.
      return [
        `block${i + 1}`,
        tokens
          .narrow(1, 1, h * w)
          .transpose(1, 2)
          .reshape(batch, width, h, w),
      ];
    });
    return Object.fromEntries(maps);
  }

  /** Images (B, 3, H, W) to (B, outDim): the class token. */
  override forward(images: Tensor): Tensor {
    return (this.tokens(images).at(-1) as Tensor).select(1, 0);
  }

  /** What each block gives: (B, 1 + h · w, C), the class token first. The last is normalised. */
  private tokens(images: Tensor): Tensor[] {
    const grid = this.gridOf(images);
    const patches = this.patch_embed.forward(images).flatten(2).transpose(1, 2);
    let x = cat([this.cls_token.expand(images.size(0), -1, -1), patches], 1).add(this.positions(...grid));
    return this.blocks.map((block, i) => {
      x = block.forward(x);
      return i === DEPTH - 1 ? this.norm.forward(x) : x;
    });
  }

  /** Patches down and across. @throws UsageError for images that are not made of whole patches */
  private gridOf(images: Tensor): [height: number, width: number] {
    const [, , height = 0, width = 0] = images.shape;
    const { sizeStep: patch } = this;
    if (height % patch === 0 && width % patch === 0 && height > 0 && width > 0) return [height / patch, width / patch];
    const below = Math.max(2, Math.floor(Math.min(height, width) / patch)) * patch;
    throw new UsageError(
      `Images of ${height}×${width} pixels are not made of whole patches of ${patch}. Use sides of ${below} or ` +
        `${below + patch}, or a transformer with smaller patches.`,
    );
  }

  /** Position embeddings (1, 1 + h · w, C): as they are for images of 224 pixels, else resized as timm does it. */
  private positions(height: number, width: number): Tensor {
    const [, count, dim] = this.pos_embed.shape as [number, number, number];
    const base = BASE_SIZE / this.sizeStep;
    if (height === base && width === base) return this.pos_embed;
    const grid = this.pos_embed
      .narrow(1, 1, count - 1)
      .reshape(1, base, base, dim)
      .permute(0, 3, 1, 2);
    const resized = resizeBicubic(grid, height, width).flatten(2).transpose(1, 2);
    return cat([this.pos_embed.narrow(1, 0, 1), resized], 1);
  }
}

/** timm truncates the normal distribution at ±2, a hundred deviations: not at all. */
function initialise({ weight, bias }: Linear): void {
  scope(() => {
    noGrad(() => {
      weight.copy_(normal(weight.shape, 0.02));
      bias?.zero_();
    });
  });
}

type Size = keyof typeof sizes;
type Patch = (typeof patches)[number];

const entry = (size: Size, patch: Patch): ModelEntry => ({
  title: `Vision transformer, ${size}, patches of ${patch}×${patch} pixels`,
  paper: "https://arxiv.org/abs/2010.11929",
  stems: ["imagenet"], // the patches' size is the stem
  create: (options) => new VisionTransformer(sizes[size], patch, options),
});

/** `vit-tiny-4` to `vit-base-16`. */
export const vits = Object.fromEntries(
  (Object.keys(sizes) as Size[]).flatMap((size) =>
    patches.map((patch) => [`vit-${size}-${patch}`, entry(size, patch)]),
  ),
) as Record<`vit-${Size}-${Patch}`, ModelEntry>;
