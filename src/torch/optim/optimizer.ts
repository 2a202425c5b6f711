/** Base of the optimizers that take one step per batch: groups of parameters, and state that can be saved. */
import { SelfsightError, UsageError } from "../../errors.ts";
import { kept, noGrad } from "../autograd.ts";
import { native } from "../native.ts";
import { zerosLike } from "../ops.ts";
import { dispose, keep, scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";

export interface ParameterGroup {
  readonly parameters: readonly Tensor[];
  /** Strength of the pull towards zero. Default 0. */
  readonly weightDecay?: number;
  /** Multiplies the learning rate for this group. Default 1. */
  readonly rateScale?: number;
}

/** One group's parameters that have a gradient, and the settings of their update. */
export interface Batch {
  readonly parameters: readonly Tensor[];
  readonly gradients: readonly Tensor[];
  /** Position of each among all the optimizer's parameters: the key of its state. */
  readonly positions: readonly number[];
  readonly rate: number;
  readonly weightDecay: number;
}

export abstract class Optimizer {
  private readonly groups: readonly ParameterGroup[];
  private readonly buffers = new Map<string, Tensor>();
  /** PyTorch's names for the tensors kept per parameter. */
  protected abstract readonly remembered: readonly string[];

  /**
   * @throws UsageError for a parameter listed twice, one that was computed (backward() gives it no `grad`), or a weight decay or rate
   *   scale that is negative or not finite
   */
  constructor(groups: readonly ParameterGroup[]) {
    this.groups = groups;
    const all = this.parameters();
    if (new Set(all).size < all.length) throw new UsageError("A parameter stands in two groups, or twice in one.");
    for (const [i, parameter] of all.entries()) {
      const [, , , , isLeaf] = native().info(parameter.handle);
      if (!isLeaf)
        throw new UsageError(`Parameter ${i}, ${parameter}, was computed from others. Give those, or its detach().`);
    }
    for (const { weightDecay = 0, rateScale = 1 } of groups) {
      atLeastZero("weightDecay", weightDecay);
      atLeastZero("rateScale", rateScale);
    }
  }

  protected abstract update(batch: Batch): void;

  /**
   * Updates every parameter that has a gradient. The gradients are used as working memory: call {@link zeroGrad} afterwards.
   * Leaves no tensors behind except the optimizer's state.
   */
  step(learningRate: number): void {
    atLeastZero("learningRate", learningRate);
    let position = 0;
    scope(() =>
      noGrad(() => {
        for (const { parameters, weightDecay = 0, rateScale = 1 } of this.groups) {
          const found: [Tensor, Tensor, number][] = [];
          for (const parameter of parameters) {
            const gradient = parameter.grad;
            if (gradient) found.push([parameter, gradient, position]);
            position++;
          }
          if (!found.length) continue;
          this.update({
            parameters: found.map(([parameter]) => parameter),
            gradients: found.map(([, gradient]) => gradient),
            positions: found.map(([, , at]) => at),
            rate: learningRate * rateScale,
            weightDecay,
          });
        }
      }),
    );
  }

  /** Drops the gradients. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.grad = null;
  }

  /** What must be saved to resume bit for bit, by `POSITION.NAME`. Not copies. */
  state(): Map<string, Tensor> {
    return new Map(this.buffers);
  }

  /**
   * Restores what {@link state} returned.
   * @throws SelfsightError when it was saved by another optimizer or for other parameters; nothing changes then
   */
  load(state: ReadonlyMap<string, Tensor>): void {
    const loaded: [string, Tensor, Tensor][] = [];
    for (const [i, parameter] of this.parameters().entries()) {
      const keys = this.remembered.map((name) => `${i}.${name}`);
      const missing = keys.filter((key) => !state.has(key));
      if (missing.length === keys.length) continue; // it had no gradient yet
      if (missing.length) throw misfit(`"${missing[0]}" is missing`);
      for (const key of keys) {
        const saved = state.get(key) as Tensor;
        const [expected, got] = [parameter.shape, saved.shape];
        if (expected.join() !== got.join()) throw misfit(`"${key}" has the shape [${got}], expected [${expected}]`);
        loaded.push([key, parameter, saved]);
      }
    }
    const known = new Set(loaded.map(([key]) => key));
    for (const key of state.keys()) if (!known.has(key)) throw misfit(`it has no "${key}"`);
    // In the memory layout of the parameter, not of the saved tensor. All copies first: the state may be this optimizer's own.
    const copies: [string, Tensor][] = [];
    try {
      for (const [key, parameter, saved] of loaded) copies.push([key, kept(() => zerosLike(parameter).copy_(saved))]);
    } catch (error) {
      dispose(...copies.map(([, copy]) => copy));
      throw error;
    }
    this.dispose();
    for (const [key, copy] of copies) this.buffers.set(key, copy);
  }

  /** Frees the state, not the parameters. */
  dispose(): void {
    dispose(...this.buffers.values());
    this.buffers.clear();
  }

  protected parameters(): Tensor[] {
    return this.groups.flatMap((group) => [...group.parameters]);
  }

  /** The tensors kept for the batch's parameters under `name`; zeros at first. */
  protected recall(name: string, { parameters, positions }: Batch): Tensor[] {
    return parameters.map((parameter, i) => {
      const key = `${positions[i]}.${name}`;
      const buffer = this.buffers.get(key) ?? keep(zerosLike(parameter));
      this.buffers.set(key, buffer);
      return buffer;
    });
  }
}

export function atLeastZero(name: string, value: number): void {
  if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
    throw new UsageError(`Expected ${name} to be a number from 0 up, got ${value}.`);
  }
}

export function misfit(detail: string): SelfsightError {
  return new SelfsightError(
    `The saved state does not fit this optimizer: ${detail}. It was saved by another optimizer or for another network.`,
  );
}
