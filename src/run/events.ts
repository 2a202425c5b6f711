/** Events that long work reports. The terminal, the log, TensorBoard and a server are listeners: each uses what it needs. */
import type { Guess, Metric } from "../metric.ts";
import type { Compute } from "../torch/compute.ts";

/** How far a run is. Everything random in a step is determined by the seed and the step's number. */
export interface Position {
  step: number;
  /** Seconds of training, including those before resuming. */
  seconds: number;
}

/** What one training step measured. */
export interface StepRecord extends Position {
  epoch: number;
  loss: number;
  learningRate: number;
  /** The task's metrics by name: accuracy, ... */
  metrics: Readonly<Record<string, number>>;
  /** 0 to 1: steps done, or minutes used. */
  progress: number;
  /** Images in the step. */
  images: number;
  /** Seconds in which the process stood still, which do not count; undefined if it did not. */
  stoodStill?: number;
}

/** A training run that starts or resumes. */
export interface RunStart {
  /** The run folder. */
  folder: string;
  /** Number of images it learns from. */
  images: number;
  /** What was left out and why, as sentences. */
  notes: readonly string[];
  /** The task's metric, and the score of guessing. */
  metric: Metric;
  guess: Guess;
  compute: Compute;
}

/** Work on images that is counted: reading them to identify them by content, decoding, features, comparing and writing these. */
export type Counted = "read" | "decode" | "embed" | "compare" | "write";

export type RunEvent =
  | { type: "download"; text: string }
  | { type: Counted; done: number; total: number }
  | ({ type: "start" } & RunStart)
  | { type: "step"; record: StepRecord }
  /** A checkpoint was written. */
  | { type: "saved"; at: Position }
  /** The next kind of work starts, described in a few words: "features of rotation, untrained". */
  | { type: "working"; what: string }
  /** How far the whole work is: "training jigsaw 34 % · about 12 min left". Comes often. */
  | { type: "progress"; text: string };

/** Who listens to the work's events, and how to stop it. All optional. */
export interface Hooks {
  onEvent?: ((event: RunEvent) => void) | undefined;
  /** Aborting stops the work at the next safe point. */
  signal?: AbortSignal | undefined;
}

/** A listener for code that only counts images read or decoded. */
export function counting({ onEvent }: Hooks, type: Counted): (done: number, total: number) => void {
  return (done, total) => onEvent?.({ type, done, total });
}
