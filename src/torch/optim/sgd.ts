/** Stochastic gradient descent with momentum, like `torch.optim.SGD` (dampening 0). */
import { UsageError } from "../../errors.ts";
import { hasOperator, operator } from "../dispatch.ts";
import { atLeastZero, type Batch, Optimizer, type ParameterGroup } from "./optimizer.ts";

export interface SGDOptions {
  momentum?: number;
  /** Look ahead along the momentum: Sutskever et al. 2013, https://proceedings.mlr.press/v28/sutskever13.html */
  nesterov?: boolean;
}

export class SGD extends Optimizer {
  protected override readonly remembered = ["momentum_buffer"];
  private readonly momentum: number;
  private readonly nesterov: boolean;

  /** @throws UsageError for a negative momentum, and for Nesterov without momentum */
  constructor(groups: readonly ParameterGroup[], { momentum = 0, nesterov = false }: SGDOptions = {}) {
    super(groups);
    atLeastZero("momentum", momentum);
    if (nesterov && momentum === 0) throw new UsageError("Nesterov's momentum wants a momentum above 0.");
    this.momentum = momentum;
    this.nesterov = nesterov;
  }

  /** g ← g + decay · p; b ← momentum · b + g; p ← p − rate · b, or − rate · (g + momentum · b) with Nesterov. */
  protected override update(batch: Batch): void {
    const { parameters, gradients, rate, weightDecay } = batch;
    const { momentum, nesterov } = this;
    // Buffers begin at zero, so the first step needs no special case: b = momentum · 0 + g.
    const buffers = momentum ? this.recall("momentum_buffer", batch) : [];
    if (hasOperator("aten::_fused_sgd_")) {
      const options = { lr: rate, dampening: 0, nesterov, maximize: false, is_first_step: false };
      fused(parameters, gradients, buffers, { weight_decay: weightDecay, momentum, ...options });
      return;
    }
    if (weightDecay) add(gradients, parameters, weightDecay);
    if (momentum) {
      scale(buffers, momentum);
      add(buffers, gradients);
      if (nesterov) add(gradients, buffers, momentum);
    }
    add(parameters, momentum && !nesterov ? buffers : gradients, -rate);
  }
}

const fused = operator("aten::_fused_sgd_");
const add = operator("aten::_foreach_add_.List");
const scale = operator("aten::_foreach_mul_.Scalar");
