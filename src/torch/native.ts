/**
 * Loads the addon (native/) and declares the types of its exports. Tensors are handles here: BigInts, each valid only for the
 * slot it was made for. The layers above this file use `Tensor`.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { SelfsightError } from "../errors.ts";
import { withSleepingThreads } from "./waiting.ts";

export type Handle = bigint;
/** What the addon returns. A bigint is a tensor's handle. */
export type Raw = Handle | number | boolean | string | null | undefined | Raw[];

export interface Native {
  call(operator: number, ...values: unknown[]): Raw;
  findOperator(name: string): [index: number, returnsWritten: boolean];
  listSchemas(): string[];
  fromBytes(bytes: Uint8Array, dtype: string, shape: readonly number[]): Handle;
  toBytes(tensor: Handle): ArrayBuffer;
  item(tensor: Handle): number;
  shape(tensor: Handle): number[];
  info(tensor: Handle): [dtype: string, device: string, channelsLast: boolean, identity: number, leaf: boolean];
  release(tensors: readonly Handle[]): number;
  inScope(open: boolean): void;
  live(): [tensors: number, bytes: number];
  backward(loss: Handle, gradient: Handle | null, keepGraph: boolean): void;
  grad(
    outputs: readonly Handle[],
    inputs: readonly Handle[],
    gradients: readonly Handle[] | null,
    keepGraph: boolean,
    createGraph: boolean,
    allowUnused: boolean,
  ): (Handle | null)[];
  getGrad(tensor: Handle): Handle | null;
  setGrad(tensor: Handle, gradient: Handle | null): void;
  requiresGrad(tensor: Handle, value?: boolean): boolean;
  gradMode(enabled?: boolean): boolean;
  autocast(device: string, dtype?: string | null): string | null;
  manualSeed(seed: number): void;
  getRngState(device: string): Handle;
  setRngState(device: string, state: Handle): void;
  threads(count?: number): number;
  devices(): string[];
  synchronize(device: string): boolean;
  version(): string;
  deterministic(on: boolean): boolean;
}

let addon: Native | undefined;

/** The addon, loaded on first use. Throws a {@link SelfsightError} with causes and remedies when it cannot be loaded. */
export function native(): Native {
  addon ??= load();
  return addon;
}

function load(): Native {
  const record = new URL("../../build/current.json", import.meta.url);
  let path = process.env["SELFSIGHT_ADDON"];
  try {
    path ??= (JSON.parse(readFileSync(record, "utf8")) as { addon: string }).addon;
    const file = path;
    return withSleepingThreads(() => {
      const loaded = createRequire(import.meta.url)(file) as Native;
      loaded.threads();
      return loaded;
    });
  } catch (cause) {
    throw new SelfsightError(loadFailure(path, cause as Error), { cause });
  }
}

function loadFailure(path: string | undefined, cause: Error): string {
  const place = path ? `The addon ${path} does not load` : "The addon is not built";
  return [
    `${place}: ${cause.message}`,
    "Possible solutions:",
    "  - Build it: npx selfsight setup (in a clone: npm run setup). npm runs no install scripts, so this is a step of its own.",
    "  - libtorch moved or was upgraded since: the same command builds the addon anew.",
    "  - Another libtorch: LIBTORCH=/path/to/libtorch npx selfsight setup.",
    `  - This is Node ${process.version} on ${process.platform}-${process.arch}; Node 20.19, or 22.12 or newer, is needed.`,
    "  - npx selfsight doctor says what is installed and what is missing.",
  ].join("\n");
}
