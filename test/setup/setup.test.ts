import { existsSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { buildFolder } from "../../src/setup/places.ts";
import { setup } from "../../src/setup/setup.ts";
import { scratch } from "../images.ts";
import { fakeLibtorch, writeInto } from "./fake-libtorch.ts";

const root = scratch();
const home = join(root, "libtorch");

vi.mock("../../src/setup/places.ts", async (original) => ({ ...(await original<object>()), buildFolder: vi.fn() }));

beforeEach(() => {
  // `cmake --build FOLDER ...` makes the addon; called to configure, it does nothing.
  const cmake = '#!/bin/sh\n[ "$1" != --build ] || echo addon > "$2/selfsight.node"\n';
  for (const [name, text] of Object.entries({ cmake, make: "#!/bin/sh\n", "c++": "#!/bin/sh\n" }))
    writeInto(root, join("bin", name), text, 0o755);
  vi.stubEnv("PATH", [join(root, "bin"), process.env["PATH"]].join(delimiter));
  vi.stubEnv("SELFSIGHT_CACHE", join(root, "cache"));
  for (const name of ["CXX", "LIBTORCH", "LIBTORCH_INCLUDE", "LIBTORCH_LIB", "SELFSIGHT_LIBTORCH"])
    vi.stubEnv(name, undefined);
});
afterEach(() => vi.unstubAllEnvs());

it("builds against what is there now, when another libtorch was installed over the one it used", async () => {
  vi.mocked(buildFolder).mockReturnValue(join(root, "build"));
  fakeLibtorch(home, [2, 7, 1]);
  vi.stubEnv("LIBTORCH", home);
  const first = await setup();
  expect(first.libtorch).toMatchObject({ version: "2.7.1", libDirs: [join(home, "lib")] });
  vi.stubEnv("LIBTORCH", undefined);
  expect(await setup()).toEqual(first);
  fakeLibtorch(home, [2, 10, 0]);
  const second = await setup();
  expect(second.libtorch).toEqual({ ...first.libtorch, version: "2.10.0" });
  expect([first.addon, second.addon].map((addon) => existsSync(addon))).toEqual([true, true]);
  expect(second.addon).not.toBe(first.addon);
});

it("says who can build where it may not write", async () => {
  writeFileSync(join(root, "file"), "");
  vi.mocked(buildFolder).mockReturnValue(join(root, "file", "build"));
  await expect(setup()).rejects.toThrow(
    /file.build, which cannot be written to\. Run setup as the owner of that folder/,
  );
});
