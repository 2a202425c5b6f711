/**
 * Frozen features of every layer: each feature map averaged over a grid, as fine as at most 1,024 values allow. So all
 * layers have about as many features (Kolesnikov et al. 2019, section 4.2, allow 9,000).
 */
import { normalise, pixelTensor } from "../augment/normalise.ts";
import type { PixelStore } from "../data/pixels.ts";
import { SelfsightError } from "../errors.ts";
import { pause } from "../interrupt.ts";
import type { Encoder } from "../models/model.ts";
import { autocast, noGrad } from "../torch/autograd.ts";
import type { Compute } from "../torch/compute.ts";
import { allFinite, firstNotFinite } from "../torch/nn/finite.ts";
import { adaptiveAvgPool2d, cat, resize } from "../torch/ops.ts";
import { dispose, keep, scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { handcrafted } from "./hog.ts";

/** Features (N, D) by layer, f32, on the encoder's device. The caller disposes them. */
export type LayerFeatures = Record<string, Tensor>;

/** Images, and their pixels, that are computed at once: between two batches an interruption is noticed. */
const [BATCH, PIXELS] = [128, 128 * 96 ** 2];
/** What goes on, for the message of an interruption. */
export const COMPUTING = "features were computed";
const MAX_FEATURES = 1024;
/** Layer name for the output of `forward`: a pooled map, or a transformer's class token. Often the one that is used. */
export const OUTPUT = "output";

/** Feature maps (B, C, H, W) to (B, C · g · g) with g ≤ H. */
function pool(maps: Tensor): Tensor {
  const grid = Math.min(maps.size(2), Math.max(1, Math.floor(Math.sqrt(MAX_FEATURES / maps.size(1)))));
  return adaptiveAvgPool2d(maps, grid).flatten(1);
}

/** Layers whose features are the same for every image, up to rounding. */
export function constantLayers(layers: LayerFeatures): string[] {
  return Object.entries(layers).flatMap(([layer, features]) => (isConstant(features) ? [layer] : []));
}

function isConstant(features: Tensor): boolean {
  return scope(() => {
    const spread = features
      .sub(features.narrow(0, 0, 1))
      .abs()
      .amax([])
      .item();
    return features.size(0) > 1 && spread <= 1e-6 * features.abs().amax([]).item();
  });
}

export interface FeatureOptions {
  /** The layers wanted; default: all. */
  only?: readonly string[] | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Features of every layer of an encoder in evaluation mode, with maps pooled, and its vector as the layer `output`.
 * @param store images at the encoder's input size
 * @throws SelfsightError for features that are not finite; InterruptedError when the signal aborts
 */
export function encoderFeatures(
  encoder: Encoder,
  store: PixelStore,
  compute: Compute,
  { only, signal }: FeatureOptions = {},
): Promise<LayerFeatures> {
  encoder.eval();
  return inBatches(store, signal, (pixels) => {
    const images = normalise(pixels.to(compute.device)).contiguous("channels_last");
    const { maps, vector } = autocast(compute.device, compute.precision, () => encoder.encode(images));
    const wanted = Object.entries({ ...maps, [OUTPUT]: vector }).filter(([layer]) => only?.includes(layer) ?? true);
    return Object.fromEntries(
      wanted.map(([layer, values]) => {
        const features = values.dim === 4 ? pool(values.to("f32")) : values.to("f32");
        if (!allFinite(features)) throw notFinite(encoder, layer, compute);
        return [layer, features];
      }),
    );
  });
}

function notFinite(encoder: Encoder, layer: string, { precision }: Compute): SelfsightError {
  const weight = firstNotFinite(encoder);
  const cause = weight
    ? `its weight ${weight} holds NaN or infinity. The training went wrong, or the file is damaged: train anew`
    : `the images overflow it${precision === "bf16" ? "; try --precision f32" : ": its weights are too large. Train anew with a lower learning rate"}`;
  return new SelfsightError(`The encoder's layer ${layer} gives values that are not finite: ${cause}.`);
}

/** The pixels at 32×32: the baseline that any network has to beat. */
export function pixelFeatures(
  store: PixelStore,
  { device }: Compute,
  { signal }: FeatureOptions = {},
): Promise<LayerFeatures> {
  return inBatches(store, signal, (pixels) => ({ pixels: resize(pixels.to("f32"), 32, 32).flatten(1).to(device) }));
}

/** Oriented gradients and colours, see {@link handcrafted}: the baseline of descriptors from before networks learned them. */
export function handcraftedFeatures(
  store: PixelStore,
  { device }: Compute,
  { signal }: FeatureOptions = {},
): Promise<LayerFeatures> {
  return inBatches(store, signal, (pixels) => ({ "hog+colour": handcrafted(pixels.to(device)) }));
}

async function inBatches(
  store: PixelStore,
  signal: AbortSignal | undefined,
  layers: (pixels: Tensor) => LayerFeatures,
): Promise<LayerFeatures> {
  const batch = Math.max(1, Math.min(BATCH, Math.floor(PIXELS / store.size ** 2)));
  const parts: Record<string, Tensor[]> = {};
  const joined: LayerFeatures = {};
  try {
    for (let start = 0; start < store.length; start += batch) {
      const indices = Array.from({ length: Math.min(batch, store.length - start) }, (_, i) => start + i);
      const bytes = await store.get(indices);
      await pause(signal, COMPUTING);
      const made = scope(() => noGrad(() => layers(pixelTensor(bytes, store.size))));
      for (const [layer, features] of Object.entries(made)) {
        parts[layer] ??= [];
        parts[layer].push(keep(features));
      }
    }
    for (const [layer, tensors] of Object.entries(parts)) {
      joined[layer] = cat(tensors);
      dispose(...tensors.splice(0)); // two copies of one layer at most
    }
    return joined;
  } catch (error) {
    dispose(...Object.values(joined));
    throw error;
  } finally {
    dispose(...Object.values(parts).flat());
  }
}
