/** Uses as many threads as there are free cores: with another busy program, threads that share a core delay all others. */
import { availableParallelism, cpus } from "node:os";
import { threads } from "../torch/device.ts";

/** Seconds over which the load is averaged. */
const EVERY = 1;

/** CPU time used since the machine and this process started, in seconds of one core. */
export interface CpuTime {
  /** By all programs together. */
  all: number;
  /** By this process. */
  own: number;
  /** Wall-clock time, in seconds. */
  wall: number;
}

/**
 * Cores that other programs leave free, at least 1.
 * @param cores number of the machine's cores
 */
export function freeCores(before: CpuTime, now: CpuTime, cores: number): number {
  const others = (now.all - before.all - (now.own - before.own)) / (now.wall - before.wall);
  return Math.min(cores, Math.max(1, Math.round(cores - others)));
}

/**
 * Returns a function to call often: once a second it sets libtorch's threads to the number of free cores. The number of threads
 * changes the last bits of sums, so a run that must be repeatable cannot use this.
 * @param most maximum number of threads
 */
export function adaptiveThreads(most: number, read = cpuTime, wall = wallTime): () => void {
  const cores = availableParallelism();
  if (cores !== cpus().length) return () => {}; // in a container, the machine's load says nothing about our share
  let before = read();
  return () => {
    if (wall() - before.wall < EVERY) return; // the rest is read once a second: it takes a while on many cores
    const now = read();
    const wanted = Math.min(most, freeCores(before, now, cores));
    if (wanted !== threads()) threads(wanted);
    before = now;
  };
}

const wallTime = (): number => performance.now() / 1000;

function cpuTime(): CpuTime {
  const { user, system } = process.cpuUsage(); // microseconds
  const milliseconds = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  return { all: milliseconds / 1000, own: (user + system) / 1e6, wall: wallTime() };
}
