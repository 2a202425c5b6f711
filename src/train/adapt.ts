/** As many threads as there are free cores: beside another busy program, threads that share a core hold all others up. */
import { availableParallelism, cpus } from "node:os";
import { threads } from "../torch/device.ts";

/** Seconds over which the load is averaged. */
const EVERY = 1;

/** What has been used since the machine and this process were started, in seconds of one core. */
export interface CpuTime {
  /** By all programs together. */
  all: number;
  /** By this process. */
  own: number;
  /** On the clock. */
  wall: number;
}

/**
 * Cores that other programs leave free, at least 1.
 * @param cores of the machine
 */
export function freeCores(before: CpuTime, now: CpuTime, cores: number): number {
  const others = (now.all - before.all - (now.own - before.own)) / (now.wall - before.wall);
  return Math.min(cores, Math.max(1, Math.round(cores - others)));
}

/**
 * To be called often: every second it sets libtorch's threads to the cores that are free. How many threads compute changes
 * sums in their last bits, so a run that is to be repeatable must not use it.
 * @param most threads at most
 */
export function adaptiveThreads(most: number, read: () => CpuTime = cpuTime): () => void {
  const cores = availableParallelism();
  if (cores !== cpus().length) return () => {}; // in a container the machine's load says nothing about our share
  let before = read();
  return () => {
    const now = read();
    if (now.wall - before.wall < EVERY) return;
    const wanted = Math.min(most, freeCores(before, now, cores));
    if (wanted !== threads()) threads(wanted);
    before = now;
  };
}

function cpuTime(): CpuTime {
  const { user, system } = process.cpuUsage(); // microseconds
  const milliseconds = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  return { all: milliseconds / 1000, own: (user + system) / 1e6, wall: performance.now() / 1000 };
}
