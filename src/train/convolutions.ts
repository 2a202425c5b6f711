/**
 * Measures how to compute a run's convolutions, and remembers it twice: in the cache, for the next run on this machine, and in the run
 * folder, so that a resumed run computes the same numbers.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { UsageError } from "../errors.ts";
import { writeJson } from "../files.ts";
import { systemBlas } from "../setup/blas.ts";
import { currentBuild } from "../setup/current.ts";
import { makeFolder } from "../setup/folders.ts";
import { cacheDir } from "../setup/paths.ts";
import { threads, torchVersion } from "../torch/device.ts";
import { type Chooser, WAYS, type Ways } from "../torch/nn/convolution.ts";
import { type Choices, type Memory, measuringChooser } from "../torch/nn/measure-ways.ts";

const way = z.enum(WAYS);
const ways = z.tuple([way, way, way]);
const choices = z.record(z.string(), ways);

/**
 * Chooses the fastest way of each convolution in training.
 * @param file the run's own choices: those of a run that is resumed count before all others
 */
export function fastestConvolutions(file: string): Chooser {
  const machine = machineName();
  // A run's threads may change on the way.
  const cache = openCache(join(cacheDir(), "convolutions.jsonl"), () => `${machine}, ${threads()} threads`);
  return measuringChooser(ownChoices(file), { ...cache, onChoose: (own) => writeJson(file, own) });
}

/** What decides which way is fastest, besides the convolution and the number of threads. */
function machineName(): string {
  const { ATEN_CPU_CAPABILITY, ONEDNN_MAX_CPU_ISA, DNNL_MAX_CPU_ISA, OPENBLAS_CORETYPE } = process.env;
  const limits = [ATEN_CPU_CAPABILITY, ONEDNN_MAX_CPU_ISA ?? DNNL_MAX_CPU_ISA, OPENBLAS_CORETYPE].map(
    (limit) => limit ?? "all",
  );
  const build = currentBuild();
  const blas = (build && systemBlas(build.libtorch)) ?? "its own BLAS";
  const libraries = [`libtorch ${torchVersion()}`, blas, `addon ${build?.builtFrom ?? "from elsewhere"}`];
  return [cpus()[0]?.model ?? process.arch, ...limits, ...libraries].join(", ");
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

const line = z.object({ machine: z.string(), key: z.string(), ways });

/**
 * Choices of all runs on all machines that share a cache, one in a line. Runs only add lines, and the first of a machine and key counts:
 * so runs at the same time agree. A line that cannot be read, of another version say, counts as none.
 */
function openCache(file: string, machine: () => string): Required<Pick<Memory, "recall" | "keep">> {
  let known = readCache(file);
  return {
    recall: (key) => known.get(place(machine(), key)),
    keep(key, measured) {
      try {
        makeFolder(dirname(file));
        appendFileSync(file, `${JSON.stringify({ machine: machine(), key, ways: measured })}\n`);
      } catch {
        // a full or read-only disk: the next run measures again
      }
      known = readCache(file);
      return known.get(place(machine(), key)) ?? measured;
    },
  };
}

const place = (machine: string, key: string) => `${machine}\n${key}`;

/** By {@link place}. */
function readCache(file: string): Map<string, Ways> {
  const known = new Map<string, Ways>();
  if (!existsSync(file)) return known;
  for (const text of readFileSync(file, "utf8").split("\n")) {
    const one = parseLine(text);
    if (one && !known.has(place(one.machine, one.key))) known.set(place(one.machine, one.key), one.ways);
  }
  return known;
}

function parseLine(text: string): z.output<typeof line> | undefined {
  try {
    return line.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
