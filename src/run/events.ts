/** What long work tells while it goes on. The terminal, the log, TensorBoard and a server are listeners: each takes what it can use. */
import type { Guess, Metric } from "../metric.ts";
import type { Compute } from "../torch/compute.ts";

/** How far a run is. Everything random in a step follows from the seed and the step's number. */
export interface Position {
  step: number;
  /** Seconds spent in training, over all resumptions. */
  seconds: number;
}

/** What one training step measured. */
export interface StepRecord extends Position {
  epoch: number;
  loss: number;
  learningRate: number;
  /** The task's measures by name: accuracy, ... */
  metrics: Readonly<Record<string, number>>;
  /** 0 to 1: steps done, or minutes used. */
  progress: number;
  /** Images in the step. */
  images: number;
}

/** A training run that begins or goes on. */
export interface RunStart {
  /** The run folder. */
  folder: string;
  /** How many it learns from. */
  images: number;
  /** What was left out and why, in sentences. */
  notes: readonly string[];
  /** The task's measure, and what guessing scores. */
  metric: Metric;
  guess: Guess;
  compute: Compute;
}

export type RunEvent =
  | { type: "download"; text: string }
  /** Images are read, to know one from another by its content; or decoded. */
  | { type: "read" | "decode"; done: number; total: number }
  | ({ type: "start" } & RunStart)
  | { type: "step"; record: StepRecord }
  /** A checkpoint was written. */
  | { type: "saved"; at: Position }
  /** Work of another kind begins, in a few words: "features of rotation, untrained". */
  | { type: "working"; what: string };

/** Who is told how the work goes, and how to stop it. All optional. */
export interface Hooks {
  onEvent?: ((event: RunEvent) => void) | undefined;
  /** Aborting stops the work at the next safe place. */
  signal?: AbortSignal | undefined;
}

/** A listener for code that only counts: images read or decoded. */
export function counting({ onEvent }: Hooks, type: "read" | "decode"): (done: number, total: number) => void {
  return (done, total) => onEvent?.({ type, done, total });
}
