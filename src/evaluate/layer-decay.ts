/**
 * Lower learning rates for shallower layers: those of a pre-trained network are general, and should change less.
 * Clark et al. 2020 (ELECTRA), https://arxiv.org/abs/2003.10555; for images Bao et al. 2021 (BEiT), https://arxiv.org/abs/2106.08254
 */
import type { Encoder } from "../models/model.ts";
import type { Module, Parameter } from "../torch/nn/module.ts";
import { zeros } from "../torch/ops.ts";
import { decayGroups } from "../torch/optim/groups.ts";
import type { ParameterGroup } from "../torch/optim/optimizer.ts";
import { scope } from "../torch/scope.ts";

/**
 * How deep the parameters of an encoder lie: the position of the shallowest feature map that depends on each. So a transformer's patch
 * embedding lies as deep as its first block. Parameters that no map depends on are left out. Gradients are dropped.
 */
export function depths(encoder: Encoder): Map<Parameter, number> {
  const { training, minImageSize: size } = encoder;
  const parameters = encoder.parameters();
  const device = parameters[0]?.device ?? "cpu";
  const found = new Map<Parameter, number>();
  encoder.eval(); // a blank image must not change running statistics
  for (const [depth, name] of Object.keys(encoder.featureDims).entries()) {
    scope(() => {
      const { maps } = encoder.encode(zeros([1, 3, size, size], { device }));
      maps[name]?.sum().backward();
      for (const parameter of parameters) {
        if (parameter.grad && !found.has(parameter)) found.set(parameter, depth);
        parameter.grad = null;
      }
    });
  }
  encoder.train(training);
  return found;
}

/**
 * Parameter groups of an encoder and a head on it. The head has the full learning rate; that of the deepest map's layers is multiplied
 * by `layerDecay`, the next by its square, and so on. Weight decay as in {@link decayGroups}.
 */
export function layerDecayGroups(
  encoder: Encoder,
  head: Module,
  { weightDecay, layerDecay }: { weightDecay: number; layerDecay: number },
): ParameterGroup[] {
  const top = Object.keys(encoder.featureDims).length;
  const depth = layerDecay === 1 ? new Map<Parameter, number>() : depths(encoder);
  const named = [...encoder.namedParameters(), ...head.namedParameters()];
  return Array.from({ length: top + 1 }, (_, level) => top - level).flatMap((level) => {
    const own = named.filter(([, parameter]) => (depth.get(parameter) ?? top) === level);
    return own.length
      ? decayGroups(own, weightDecay).map((group) => ({ ...group, rateScale: layerDecay ** (top - level) }))
      : [];
  });
}
