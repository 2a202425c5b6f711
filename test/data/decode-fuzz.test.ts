import { expect, it } from "vitest";
import { checkDecode } from "../../bench/fuzz-check.ts";
import { fuzzFile, wholeFiles } from "../../bench/fuzz-files.ts";
import { decodeImage } from "../../src/data/decode.ts";

const [SEED, COUNT] = [1, 300];

it("every kind of file that the fuzzer damages can be decoded undamaged", async () => {
  for (const { kind, bytes } of await wholeFiles({ large: false })) {
    if (kind === "tiff float" || kind === "svg") continue; // some of these should be refused
    expect(await checkDecode(decodeImage, bytes, 24), kind).toEqual({ decoded: true });
  }
});

it(`${COUNT} damaged files are decoded, or refused in one line`, async () => {
  const files = await wholeFiles({ large: false });
  const faults: string[] = [];
  let decoded = 0;
  for (let i = 0; i < COUNT; i++) {
    const { kind, bytes } = fuzzFile(files, SEED, i);
    const outcome = await checkDecode(decodeImage, bytes, 24);
    if (outcome.decoded) decoded++;
    if (outcome.fault) faults.push(`${i} (${kind}): ${outcome.fault}`);
  }
  expect(faults).toEqual([]);
  // Not all of them are refused by their headers.
  expect(decoded).toBeGreaterThan(COUNT / 20);
  expect(decoded).toBeLessThan(COUNT);
});
