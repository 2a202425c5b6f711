/**
 * The principal components of a feature map's places as colours, as in DINOv2 (Oquab et al. 2024, figure 1,
 * https://arxiv.org/abs/2304.07193): the first component of all places of all images tells foreground from background, the first three of
 * the foreground's places are its red, green and blue. Like colours are like features, across images.
 */
import { cat, integers, linalgEigh, normalize, zeros } from "../../torch/ops.ts";
import { scope } from "../../torch/scope.ts";
import type { Tensor } from "../../torch/tensor.ts";

export interface Components {
  /** (B, 3, h, w), 0 to 1; 0 in the background. On the CPU, f32. */
  colours: Tensor;
  /** (B, h, w), 1 or 0. On the CPU, f32. */
  foreground: Tensor;
}

const COLOURS = 3;

/**
 * A feature map (B, C, h, w) to colours. Computed in f64 on the CPU.
 *
 * The sign of a component is arbitrary. The foreground is the side that is less often at the border of an image; where that does not
 * decide, and for the colours, the component's largest entry is positive. A foreground of fewer than three places is dropped: all places are shown.
 */
export function principalColours(map: Tensor): Components {
  return scope(() => {
    const [batch, channels, height, width] = map.shape as [number, number, number, number];
    const places = map.to("cpu").to("f64").permute(0, 2, 3, 1).reshape(-1, channels); // (B·h·w, C)
    const isForeground = foregroundOf(scores(places, 1).toArray(), [height, width]);
    const rows = integers([...isForeground.keys()].filter((i) => isForeground[i]));
    const shades = toUnit(scores(places.indexSelect(0, rows), COLOURS)); // (n, 3)
    const colours = zeros([places.size(0), COLOURS], { dtype: "f64" }).scatterAdd(
      0,
      rows.unsqueeze(1).expand(-1, COLOURS),
      shades,
    );
    const foreground = zeros([places.size(0)], { dtype: "f64" }).scatterAdd(
      0,
      rows,
      zeros([rows.size(0)], { dtype: "f64" }).add(1),
    );
    return {
      colours: colours.to("f32").reshape(batch, height, width, COLOURS).permute(0, 3, 1, 2).contiguous(),
      foreground: foreground.to("f32").reshape(batch, height, width),
    };
  });
}

/** Which places, of images of height × width each, have a positive score once the sign is chosen. All, if they are fewer than three. */
function foregroundOf(scores: readonly number[], [height, width]: [number, number]): boolean[] {
  const isBorder = (i: number) => {
    const [x, y] = [i % width, Math.floor(i / width) % height];
    return x === 0 || y === 0 || x === width - 1 || y === height - 1;
  };
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const border = mean(scores.filter((_, i) => isBorder(i)));
  const size = mean(scores.map(Math.abs));
  const sign = border > 1e-6 * size ? -1 : 1; // the scores' mean is 0: a border above it is of the positive side
  const isForeground = scores.map((score) => sign * score > 0);
  return isForeground.filter(Boolean).length < COLOURS ? scores.map(() => true) : isForeground;
}

/** Scores (n, count) of rows (n, C) on their first principal components. Where there are fewer components, the rest are 0. */
function scores(rows: Tensor, count: number): Tensor {
  return scope(() => {
    const centred = rows.sub(rows.mean(0, true));
    const axes = principalAxes(centred, Math.min(count, ...rows.shape)); // (C, ≤ count)
    const found = centred.matmul(axes.mul(signs(axes)));
    const lacking = count - found.size(1);
    return lacking ? cat([found, zeros([found.size(0), lacking], { dtype: "f64" })], 1) : found;
  });
}

/** The first principal axes (C, count) of centred rows (n, C), from the smaller of their two Gram matrices. */
function principalAxes(centred: Tensor, count: number): Tensor {
  const [n, channels] = centred.shape as [number, number];
  const turned = centred.transpose(0, 1);
  const [, vectors] = linalgEigh(n < channels ? centred.matmul(turned) : turned.matmul(centred)); // ascending
  const first = vectors.narrow(1, vectors.size(1) - count, count).flip(1);
  return n < channels ? normalize(turned.matmul(first), 0) : first;
}

/** 1 or -1 for each column (C, count), so that its entry of largest size becomes positive. */
function signs(columns: Tensor): Tensor {
  const largest = columns.gather(0, columns.abs().argmax(0, true)); // (1, count)
  return largest.ge(0).to("f64").mul(2).sub(1);
}

/** Each column (n, count) from its least value at 0 to its largest at 1. A constant one, up to rounding, becomes 0.5. */
function toUnit(columns: Tensor): Tensor {
  const least = columns.neg().amax(0, true).neg();
  const range = columns.amax(0, true).sub(least);
  const isConstant = range.lt(range.amax([]).mul(1e-9).add(1e-300)).to("f64");
  return columns.sub(least).div(range.add(isConstant)).add(isConstant.mul(0.5));
}
