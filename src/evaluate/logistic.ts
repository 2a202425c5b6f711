/** Multinomial logistic regression by full-batch L-BFGS on standardised features: many fits at once. */
import { kept, noGrad } from "../torch/autograd.ts";
import { threads } from "../torch/device.ts";
import { operator } from "../torch/dispatch.ts";
import { cat, integers, oneHot, ones, where, zeros } from "../torch/ops.ts";
import { minimiseBatch } from "../torch/optim/batch-lbfgs.ts";
import { dispose, keep, scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { LOGITS, objectiveOf, type Rows } from "./cross-entropies.ts";
import { axesOf, batchesOf, type Fit, historyOf, type Labelled } from "./logistic-plan.ts";
import { type PrincipalAxes, principalAxes } from "./principal-axes.ts";

/** Standardises by mean and deviation (D), then applies weights (C, D) and bias (C). */
export interface LinearModel {
  mean: Tensor;
  deviation: Tensor;
  weight: Tensor;
  bias: Tensor;
}

export interface FitOptions {
  classes: number;
  maxIterations: number;
  /**
   * A fit ends when no element of its gradient exceeds this; default: 1e-4, scikit-learn's. Or when an iteration lowers its loss
   * by less than a tenth (out of the axes: a hundredth) of this times the loss.
   */
  tolerance?: number;
  signal?: AbortSignal | undefined;
  /** Logits that are computed at once; default: 2²². The models do not depend on it, up to rounding. */
  logitsAtOnce?: number;
}

/** Fits whose products have fewer multiplications than this use one thread: a second saves nothing and waits for its core. */
const SMALL = 2e7;

/**
 * Fits them all. Fits of the same part are best given one after the other: then they share its features. The caller disposes
 * the models.
 * @throws InterruptedError when the signal aborts
 */
export async function fitLogistic(fits: readonly Fit[], options: FitOptions): Promise<LinearModel[]> {
  const before = threads();
  const products = fits.map((fit) => {
    const { features, rows } = fit.part;
    return Math.max(rows.length * features.size(1) * options.classes, (axesOf([fit], options.classes) ?? 0) ** 3);
  });
  if (Math.max(0, ...products) < SMALL) threads(1);
  const models: LinearModel[] = [];
  try {
    for (const batch of batchesOf(fits, options.classes)) models.push(...(await fitBatch(batch, options)));
    return models;
  } catch (error) {
    for (const model of models) disposeModel(model);
    throw error;
  } finally {
    threads(before);
  }
}

export const disposeModel = ({ mean, deviation, weight, bias }: LinearModel): void =>
  dispose(mean, deviation, weight, bias);

/** A part made ready: standardised features, W = D, or their coordinates in W axes. */
interface Ready extends Rows {
  mean: Tensor;
  deviation: Tensor;
  axes: PrincipalAxes | undefined;
}

async function fitBatch(
  fits: readonly Fit[],
  { classes, maxIterations, tolerance = 1e-4, signal, logitsAtOnce = LOGITS }: FitOptions,
): Promise<LinearModel[]> {
  const parts = [...new Set(fits.map(({ part }) => part))];
  const ready: Ready[] = [];
  let points: Tensor | undefined;
  try {
    const axes = axesOf(fits, classes);
    for (const part of parts) ready.push(await makeReady(part, classes, axes, signal));
    const { x } = ready[0] as Ready;
    const width = x.size(1);
    const partOf = fits.map(({ part }) => parts.indexOf(part));
    const penalties = fits.map(({ penalty }) => penalty);
    const { objective, curvature } = objectiveOf({ parts: ready, partOf, penalties, classes, width }, logitsAtOnce);
    const start = scope(() => keep(zeros([fits.length, classes * width], { device: x.device })));
    // Out of the axes losses fall slowly: a small change does not mean that the optimum is near.
    const tolerances = { gradientTolerance: tolerance, changeTolerance: tolerance / (axes ? 10 : 100) };
    points = await minimiseBatch(objective, start, {
      ...{ maxIterations, ...tolerances, history: historyOf(axes), curvature: axes ? curvature : undefined, signal },
    }).finally(() => dispose(start));
    return partOf.map((part, i) => modelOf(ready[part] as Ready, classes, points as Tensor, i));
  } finally {
    for (const { mean, deviation, axes, x, target } of ready) {
      dispose(mean, deviation, x, target);
      if (axes) forget(axes);
    }
    if (points) dispose(points);
  }
}

function forget(axes: PrincipalAxes): void {
  axes.dispose();
  if (axes.rows) dispose(axes.rows);
}

/** @param width columns that every part of the batch gets; undefined leaves the features as they are */
async function makeReady(
  { features, rows, labels }: Labelled,
  classes: number,
  width: number | undefined,
  signal: AbortSignal | undefined,
): Promise<Ready> {
  const { device } = features;
  const { own, mean, deviation } = scope(() =>
    noGrad(() => {
      const own = features.indexSelect(0, integers(rows, device));
      const mean = own.mean(0);
      const deviation = deviationOf(own, mean);
      divide_(own.add_(mean, { alpha: -1 }), deviation); // in place: copies may be large
      return { own: keep(own), mean: keep(mean), deviation: keep(deviation) };
    }),
  );
  const held = [own, mean, deviation];
  try {
    const target = scope(() => {
      const classesOf = rows.map((row) => labels[row] ?? -1);
      return keep(oneHot(integers(classesOf, device), classes).to("f32").unsqueeze(1));
    });
    held.push(target);
    const turned = width === undefined ? undefined : await principalAxes(own, signal);
    const x = withOnes(turned?.coordinates ?? own, width);
    if (turned) dispose(turned.coordinates);
    if (!turned?.axes.rows) dispose(own);
    return { mean, deviation, axes: turned?.axes, x, target };
  } catch (error) {
    dispose(...held);
    throw error;
  }
}

/** Deviations (D) of rows (N, D); 1 for a feature that is constant but for rounding: it stays next to 0, in new images too. */
function deviationOf(rows: Tensor, mean: Tensor): Tensor {
  const deviation = rows.std(0, { correction: 0 });
  const rounding = mean.abs().mul(1e-6).clamp(1e-12);
  return where(deviation.lt(rounding), ones([rows.size(1)], { device: rows.device }), deviation);
}

/** Rows (N, R) with columns of zeros up to the width, since others of a batch may have more, and one of ones: (N, width + 1). */
const withOnes = (rows: Tensor, width = rows.size(1)): Tensor =>
  kept(() => {
    const [count, own] = [rows.size(0), rows.size(1)];
    const { device } = rows;
    return cat([rows, zeros([count, width - own], { device }), ones([count, 1], { device })], 1);
  });

/** The model of the i-th row of points (F, C · (W + 1)). */
function modelOf({ mean, deviation, axes, x }: Ready, classes: number, points: Tensor, i: number): LinearModel {
  const width = x.size(1);
  return scope(() =>
    noGrad(() => {
      const own = points.select(0, i).reshape(classes, width);
      const [weights, bias] = [own.narrow(1, 0, width - 1), own.select(1, width - 1)];
      const weight = axes ? axes.weightsOf(weights.narrow(1, 0, axes.count)) : weights.clone();
      return {
        mean: keep(mean.clone()),
        deviation: keep(deviation.clone()),
        weight: keep(weight),
        bias: keep(bias.clone()),
      };
    }),
  );
}

/** Features (N, D) to logits (N, C). */
export function logits({ mean, deviation, weight, bias }: LinearModel, features: Tensor): Tensor {
  return noGrad(() => features.sub(mean).div(deviation).matmul(weight.transpose(0, 1)).add(bias));
}

const divide_ = operator("aten::div_.Tensor");
