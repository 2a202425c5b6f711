/** How the libraries' threads wait for work. */

/**
 * Between two operators the threads of OpenMP and OpenBLAS look for work in a loop, for milliseconds. Where another program
 * wants the cores, they take them from it and from each other: a step takes several times as long. Asleep they cost a few
 * microseconds an operator. Each library reads its variable when it is loaded, libomp and Intel's at the first question.
 */
const asleep = {
  GOMP_SPINCOUNT: "0", // GNU's libgomp: turns of the loop
  KMP_BLOCKTIME: "0", // LLVM's libomp and Intel's: milliseconds
  OPENBLAS_THREAD_TIMEOUT: "4", // OpenBLAS with threads of its own: 2 to this power, in cycles; its least
};

/**
 * Loads a library whose threads then sleep while they wait, unless the user says how: with these variables, or OpenMP's own
 * OMP_WAIT_POLICY. Afterwards the environment is as it was, for the programs that this process starts.
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
