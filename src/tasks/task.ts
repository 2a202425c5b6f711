/** What a pretext task is. Shared code knows this and never a task by name. */
import type { z } from "zod";
import type { Encoder } from "../models/model.ts";
import type { Module } from "../torch/nn/module.ts";
import type { Tensor } from "../torch/tensor.ts";

/** One picture of a preview: what the network saw, the right answer and its guess. */
export interface PreviewCell {
  /** (3, H, W), normalised like the network's input. */
  image: Tensor;
  answer: string;
  guess: string;
}

/** A task at work on one encoder. */
export interface TaskInstance {
  /** Heads, teachers, queues: whatever has parameters or state beside the encoder. Trained and saved by the loop. */
  readonly modules: Readonly<Record<string, Module>>;
  /** What guessing scores: the line that every curve is read against. */
  readonly chance: { readonly metric: string; readonly value: number; readonly loss: number };
  /** How often each image passes through the encoder in a step. */
  readonly copies: number;
  /** Images (B, 3, S, S), augmented and normalised, to a loss to minimise and readable measures: tensors of one number. */
  step(images: Tensor): { loss: Tensor; metrics: Readonly<Record<string, Tensor>> };
  /** What the network is shown of each image, the right answer and its guess. */
  preview(images: Tensor): PreviewCell[];
}

export interface Task<Options extends z.ZodObject = z.ZodObject> {
  readonly title: string;
  readonly paper: string;
  /** Declared once: defaults, ranges and descriptions; flags, help and files derive from it. */
  readonly options: Options;
  create(encoder: Encoder, options: z.infer<Options>): TaskInstance;
}

/** Identity, for the types. */
export function defineTask<Options extends z.ZodObject>(task: Task<Options>): Task<Options> {
  return task;
}
