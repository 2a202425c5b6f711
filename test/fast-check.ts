/** fast-check with a fixed seed, so that a failure comes again. SELFSIGHT_FUZZ_SEED gives another one. */
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env["SELFSIGHT_FUZZ_SEED"] ?? 1) });

export default fc;
