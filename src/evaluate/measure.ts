/** Measures one protocol on one representation: fits it on each draw of training labels, and scores every test image. */
import type { z } from "zod";
import { pause } from "../interrupt.ts";
import type { Inputs, Protocol, Training } from "./protocol.ts";
import { MEASURING, mean } from "./protocol.ts";

/** A variant of a protocol with its options, for example `knn-20`. */
export interface Variant<Options = unknown, Score = unknown> {
  readonly name: string;
  readonly protocol: Protocol<z.ZodObject, unknown, unknown, Score>;
  readonly options: Options;
}

/** Images, and the truth about each. */
export type Known<Truth = unknown> = Inputs & { readonly truths: ArrayLike<Truth> };

export interface MeasureInput extends Pick<Training<unknown>, "classes" | "seed" | "compute" | "encoder" | "signal"> {
  train: Known & Pick<Training<unknown>, "groups">;
  test: Known;
  /** Rows of `train` whose truths may be used: one list per draw. */
  draws: readonly (readonly number[])[];
}

export interface Measurement<Score = unknown> {
  /** Draws × test images. */
  scores: Score[][];
  /** Draws × test images, where a prediction is a number: the class. */
  predictions?: number[][];
  /**
   * The metric on held-out training images, averaged over the draws that could hold some out; NaN if none could. It decides which
   * layer is best.
   */
  heldOut: number;
}

/** The variants of a protocol, in order. @param options checked by the protocol's schema */
export function variantsOf(name: string, protocol: Protocol, options: Record<string, unknown>): Variant[] {
  const variants = protocol.variants?.(options) ?? { [name]: options };
  return Object.entries(variants).map(([own, chosen]) => ({ name: own, protocol, options: chosen }));
}

/**
 * Fits on each draw and predicts every test image. Test truths are used only to score predictions, after everything is chosen.
 * @throws InterruptedError if the signal aborts
 */
export async function measure<Score>(
  { protocol, options }: Variant<unknown, Score>,
  { train, test, draws, seed, signal, ...shared }: MeasureInput,
): Promise<Measurement<Score>> {
  const { truths, ...unseen } = test;
  const scores: Score[][] = [];
  const answers: number[][] = [];
  const heldOut: number[] = [];
  const trainings = draws.map(
    (rows, draw): Training<unknown> => ({ ...train, ...shared, rows, seed: seed + draw, signal }),
  );
  const checked = options as Record<string, unknown>;
  const together = await protocol.fitDraws?.(trainings, checked);
  try {
    for (const [draw, on] of trainings.entries()) {
      await pause(signal, MEASURING);
      const fitted = together?.[draw] ?? (await protocol.fit(on, checked));
      try {
        const predictions = await fitted.predict(unseen);
        scores.push(predictions.map((prediction, i) => protocol.score(prediction, truths[i])));
        if (typeof predictions[0] === "number") answers.push(predictions as number[]);
        heldOut.push(fitted.heldOut);
      } finally {
        fitted.dispose();
      }
    }
  } finally {
    for (const fitted of together ?? []) fitted.dispose();
  }
  return {
    scores,
    ...(answers.length && { predictions: answers }),
    heldOut: mean(heldOut.filter((value) => !Number.isNaN(value))),
  };
}
