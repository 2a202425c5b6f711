/** How the libraries' threads wait for work. */

/**
 * Between two operators, the threads of OpenMP and OpenBLAS wait in a busy loop, by default for milliseconds. If another program
 * runs, this takes cores away from it and from our own threads: a step takes several times as long. A busy loop of a few
 * microseconds is long enough for the next operator to find the threads awake; then they sleep. Measured in bench/README.md.
 * Each library reads its variable when it is loaded; libomp and Intel's read theirs at the first call.
 */
const asleep = {
  GOMP_SPINCOUNT: "10000", // GNU's libgomp: rounds of the loop (its default: 300,000)
  KMP_BLOCKTIME: "0", // LLVM's libomp and Intel's: milliseconds
  OPENBLAS_THREAD_TIMEOUT: "4", // OpenBLAS with its own threads: 2 to this power, in cycles; 4 is the minimum
};

/**
 * Loads a library so that its threads sleep while they wait, unless the user has set these variables or OpenMP's own
 * OMP_WAIT_POLICY. Then restores the environment, so that programs started by this process do not inherit the settings.
 */
export function withSleepingThreads<Library>(
  load: () => Library,
  environment: NodeJS.ProcessEnv = process.env,
): Library {
  if (environment["OMP_WAIT_POLICY"] !== undefined) return load();
  const unset = Object.entries(asleep).filter(([name]) => environment[name] === undefined);
  for (const [name, value] of unset) environment[name] = value;
  try {
    return load();
  } finally {
    for (const [name] of unset) delete environment[name];
  }
}
