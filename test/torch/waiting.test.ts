import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { withSleepingThreads } from "../../src/torch/waiting.ts";

it("sets only variables that are not set, and only while the library is loading", () => {
  const environment: NodeJS.ProcessEnv = { GOMP_SPINCOUNT: "77", OTHER: "1" };
  const seen = withSleepingThreads(() => ({ ...environment }), environment);
  expect(seen).toEqual({ GOMP_SPINCOUNT: "77", KMP_BLOCKTIME: "0", OPENBLAS_THREAD_TIMEOUT: "4", OTHER: "1" });
  expect(environment).toEqual({ GOMP_SPINCOUNT: "77", OTHER: "1" });
  const fail = () => {
    throw new Error("no library");
  };
  expect(() => withSleepingThreads(fail, environment)).toThrow("no library");
  expect(environment).toEqual({ GOMP_SPINCOUNT: "77", OTHER: "1" });
});

it("changes nothing if OMP_WAIT_POLICY is set", () => {
  const environment = { OMP_WAIT_POLICY: "active" };
  expect(withSleepingThreads(() => ({ ...environment }), environment)).toEqual(environment);
});

it("reaches libgomp, if libtorch uses it", ({ skip }) => {
  const native = JSON.stringify(new URL("../../src/torch/native.ts", import.meta.url).href);
  const source = `import { native } from ${native}; native(); process.stdout.write(String(process.env.GOMP_SPINCOUNT));`;
  const spinCount = (env: NodeJS.ProcessEnv) => {
    const { OMP_WAIT_POLICY: _, GOMP_SPINCOUNT: __, ...rest } = process.env;
    const { stderr, stdout } = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", source], {
      env: { ...rest, OMP_DISPLAY_ENV: "verbose", ...env },
      encoding: "utf8",
    });
    return [/GOMP_SPINCOUNT = '(\d+)'/.exec(stderr)?.[1], stdout];
  };
  const [now, after] = spinCount({});
  if (now === undefined) return skip("libtorch's OpenMP is not GNU's");
  expect([now, after]).toEqual(["10000", "undefined"]);
  expect(spinCount({ GOMP_SPINCOUNT: "5" })).toEqual(["5", "5"]);
});
