/** Support vector machines of several classes, each against the rest, with costs chosen by cross-validation. */
import { fromTypedArray, integers, stack, tensor, where, zerosLike } from "../torch/ops.ts";
import { dispose, scope } from "../torch/scope.ts";
import type { Tensor } from "../torch/tensor.ts";
import { groupCount } from "./groups.ts";
import { mean } from "./protocol.ts";
import { averagePrecision, countByRank } from "./ranking.ts";
import type { HingeSolver } from "./squared-hinge.ts";

export const FOLDS = 3;
/** LinearSVC's default: for a class that cannot be cross-validated. */
const DEFAULT_COST = 1;
/** Positives count twice, as in the FAIR benchmark. */
const POSITIVE_WEIGHT = 2;
/** Tolerances of the solver: choosing needs less precision than the final fit. */
const [CHOOSING, FINAL] = [1e-4, 3e-5];

export interface Classes {
  /** Inputs (N, D). */
  readonly x: Tensor;
  /** The solver for these inputs. */
  readonly solver: HingeSolver;
  /** For each of the C classes: 1 where a row belongs to it, else 0 (N). */
  readonly members: readonly Uint8Array[];
  /** The number of each row's group (N): no fold shares one with another. By default each row is alone. */
  readonly groups?: Int32Array | undefined;
  readonly costs: readonly number[];
  readonly maxIterations: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Choice {
  readonly cost: number;
  /** Mean average precision over the folds at that cost; undefined if the class could not be cross-validated. */
  readonly precision: number | undefined;
}

export interface OneVsRest {
  /** For each class. */
  readonly choices: readonly Choice[];
  /** (C, D). The caller disposes them. */
  readonly weights: Tensor;
}

/** One fit of one class. */
interface Problem {
  readonly label: number;
  readonly cost: number;
  /** The fold to leave out; −1 for none. */
  readonly fold: number;
}

/**
 * Chooses a cost for each class, of equally good ones the first, and fits the class on all rows with it.
 * @throws InterruptedError when the signal aborts
 */
export async function fitOneVsRest(on: Classes): Promise<OneVsRest> {
  const { members, costs, maxIterations, solver, signal } = on;
  const groups = on.groups ?? Int32Array.from({ length: on.x.size(0) }, (_, row) => row);
  const folds = members.map((member) => dealFolds(member, groups));
  const solve = async (problems: readonly Problem[], tolerance: number) => {
    const targets = scope(() => targetsOf(on, folds, problems));
    try {
      return await solver.solve(targets.signs, targets.costs, { tolerance, maxIterations, signal });
    } finally {
      dispose(targets.signs, targets.costs);
    }
  };
  const problems = folds.flatMap(({ count }, label) =>
    costs.flatMap((cost) => Array.from({ length: count }, (_, fold): Problem => ({ label, cost, fold }))),
  );
  let precisions: number[] = [];
  if (problems.length) {
    const tried = await solve(problems, CHOOSING);
    precisions = scope(() => heldOut(on, folds, problems, tried));
    tried.dispose();
  }
  let at = 0;
  const choices = folds.map(({ count }): Choice => {
    if (!count) return { cost: DEFAULT_COST, precision: undefined };
    const means = costs.map(() => {
      at += count;
      return mean(precisions.slice(at - count, at));
    });
    const precision = Math.max(...means);
    return { cost: costs[means.indexOf(precision)] as number, precision };
  });
  const final = choices.map(({ cost }, label): Problem => ({ label, cost, fold: -1 }));
  return { choices, weights: await solve(final, FINAL) };
}

/** For each problem, the average precision of its weights (P, D) on the rows it left out. Not interpolated, as scikit-learn's. */
function heldOut({ x, members }: Classes, folds: readonly Folds[], problems: readonly Problem[], weights: Tensor) {
  const rows = x.size(0);
  const decisions = weights.matmul(x.transpose(0, 1)).data() as Float32Array; // (P, N)
  return problems.map(({ label, fold }, i) => {
    const left = (_: number, row: number) => folds[label]?.of[row] === fold;
    const own = decisions.subarray(i * rows, (i + 1) * rows).filter(left);
    return averagePrecision(...countByRank(own, (members[label] as Uint8Array).filter(left)));
  });
}

interface Folds {
  /** The fold of each row (N). */
  readonly of: Uint8Array;
  /** Two or three; zero if fewer than two groups have rows in the class, or fewer than two have rows outside of it. */
  readonly count: number;
}

/** Rows of a group in the class, outside of it, or both. */
const [INSIDE, OUTSIDE, BOTH] = [1, 2, 3];

/**
 * Deals groups to the folds in turn: those with rows both in the class and outside of it, and then each kind of the others, so that
 * every fold has rows of both kinds. If rows are sorted by class, this spreads every class evenly.
 */
function dealFolds(member: Uint8Array, groups: Int32Array): Folds {
  const kinds = new Uint8Array(groupCount(groups));
  for (const [row, group] of groups.entries())
    kinds[group] = (kinds[group] as number) | (member[row] ? INSIDE : OUTSIDE);
  const having = (kind: number) => kinds.reduce((sum, one) => sum + Number((one & kind) === kind), 0);
  const fewest = Math.min(FOLDS, having(INSIDE), having(OUTSIDE));
  const count = fewest < 2 ? 0 : fewest;
  const both = having(BOTH);
  const next = [0, both, both, 0]; // by kind
  const foldOf = kinds.map((kind) => {
    const place = next[kind] as number;
    next[kind] = place + 1;
    return place % Math.max(1, count);
  });
  return { of: member.map((_, row) => foldOf[groups[row] as number] as number), count };
}

/** Signs (P, N), and costs (P, N) that are zero in the fold to leave out. */
function targetsOf({ x, members }: Classes, folds: readonly Folds[], problems: readonly Problem[]) {
  const { device } = x;
  const table = (rows: readonly Uint8Array[]) =>
    stack(rows.map((row) => fromTypedArray(row))).to({ dtype: "f32", device });
  const column = (of: (problem: Problem) => number) =>
    tensor(
      problems.map((one) => [of(one)]),
      { device },
    );
  const labels = integers(
    problems.map(({ label }) => label),
    device,
  );
  const member = table(members).indexSelect(0, labels);
  const left = table(folds.map(({ of }) => of))
    .indexSelect(0, labels)
    .eq(column(({ fold }) => fold));
  const weights = member
    .mul(POSITIVE_WEIGHT - 1)
    .add(1)
    .mul(column(({ cost }) => cost));
  return { signs: member.mul(2).sub(1), costs: where(left, zerosLike(weights), weights) };
}
