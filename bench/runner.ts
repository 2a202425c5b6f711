/** Alternates the rounds of both sides, so that noise on the machine affects them equally. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { SelfsightError } from "../src/errors.ts";
import { lastLines } from "../src/setup/process.ts";
import type { Python } from "./python.ts";

export interface Context {
  python: Python;
  /** A newer PyTorch, for what PyTorch gives at its best. */
  newer?: Python | undefined;
  rounds: number;
  /** Threads that each side may use. */
  threads: number;
  /** The tasks that task-step measures, if not all. */
  tasks: string[] | undefined;
  /** The folder of data sets, if there is one. */
  data: string | undefined;
  say: (line: string) => void;
}

/** Measures one round. */
export type Measure = () => number | Promise<number>;

/** Runs every measure once per round, in turn. Returns each one's values over the rounds. */
export async function alternate<Name extends string>(
  rounds: number,
  measures: Readonly<Record<Name, Measure>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(measures) as Name[];
  const values = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round < rounds; round++) {
    for (const name of names) values[name].push(await measures[name]());
  }
  return values;
}

/** A peer's arguments, and its Python if it is not the usual one. */
export interface PeerCase {
  python?: Python;
  args: readonly string[];
  /** Left out if it cannot start: some versions of torch.compile crash on some processors. */
  optional?: boolean;
}

/** A program of bench/peers/ that stays alive and measures a round on each request. */
export class Peer {
  private readonly process: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  private readonly script: string;
  private errors = "";

  private constructor(context: Context, script: string, { python = context.python, args }: PeerCase) {
    this.script = script;
    this.process = spawn(python.path, [peerPath(script), ...args, "--serve"], {
      stdio: ["pipe", "pipe", "pipe"],
      env: peerEnvironment(context.threads),
    });
    this.process.stderr?.on("data", (chunk: Buffer) => {
      this.errors += chunk.toString();
    });
    this.lines = createInterface({ input: this.process.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  }

  /** Starts it and waits until it has warmed up. */
  static async start(context: Context, script: string, one: PeerCase): Promise<Peer> {
    const peer = new Peer(context, script, one);
    await peer.read();
    return peer;
  }

  readonly measure = async (): Promise<number> => {
    this.process.stdin?.write("\n");
    const { value } = await this.read();
    return value as number;
  };

  async stop(): Promise<void> {
    const ended = this.process.exitCode === null ? once(this.process, "close") : undefined;
    this.process.stdin?.end();
    await ended;
  }

  private async read(): Promise<{ value?: number }> {
    const { value, done } = await this.lines.next();
    if (done) throw new SelfsightError(`${this.script} ended early:\n${lastLines(this.errors, 8)}`);
    return JSON.parse(value);
  }
}

/** Starts the peers, runs `body`, and always stops the peers. */
export async function withPeers<Name extends string, T>(
  context: Context,
  script: string,
  cases: Readonly<Record<Name, PeerCase>>,
  body: (peers: Record<Name, Peer>) => Promise<T>,
): Promise<T> {
  const started: [string, Peer][] = [];
  try {
    for (const [name, one] of Object.entries<PeerCase>(cases)) {
      try {
        started.push([name, await Peer.start(context, script, one)]);
      } catch (error) {
        if (!one.optional) throw error;
        context.say(`  left out: ${name}. ${(error as Error).message}`);
      }
    }
    return await body(Object.fromEntries(started) as Record<Name, Peer>);
  } finally {
    await Promise.all(started.map(([, peer]) => peer.stop()));
  }
}

/** Seconds that a whole process takes, from start to end. @throws SelfsightError when it fails */
export async function timeProcess(program: string, args: readonly string[], env = process.env): Promise<number> {
  const start = performance.now();
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const [code] = await once(child, "close");
  if (code !== 0) {
    throw new SelfsightError(`${program} ${args.join(" ")} ended with ${code}:\n${lastLines(output, 8)}`);
  }
  return (performance.now() - start) / 1000;
}

export const peerPath = (script: string) => fileURLToPath(new URL(`peers/${script}`, import.meta.url));

export const peerEnvironment = (threads: number) => ({
  ...process.env,
  OMP_NUM_THREADS: String(threads),
  PYTHONDONTWRITEBYTECODE: "1",
});
