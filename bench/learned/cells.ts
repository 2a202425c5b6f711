/** What is measured, and what is kept of it: bench/learned/measured.json is part of the repository, so that nothing is measured twice. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { writeJson } from "../../src/files.ts";

/** One run: trained on a set's training part, measured on another part. */
export interface Cell {
  set: string;
  task: string;
  recipe: string;
  /** Of two cores: twice as many of one thread. */
  minutes: number;
  seed: number;
  /** The part that it is measured on. Choices are made on `validation` only. */
  on: "validation" | "test";
}

/** A cell with what came out: accuracy above the same network untrained, with its 95 % interval, as fractions. */
export interface Measured extends Cell {
  difference: number;
  low: number;
  high: number;
  /** The layers chosen on held-out training labels. */
  layer: string;
  baselineLayer: string;
  value: number;
  processor: string;
}

/** Flags of `pretrain` and options of the task, by recipe. */
export const recipes: Readonly<Record<string, readonly string[]>> = {
  before: [], // with --program: as the commit before the presets trained
  paper: ["--preset", "paper"],
  quick: ["--preset", "quick"],
  "paper, first layer from patches": ["--preset", "paper", "--first-layer", "patches"],
  "paper, one copy": ["--preset", "paper", "copies=one"],
  "paper, milder crops": ["--preset", "paper", "--min-area", "0.35"],
  "paper, rate 0.1": ["--preset", "paper", "--learning-rate", "0.1"],
  "paper, rate 0.6": ["--preset", "paper", "--learning-rate", "0.6"],
  "paper, batches of 64": ["--preset", "paper", "--batch-size", "64"],
  "quick, first layer trained": ["--preset", "quick", "--first-layer", "trained"],
  "quick, all copies": ["--preset", "quick", "copies=all"],
  "quick, strong crops": ["--preset", "quick", "--min-area", "0.08"],
  "quick, shifted": ["--preset", "quick", "--crop", "shifted"],
  "quick, rate 0.1": ["--preset", "quick", "--learning-rate", "0.1"],
  "quick, one-cycle": ["--preset", "quick", "--learning-rate", "0.1", "--warmup", "0.3"],
  "quick, batches of 32": ["--preset", "quick", "--batch-size", "32"],
};

const file = fileURLToPath(new URL("measured.json", import.meta.url));

export const readMeasured = (): Measured[] => JSON.parse(readFileSync(file, "utf8")) as Measured[];

/** Adds a result to the file, in place of an older one of the same cell. */
export function keepMeasured(one: Measured): void {
  const rows = [...readMeasured().filter((other) => keyOf(other) !== keyOf(one)), one];
  rows.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  writeJson(file, rows);
}

export const keyOf = ({ on, minutes, task, set, recipe, seed }: Cell): string =>
  [on, minutes, task, set, recipe, seed].join(" ");
