/**
 * Vision transformers: patches as tokens. Dosovitskiy et al., ICLR 2021, https://arxiv.org/abs/2010.11929; Tiny and Small are
 * from Touvron et al., ICML 2021, https://arxiv.org/abs/2012.12877
 * Parameter names and initial values are those of timm's `vit_tiny_patch16_224` and so on (`timm/models/vision_transformer.py`),
 * without `head`. Positions are made for 224 pixels and resized, so that at 64 pixels they begin at a deviation of 0.005, where timm's for
 * that size begin at 0.02.
 */
import { UsageError } from "../errors.ts";
import { noGrad } from "../torch/autograd.ts";
import { normal } from "../torch/nn/init.ts";
import { Conv2d, type LayerNorm, Linear } from "../torch/nn/layers.ts";
import { Module, Parameter } from "../torch/nn/module.ts";
import { cat, resizeBicubic } from "../torch/ops.ts";
import { scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import {
  type Encoded,
  Encoder,
  type ModelDefaults,
  type ModelEntry,
  type ModelOptions,
  type TokenEncoder,
} from "./model.ts";
import { PIXELS, type Places, slide } from "./places.ts";
import { Block, norm } from "./vit-block.ts";

/** Channels of a token; all have 12 blocks. */
const sizes = { tiny: 192, small: 384, base: 768 };
const patches = [4, 8, 16] as const;
const DEPTH = 12;
/** Channels of an attention head. */
const HEAD = 64;
/** Image size of the learned position embeddings, one per patch. For other sizes they are interpolated. */
const BASE_SIZE = 224;

/** Patches to tokens: a convolution with the patch size as kernel and stride, named `patch_embed.proj`. */
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

/** A block's tokens (B, 1 + n, C), after the final norm if it is the last, and its attention weights (B, heads, 1 + n, 1 + n) if requested. */
interface BlockOutput {
  tokens: Tensor;
  beforeNorm: Tensor;
  attention: Tensor | undefined;
}

/**
 * `block1` to `block12` are the patch tokens as maps, the last after the final norm. The vector is the class token there,
 * as in timm.
 */
export class VisionTransformer extends Encoder implements TokenEncoder {
  override readonly featureDims: Readonly<Record<string, number>>;
  override readonly outDim: number;
  override readonly minImageSize: number;
  override readonly patchSize: number;
  override readonly places: Readonly<Record<string, Places>>;
  readonly cls_token: Parameter;
  readonly pos_embed: Parameter;
  readonly patch_embed: PatchEmbed;
  readonly blocks: Block[];
  readonly norm: LayerNorm;

  constructor(channels: number, patch: number, { width }: ModelOptions) {
    super();
    // Heads of 64 channels each; below 64 channels, one narrower head. So neighbouring widths are the same network, and half of
    // Tiny's 192 channels are 128. Saved runs give no more than their width: other channels would not fit their weights.
    const wanted = Math.max(1, Math.round(channels * width));
    const heads = Math.max(1, Math.round(wanted / HEAD));
    const dim = wanted < HEAD ? wanted : heads * HEAD;
    const grid = BASE_SIZE / patch;
    // As in DeiT, neither of the two gets weight decay.
    this.cls_token = scope(() => new Parameter(normal([1, 1, dim], 1e-6), { decays: false }));
    this.pos_embed = scope(() => new Parameter(normal([1, 1 + grid ** 2, dim], 0.02), { decays: false }));
    this.patch_embed = new PatchEmbed(dim, patch);
    this.blocks = Array.from({ length: DEPTH }, () => new Block(dim, heads));
    this.norm = norm(dim);
    this.featureDims = Object.fromEntries(this.blocks.map((_, i) => [`block${i + 1}`, dim]));
    this.outDim = dim;
    this.patchSize = patch;
    this.places = Object.fromEntries(this.blocks.map((_, i) => [`block${i + 1}`, slide(PIXELS, patch, patch)]));
    this.minImageSize = 2 * patch; // a single patch has nothing to attend to
    for (const [, module] of this.namedModules()) if (module instanceof Linear) initialise(module);
  }

  override encode(images: Tensor, { attention = false } = {}): Encoded {
    const [h, w] = this.gridOf(images);
    const blocks = this.run(this.embed(images), attention);
    const tokens = blocks.at(-1)?.tokens as Tensor;
    const asMap = (tokens: Tensor) => {
      const [batch, , width] = tokens.shape as [number, number, number];
      const patches = tokens.narrow(1, 1, h * w); // without the class token
      return patches.transpose(1, 2).reshape(batch, width, h, w); // a view with channels last in memory
    };
    const byBlock = (of: (block: BlockOutput) => Tensor) =>
      Object.fromEntries(blocks.map((block, i) => [`block${i + 1}`, of(block)]));
    return {
      maps: byBlock((block) => asMap(block.tokens)),
      beforeNorm: { [`block${DEPTH}`]: asMap(blocks.at(-1)?.beforeNorm as Tensor) },
      vector: tokens.select(1, 0),
      tokens,
      ...(attention && { attention: byBlock((block) => block.attention as Tensor) }),
    };
  }

  embed(images: Tensor): Tensor {
    const positions = this.positions(...this.gridOf(images));
    const patches = this.patch_embed.forward(images).flatten(2).transpose(1, 2);
    return patches.add(positions.narrow(1, 1, positions.size(1) - 1));
  }

  encodeTokens(tokens: Tensor): Tensor {
    return this.run(tokens).at(-1)?.tokens as Tensor;
  }

  /** Patch tokens (B, n, C) to each block's output (B, 1 + n, C), class token first. The last is normalised. */
  private run(patches: Tensor, attention = false): BlockOutput[] {
    const first = this.cls_token.add(this.pos_embed.narrow(1, 0, 1));
    let x = cat([first.expand(patches.size(0), -1, -1), patches], 1);
    return this.blocks.map((block, i) => {
      const [next, weights] = attention ? block.withWeights(x) : [block.forward(x), undefined];
      x = next;
      return { tokens: i === DEPTH - 1 ? this.norm.forward(x) : x, beforeNorm: x, attention: weights };
    });
  }

  /** Number of patches down and across. @throws UsageError for images whose sides are not multiples of the patch size */
  private gridOf(images: Tensor): [height: number, width: number] {
    const [, , height = 0, width = 0] = images.shape;
    const { patchSize: patch } = this;
    if (height % patch === 0 && width % patch === 0 && height > 0 && width > 0) return [height / patch, width / patch];
    const below = Math.max(2, Math.floor(Math.min(height, width) / patch)) * patch;
    throw new UsageError(
      `Images of ${height}×${width} pixels are not made of whole patches of ${patch}. Use sides of ${below} or ` +
        `${below + patch}, or a transformer with smaller patches.`,
    );
  }

  /** Position embeddings (1, 1 + h · w, C): unchanged for images of 224 pixels, else resized. */
  private positions(height: number, width: number): Tensor {
    const base = BASE_SIZE / this.patchSize;
    return height === base && width === base ? this.pos_embed : resizePositions(this.pos_embed, height, width);
  }

  /** Position embeddings that were learned for images of another size. */
  override adapt(name: string, values: Tensor): Tensor | undefined {
    const [, count = 0, dim] = values.shape;
    const fits = name === "pos_embed" && values.dim === 3 && dim === this.outDim;
    if (!fits || !Number.isInteger(Math.sqrt(count - 1))) return undefined;
    return resizePositions(values, BASE_SIZE / this.patchSize, BASE_SIZE / this.patchSize);
  }
}

/** Position embeddings of a square grid (1, 1 + g · g, C) to another grid (1, 1 + h · w, C), as in timm. */
function resizePositions(positions: Tensor, height: number, width: number): Tensor {
  const [, count, dim] = positions.shape as [number, number, number];
  const side = Math.sqrt(count - 1);
  const grid = positions
    .narrow(1, 1, count - 1)
    .reshape(1, side, side, dim)
    .permute(0, 3, 1, 2);
  const resized = resizeBicubic(grid, height, width).flatten(2).transpose(1, 2);
  return cat([positions.narrow(1, 0, 1), resized], 1);
}

/** timm truncates the normal distribution at ±2. With a deviation of 0.02 no value gets there, so nothing is truncated here. */
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

/** AdamW as in DeiT (Touvron et al.), whose rate for 1,024 images a step this is. What was tried: docs/RESULTS.md. */
const defaults: ModelDefaults = { optimizer: "adamw", learningRate: 0.001, weightDecay: 0.05 };

const entry = (size: Size, patch: Patch): ModelEntry => ({
  title: `Vision transformer, ${size}, patches of ${patch}×${patch} pixels, ${sizes[size]} channels in whole heads of 64`,
  paper: "https://arxiv.org/abs/2010.11929",
  stems: ["imagenet"], // the patch size plays the role of the stem
  defaults,
  create: (options) => new VisionTransformer(sizes[size], patch, options),
});

/** `vit-tiny-4` to `vit-base-16`. */
export const vits = Object.fromEntries(
  (Object.keys(sizes) as Size[]).flatMap((size) =>
    patches.map((patch) => [`vit-${size}-${patch}`, entry(size, patch)]),
  ),
) as Record<`vit-${Size}-${Patch}`, ModelEntry>;
