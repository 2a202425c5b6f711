/** Encoders kept over the course of a run, for looking at what it learns when: files of weights alone, equally far apart. */
import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { onDisk } from "../errors.ts";
import type { Encoder } from "../models/model.ts";
import { openSafetensors } from "../torch/safetensors.ts";
import { saveState } from "./checkpoint.ts";
import type { Position } from "./events.ts";
import { runFiles } from "./folder.ts";

/** An encoder as it was after this part of the training. */
export interface Kept {
  /** Of the whole training, rounded: 13, 25, … 100. */
  percent: number;
  file: string;
}

const NAME = /^encoder-(\d+)\.safetensors$/;

/** The encoders that a run has kept, the earliest first. */
export function keptEncoders(folder: string): Kept[] {
  const { checkpoints } = runFiles(folder);
  if (!existsSync(checkpoints)) return [];
  const names = onDisk(`${checkpoints} cannot be read`, () => readdirSync(checkpoints));
  return names
    .flatMap((name) => {
      const percent = NAME.exec(name)?.[1];
      return percent === undefined ? [] : [{ percent: Number(percent), file: join(checkpoints, name) }];
    })
    .sort((a, b) => a.percent - b.percent);
}

export interface KeepOptions {
  /** How many to keep over the whole run; 0: none. */
  count: number;
  /** The encoder to keep: its state at each step. */
  encoder: Encoder;
  /** What is said of it in each file. */
  metadata?: Readonly<Record<string, string>>;
  start: Position;
  /** How far the run is at a position, 0 to 1. */
  progressAt: (position: Position) => number;
}

/**
 * Prepares a run folder for keeping encoders, and returns what to call after every step: at 1/count, 2/count, … of the run it writes
 * `checkpoints/encoder-<percent>.safetensors`. Of a resumed run, those that it kept before its checkpoint stay; if it now trains for
 * longer, they become those of an earlier part, as far as there are such parts.
 */
export function keepEncoders(
  folder: string,
  { count, encoder, metadata, start, progressAt }: KeepOptions,
): (at: Position) => void {
  const partOf = (position: Position) => Math.floor(progressAt(position) * count + 1e-9); // parts done, 0 to count
  const fileOf = (part: number) =>
    join(runFiles(folder).checkpoints, `encoder-${Math.round((100 * part) / count)}.safetensors`);
  if (count > 0) settle(folder, { start, partOf, fileOf });
  let done = partOf(start);
  return (at) => {
    const part = partOf(at);
    if (part <= done) return;
    done = part;
    saveState(fileOf(part), encoder.state(), { ...metadata, step: String(at.step), seconds: String(at.seconds) });
  };
}

interface Parts {
  start: Position;
  partOf: (position: Position) => number;
  fileOf: (part: number) => string;
}

/** Gives kept encoders the names of the parts that they now end, and removes those of no part and those after the start. */
function settle(folder: string, { start, partOf, fileOf }: Parts): void {
  const taken = new Set<number>();
  const moves: { from: string; to: string }[] = [];
  for (const { file } of keptEncoders(folder)) {
    const at = positionOf(file);
    const part = partOf(at);
    if (at.step > start.step || part < 1 || taken.has(part)) rmSync(file);
    else {
      taken.add(part);
      moves.push({ from: file, to: fileOf(part) });
    }
  }
  // All move the same way, so none replaces another that has yet to move.
  const later = moves.some(({ from, to }) => percentOf(to) > percentOf(from));
  for (const { from, to } of later ? moves.reverse() : moves) if (from !== to) renameSync(from, to);
}

const percentOf = (file: string) => Number(/(\d+)\.safetensors$/.exec(file)?.[1]);

function positionOf(file: string): Position {
  const source = openSafetensors(file);
  source.close();
  return { step: Number(source.metadata["step"]), seconds: Number(source.metadata["seconds"]) };
}
