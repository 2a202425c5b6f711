/** `npm run bench -- [NAME…] [--json FILE] [--python PATH] [--rounds N]`: our speed compared with PyTorch in Python. */
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { SelfsightError, unknownName } from "../src/errors.ts";
import { threads, torchVersion } from "../src/torch/device.ts";
import { besideOthers } from "./beside-others.ts";
import { decode } from "./decode.ts";
import { features } from "./features.ts";
import { opCall } from "./op-call.ts";
import { pretrainFromJpeg } from "./pretrain-from-jpeg.ts";
import { probes } from "./probes.ts";
import { findPython } from "./python.ts";
import { type Row, table } from "./rows.ts";
import type { Context } from "./runner.ts";
import { taskStep } from "./task-step.ts";
import { trainStep } from "./train-step.ts";

const benches: Record<string, (context: Context) => Promise<Row[]>> = {
  "train-step": trainStep,
  "task-step": taskStep,
  "pretrain-from-jpeg": pretrainFromJpeg,
  "op-call": opCall,
  decode,
  features,
  "beside-others": besideOthers,
  probes,
};

/** Benchmarks that need no PyTorch: they compare us only with ourselves, or with scikit-learn. */
const withoutTorch = new Set(["beside-others", "probes"]);

interface Flags {
  json?: string;
  python?: string;
  newer?: string;
  rounds: number;
  threads: number;
  tasks?: string[];
}

async function run(names: string[], flags: Flags): Promise<void> {
  const chosen = names.length ? names : Object.keys(benches).filter((name) => name !== "probes"); // needs scikit-learn
  for (const name of chosen) if (!Object.hasOwn(benches, name)) throw unknownName("bench", name, Object.keys(benches));
  const alone = chosen.every((name) => withoutTorch.has(name));
  const python = alone ? { path: flags.python ?? "python3", torch: "not used" } : await findPython(flags.python);
  const newer = flags.newer ? await findPython(flags.newer) : undefined;
  const say = (line: string) => process.stderr.write(`${line}\n`);
  threads(flags.threads);
  say(
    `ours: libtorch ${torchVersion()}, Node ${process.version}; peer: torch ${[python, newer].flatMap((one) => one?.torch ?? []).join(" and ")}`,
  );
  say(
    `${flags.threads} threads on ${cpus()[0]?.model ?? process.arch}; medians of ${flags.rounds} rounds taken in turn`,
  );

  const context = {
    python,
    newer,
    rounds: flags.rounds,
    threads: flags.threads,
    tasks: flags.tasks,
    data: process.env["SELFSIGHT_DATA"],
    say,
  };
  const rows: Row[] = [];
  for (const name of chosen) {
    say(`${name} …`);
    rows.push(...((await benches[name]?.(context)) ?? []));
    if (flags.json) writeFileSync(flags.json, `${JSON.stringify(rows, null, 2)}\n`);
  }
  process.stdout.write(`${table(rows)}\n`);
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("Expected a whole number above 0.");
  return value;
}

const program = new Command("bench")
  .description("Speed beside PyTorch programs in Python (bench/peers/), taken in turn. Ratio above 1: ours is faster.")
  .argument("[name...]", `which: ${Object.keys(benches).join(", ")}; default: all but probes`)
  .option("--json <file>", "write the rows { bench, case, ours, peer, unit, ratio } there")
  .option(
    "--python <path>",
    "a Python with torch, torchvision and PIL (else $SELFSIGHT_PYTHON, /usr/bin/python3, python3)",
  )
  .option("--newer <path>", "a Python with a newer torch, for what PyTorch gives at its best")
  .option("--tasks <names>", "of task-step: only these, separated by commas", (text: string) => text.split(","))
  .option("--rounds <n>", "rounds, of which medians are taken", positive, 5)
  .option("--threads <n>", "threads that each side may use", positive, Math.min(2, availableParallelism()))
  .action(run);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof SelfsightError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error.exitCode;
}
