/** Semi-hard triplets. Schroff, Kalenichenko & Philbin, CVPR 2015 ("FaceNet"), section 3.2, https://arxiv.org/abs/1503.03832 */
import { autocast, noGrad } from "../torch/autograd.ts";
import { full, integers, normalize, where } from "../torch/ops.ts";
import type { Tensor } from "../torch/tensor.ts";

/** Embeddings (N, D) to the squared distances of their unit vectors (N, N): 0 to 4. */
export function squaredDistances(embeddings: Tensor): Tensor {
  // Not in bf16: its three digits are too few near 0, where it matters.
  return autocast(embeddings.device, "f32", () => {
    const unit = normalize(embeddings.to("f32"));
    return unit.matmul(unit.transpose(0, 1)).mul(-2).add(2).clamp(0);
  });
}

/**
 * Each pair of copies of an image, with the nearest copy of another image that is farther away than the pair.
 * If there is none, the farthest of all, as in TensorFlow's triplet_semihard_loss, which Kolesnikov et al. 2019 use.
 * @param distances (N, N) of N = copies · B embeddings: all images' first copies, then all second copies, and so on
 * @returns loss: mean of max(0, margin + positive - negative); accuracy: fraction of all triplets in which the positive is nearer
 */
export function semiHardTriplets(
  distances: Tensor,
  { copies, margin }: { copies: number; margin: number },
): { loss: Tensor; accuracy: Tensor } {
  const count = distances.size(0);
  const images = count / copies;
  const { device } = distances;
  const others = Array.from({ length: count * (copies - 1) }, (_, i) => {
    const [anchor, copy] = [Math.floor(i / (copies - 1)), i % (copies - 1)];
    return (anchor + (copy + 1) * images) % count;
  });
  const positive = distances.gather(1, integers(others, device).reshape(count, copies - 1)); // (N, copies - 1)
  const { farther, strange } = noGrad(() => {
    const image = integers(
      Array.from({ length: count }, (_, i) => i % images),
      device,
    );
    const strange = image.unsqueeze(0).eq(image.unsqueeze(1)).eq(0); // (N, N): of another image
    const farther = positive.unsqueeze(2).lt(distances.unsqueeze(1)).mul(strange.unsqueeze(1)); // (N, copies - 1, N)
    return { farther, strange };
  });
  const [far, near] = [full([], FAR, { device }), full([], -1, { device })];
  const nearest = where(farther, distances.unsqueeze(1), far).neg().amax(2).neg(); // (N, copies - 1)
  const farthest = where(strange, distances, near).amax(1, true); // (N, 1)
  const negative = where(nearest.lt(FAR), nearest, farthest.expand(-1, copies - 1));
  return {
    loss: positive.sub(negative).add(margin).clamp(0).mean(),
    accuracy: farther
      .to("f32")
      .sum()
      .div(count * (copies - 1) * (count - copies)),
  };
}

/** Greater than any squared distance on the unit sphere. */
const FAR = 5;
