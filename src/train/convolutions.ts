/**
 * Measures how to compute a run's convolutions, and remembers it twice: in the cache, for the next run on this machine, and in the run
 * folder, so that a resumed run computes the same numbers.
 */
import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { UsageError } from "../errors.ts";
import { replaceFile, writeJson } from "../files.ts";
import { makeFolder } from "../setup/folders.ts";
import { cacheDir } from "../setup/paths.ts";
import { threads, torchVersion } from "../torch/device.ts";
import { setChooser, WAYS } from "../torch/nn/convolution.ts";
import { type Choices, measuringChooser } from "../torch/nn/measure-ways.ts";

const way = z.enum(WAYS);
const choices = z.record(z.string(), z.tuple([way, way, way]));
/** Choices by machine. */
const remembered = z.record(z.string(), choices);

/**
 * From now on, convolutions in training are computed in the fastest ways. Returns a function that ends this.
 * @param file the run's own choices: those of a run that is resumed count before all others
 */
export function useFastestConvolutions(file: string): () => void {
  const own = ownChoices(file);
  const cache = join(cacheDir(), "convolutions.json");
  const machine = machineName();
  const known = readCache(cache)[machine] ?? {};
  const before = setChooser(
    measuringChooser(own, {
      recall: (key) => known[key],
      onChoose(key, ways, measured) {
        writeJson(file, own);
        if (measured) remember(cache, machine, { [key]: ways });
      },
    }),
  );
  return () => void setChooser(before);
}

/** What decides which way is fastest, besides the convolution. */
function machineName(): string {
  const limits = ["ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA"].map((name) => process.env[name] ?? "all");
  return [cpus()[0]?.model ?? process.arch, ...limits, `libtorch ${torchVersion()}`, `${threads()} threads`].join(", ");
}

function ownChoices(file: string): Choices {
  if (!existsSync(file)) return {};
  try {
    return choices.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new UsageError(
      `${file} is damaged. Delete it: the run goes on, with other last digits than if it had not been interrupted.`,
      { cause },
    );
  }
}

/** A cache that cannot be read is as good as none. */
function readCache(file: string): Record<string, Choices> {
  try {
    return remembered.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return {};
  }
}

/** Other runs may write too. Then one of the choices is lost, and measured again by the next run. */
function remember(file: string, machine: string, more: Choices): void {
  const all = readCache(file);
  try {
    makeFolder(cacheDir());
    replaceFile(file, JSON.stringify({ ...all, [machine]: { ...all[machine], ...more } }));
  } catch {
    // a full or read-only disk: the next run measures again
  }
}
