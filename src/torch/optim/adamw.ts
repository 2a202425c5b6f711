/** Adam with decoupled weight decay, like `torch.optim.AdamW`. Loshchilov & Hutter, ICLR 2019, https://arxiv.org/abs/1711.05101 */
import { UsageError } from "../../errors.ts";
import { hasOperator, operator } from "../dispatch.ts";
import type { Handle } from "../native.ts";
import { fromTypedArray, full } from "../ops.ts";
import { Tensor } from "../tensor.ts";
import { atLeastZero, type Batch, misfit, Optimizer, type ParameterGroup } from "./optimizer.ts";

export interface AdamWOptions {
  /** Fractions of the running averages (of the gradient, of its square) that each step keeps. */
  betas?: readonly [number, number];
  epsilon?: number;
}

export class AdamW extends Optimizer {
  protected override readonly remembered = ["exp_avg", "exp_avg_sq"];
  private readonly betas: readonly [number, number];
  private readonly epsilon: number;
  /** Steps taken by each parameter. */
  private steps: number[] = [];

  /** @throws UsageError for a beta outside of [0, 1) or a negative epsilon */
  constructor(groups: readonly ParameterGroup[], { betas = [0.9, 0.999], epsilon = 1e-8 }: AdamWOptions = {}) {
    super(groups);
    atLeastZero("epsilon", epsilon);
    if (!betas.every((beta) => beta >= 0 && beta < 1)) {
      throw new UsageError(`Expected betas to be two numbers in [0, 1), got [${betas.join(", ")}].`);
    }
    this.betas = betas;
    this.epsilon = epsilon;
    this.steps = this.parameters().map(() => 0);
  }

  protected override update(batch: Batch): void {
    const taken = batch.positions.map((position) => this.steps[position] as number);
    // The bias correction depends on the number of steps, which is usually the same for all parameters.
    for (const steps of new Set(taken))
      this.updateAlike(
        steps + 1,
        choose(batch, (i) => taken[i] === steps),
      );
    for (const position of batch.positions) this.steps[position] = (this.steps[position] as number) + 1;
  }

  private updateAlike(step: number, batch: Batch): void {
    const { parameters, gradients, rate, weightDecay } = batch;
    const { betas, epsilon } = this;
    const averages = this.recall("exp_avg", batch);
    const squares = this.recall("exp_avg_sq", batch);
    if (hasOperator("aten::_fused_adamw_")) {
      const device = (parameters[0] as Tensor).device;
      const steps = new Array<Tensor>(parameters.length).fill(full([], step, { device }));
      const rates = { lr: rate, beta1: betas[0], beta2: betas[1], weight_decay: weightDecay, eps: epsilon };
      fused(parameters, gradients, averages, squares, [], steps, { ...rates, amsgrad: false, maximize: false });
      return;
    }
    if (weightDecay) scale(parameters, 1 - rate * weightDecay);
    scale(averages, betas[0]);
    add(averages, gradients, 1 - betas[0]);
    scale(squares, betas[1]);
    addProducts(squares, gradients, gradients, 1 - betas[1]);
    const roots = (squareRoots(squares) as Handle[]).map((handle) => new Tensor(handle));
    divide(roots, Math.sqrt(1 - betas[1] ** step));
    addNumber(roots, epsilon);
    addQuotients(parameters, averages, roots, -rate / (1 - betas[0] ** step));
  }

  /** The averages, and `step`, i64: the number of steps each parameter has taken. */
  override state(): Map<string, Tensor> {
    return super.state().set("step", fromTypedArray(BigInt64Array.from(this.steps, BigInt)));
  }

  override load(state: ReadonlyMap<string, Tensor>): void {
    const averages = new Map(state);
    const steps = averages.get("step")?.toArray();
    averages.delete("step");
    if (steps?.length !== this.steps.length) throw misfit(`"step" should hold ${this.steps.length} numbers`);
    for (const [i, taken] of steps.entries()) {
      if (!(Number.isInteger(taken) && taken >= 0)) throw misfit(`"step" holds ${taken}`);
      const missing = this.remembered.find((name) => taken > 0 && !averages.has(`${i}.${name}`));
      if (missing) throw misfit(`"${i}.${missing}" is missing after ${taken} steps`);
    }
    super.load(averages);
    this.steps = steps;
  }
}

/** The subset of a batch whose indices `belongs` accepts. */
function choose(batch: Batch, belongs: (i: number) => boolean): Batch {
  const part = <T>(list: readonly T[]) => list.filter((_, i) => belongs(i));
  const { parameters, gradients, positions } = batch;
  return { ...batch, parameters: part(parameters), gradients: part(gradients), positions: part(positions) };
}

const fused = operator("aten::_fused_adamw_");
const scale = operator("aten::_foreach_mul_.Scalar");
const add = operator("aten::_foreach_add_.List");
const addNumber = operator("aten::_foreach_add_.Scalar");
const addProducts = operator("aten::_foreach_addcmul_.Scalar");
const addQuotients = operator("aten::_foreach_addcdiv_.Scalar");
const divide = operator("aten::_foreach_div_.Scalar");
const squareRoots = operator("aten::_foreach_sqrt");
