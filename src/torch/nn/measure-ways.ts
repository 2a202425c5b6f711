/** Chooses how to compute each convolution by timing the ways there are, the first time that its shape comes up in training. */
import { gradMode, noGrad } from "../autograd.ts";
import { threads } from "../device.ts";
import { operator } from "../dispatch.ts";
import { scope } from "../scope.ts";
import { isReplaying } from "../tape.ts";
import { type Tensor, tensorOperator } from "../tensor.ts";
import { type Chooser, fixedWays, numberOf, type Planned, WAYS, type Way, type Ways } from "./convolution.ts";

/** Choices by {@link keyOf}: plain data, to be saved. */
export type Choices = Record<string, Ways>;

/** Multiplications per timed call: about 5 ms. Of larger batches, some images are timed, the same number by each thread. */
const SAMPLE = 5e8;
const LEAST_IMAGES = 8;
/** Calls per way, of which the fastest counts. The first warms up. */
const CALLS = 3;
/** A way that is this much slower than the best is not called again. */
const TOO_SLOW = 1.5;
/** A way must take at most this part of the library's time, or the library's stays: measurements vary. */
const CLEARLY_FASTER = 0.92;

export interface Memory {
  /** A choice that was made earlier, in another run. */
  recall?(key: string): Ways | undefined;
  /** Keeps what was measured for other runs. Returns what is kept: another run's choice, if that came first. */
  keep?(key: string, measured: Ways): Ways;
  /** Called before a choice is used for the first time: a run that saves them computes the same when it is resumed. */
  onChoose?(own: Choices): void;
}

let seconds = 0;

/** Seconds that this process has spent measuring: they are no part of a training's minutes. */
export const secondsMeasuring = (): number => seconds;

/**
 * A chooser that takes what is in `own`, else recalls it, else measures. Adds its choices to `own`. Choices of another version, which
 * cannot compute a convolution any more, are measured anew. Without gradients nothing is measured, and in a segment (segment.ts) neither:
 * its forward pass and the repeated one must compute the same.
 */
export function measuringChooser(own: Choices, { recall, keep, onChoose }: Memory = {}): Chooser {
  const measured = (key: string, planned: Planned) => {
    const start = performance.now();
    const ways = measureWays(planned);
    seconds += (performance.now() - start) / 1000;
    return keep?.(key, ways) ?? ways;
  };
  const checked = new Set<string>();
  return (planned) => {
    if (!gradMode() || isReplaying()) return fixedWays(planned);
    const key = keyOf(planned);
    const found = own[key];
    if (found && checked.has(key)) return found;
    checked.add(key);
    const able = applicableWays(planned);
    const usable = (ways: Ways | undefined) => (ways?.every((way) => able.includes(way)) ? ways : undefined);
    if (usable(found)) return found as Ways;
    const ways = usable(recall?.(key)) ?? measured(key, planned);
    own[key] = ways;
    onChoose?.(own);
    return ways;
  };
}

/** Everything that the speed of a convolution depends on, but for the machine. */
export function keyOf({ x, weight, dtype, stride, padding, groups }: Planned): string {
  const name = (channelsLast: boolean) => (channelsLast ? "nhwc" : "nchw");
  const layout = `${name(x.isChannelsLast)}${weight.isChannelsLast === x.isChannelsLast ? "" : `/${name(weight.isChannelsLast)}`}`;
  const gradient = x.requiresGrad ? "" : " first";
  return `${dtype} ${layout} ${x.shape.join("×")} ${weight.shape.join("×")} s${stride} p${padding} g${groups}${gradient}`;
}

/** Times each way of the forward pass and of both gradients, and keeps the fastest of each. */
export function measureWays(planned: Planned): Ways {
  return scope(() =>
    noGrad(() => {
      const { stride, padding, groups, dtype } = planned;
      const weight = planned.weight.detach().to(dtype);
      const x = sampleOf(planned).to(dtype);
      const rest = [stride, padding, groups] as const;
      const able = applicableWays(planned);
      const forward = (way: Way) => forwardPass(x, weight, ...rest, numberOf(way));
      const gradient = forward("library"); // any values of the output's shape do
      const input = (way: Way) => inputGradient(gradient, x, weight, ...rest, numberOf(way));
      const kernels = (way: Way) => weightGradient(gradient, x, weight, ...rest, numberOf(way));
      return [
        fastest(able, forward),
        planned.x.requiresGrad ? fastest(able, input) : "library",
        fastest(able, kernels),
      ] satisfies Ways;
    }),
  );
}

/** The ways that give a convolution's values, the library's first. */
export function applicableWays({ x, weight, dtype, stride, padding, groups }: Planned): Way[] {
  const one = (tensor: Tensor) => tensor.detach().to(dtype);
  const able = scope(() => noGrad(() => applicable(one(x.narrow(0, 0, 1)), one(weight), stride, padding, groups)));
  return (able as number[]).map((number) => WAYS[number] as Way);
}

/** As many of the images as {@link SAMPLE} allows. */
function sampleOf({ x, weight, stride }: Planned): Tensor {
  const [batch = 1, , height = 1, width = 1] = x.shape;
  const each = (weight.numel * height * width) / stride ** 2;
  const wanted = Math.max(LEAST_IMAGES, Math.round(SAMPLE / each));
  const shared = threads() * Math.ceil(wanted / threads());
  return x.detach().narrow(0, 0, Math.min(batch, shared));
}

function fastest(able: readonly Way[], compute: (way: Way) => Tensor): Way {
  const seconds = new Map<Way, number>();
  let best = Number.POSITIVE_INFINITY;
  for (const way of able) {
    let least = timed(() => compute(way));
    for (let call = 1; call < CALLS && least < TOO_SLOW * best; call++)
      least = Math.min(
        least,
        timed(() => compute(way)),
      );
    seconds.set(way, least);
    best = Math.min(best, least);
  }
  const library = seconds.get("library") as number;
  if (best > CLEARLY_FASTER * library) return "library";
  return able.find((way) => seconds.get(way) === best) as Way;
}

function timed(compute: () => Tensor): number {
  const start = performance.now();
  scope(() => void compute());
  return performance.now() - start;
}

const applicable = operator("selfsight::convolution_ways");
const forwardPass = tensorOperator("selfsight::convolution_forward");
const inputGradient = tensorOperator("selfsight::convolution_input_gradient");
const weightGradient = tensorOperator("selfsight::convolution_weight_gradient");
