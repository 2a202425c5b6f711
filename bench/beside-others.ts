/**
 * How much another program on one core slows us down: pre-training, and fitting the linear probe, on a quiet machine and beside
 * a busy loop. With the libraries' default way of waiting and a fixed number of threads, and with ours (src/torch/waiting.ts,
 * src/train/adapt.ts). Does not use PyTorch.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { SelfsightError } from "../src/errors.ts";
import { copyPhotos, withFolder } from "./photos.ts";
import { type Row, toRow, type Unit } from "./rows.ts";
import { alternate, type Context, type Measure } from "./runner.ts";

const PHOTOS = 512;
const worker = fileURLToPath(new URL("beside-others-worker.ts", import.meta.url));

/** The defaults of libgomp, LLVM's libomp and OpenBLAS, set explicitly. */
const was = { GOMP_SPINCOUNT: "300000", KMP_BLOCKTIME: "200", OPENBLAS_THREAD_TIMEOUT: "26" };
/** Unset, so that Selfsight chooses. */
const now = Object.fromEntries([...Object.keys(was), "OMP_WAIT_POLICY"].map((name) => [name, undefined]));

const works = { pretrain: "steps/s", fit: "s" } as const satisfies Record<string, Unit>;

export async function besideOthers(context: Context): Promise<Row[]> {
  return withFolder(async (folder) => {
    const photos = await copyPhotos(context, folder, "photos", PHOTOS);
    const rows: Row[] = [];
    for (const [work, unit] of Object.entries(works)) {
      const measure = (settings: NodeJS.ProcessEnv) => () =>
        runWorker([work, photos, settings === now ? "auto" : String(context.threads)], settings);
      const values = await alternate(context.rounds, {
        wasQuiet: measure(was),
        nowQuiet: measure(now),
        wasBeside: beside(measure(was)),
        nowBeside: beside(measure(now)),
      });
      const row = (label: string, a: keyof typeof values, b: keyof typeof values) =>
        toRow("beside-others", `${work}, ${label}`, unit, values[a], values[b]);
      rows.push(
        row("as now: beside a busy loop against quiet", "nowBeside", "nowQuiet"),
        row("as it was: beside a busy loop against quiet", "wasBeside", "wasQuiet"),
        row("quiet: as now against as it was", "nowQuiet", "wasQuiet"),
        row("beside a busy loop: as now against as it was", "nowBeside", "wasBeside"),
      );
    }
    return rows;
  });
}

/** Measures while another process runs a busy loop. */
function beside(measure: Measure): Measure {
  return async () => {
    const other = spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" });
    try {
      return await measure();
    } finally {
      other.kill("SIGKILL");
      await once(other, "close");
    }
  };
}

/** Runs each measurement in a new process, because the libraries read their settings only once. */
async function runWorker(args: readonly string[], settings: NodeJS.ProcessEnv): Promise<number> {
  const child: ChildProcess = spawn(process.execPath, ["--import", "tsx", worker, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...settings },
  });
  let output = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new SelfsightError(`${worker} ${args.join(" ")} ended with ${code}.`);
  return Number(output);
}
