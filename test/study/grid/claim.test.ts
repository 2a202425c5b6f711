/** Claims on a cell: one holder at a time, taken over when its beat stops. */
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { ownMark } from "../../../src/setup/alive.ts";
import { makeFolder } from "../../../src/setup/folders.ts";
import { type Claim, openClaims } from "../../../src/study/grid/claim.ts";
import { scratch } from "../../images.ts";

const all = scratch();
const pace = { beat: 10, stale: 1000 };
let [cell, count] = ["", 0];

beforeEach(() => {
  cell = join(all, String(count++));
  makeFolder(cell);
});

/** A claim as a process leaves it, on another machine by default. */
function leave(number: number, { pid = 1, place = "elsewhere", text = "" } = {}): string {
  const file = join(cell, `claim.${number}`);
  writeFileSync(file, text || JSON.stringify({ ...ownMark(), pid, place, birth: "0", released: false, beat: 3 }));
  return file;
}

test("only one of two gets it; released, the other does at once; finished, nothing is left", async () => {
  const [first, second] = [openClaims(pace), openClaims(pace)];
  const claim = first.take(cell) as Claim;
  expect(claim.held()).toBe(true);
  expect(second.take(cell)).toBeUndefined();
  await claim.release(false);
  const next = second.take(cell) as Claim;
  expect([claim.held(), next.held()]).toEqual([false, true]);
  await next.release(true);
  expect(readdirSync(cell)).toEqual([]);
});

test("a holder that slept does not take another's claim of the same number for its own", async () => {
  const claim = openClaims(pace).take(cell) as Claim;
  const lost = new Promise((resolve) => claim.lost.addEventListener("abort", resolve));
  const file = leave(0); // finished by others, and claimed anew
  const text = readFileSync(file, "utf8");
  await lost;
  expect([claim.held(), readFileSync(file, "utf8")]).toEqual([false, text]);
  await claim.release(true);
  expect(readdirSync(cell)).toEqual(["claim.0"]);
});

test("a claim that is gone between looking and reading is not taken over: others may have begun again", () => {
  symlinkSync(join(cell, "removed"), join(cell, "claim.0")); // it is listed, and cannot be read
  expect(openClaims(pace).take(cell)).toBeUndefined();
  expect(readdirSync(cell)).toEqual(["claim.0"]);
});

test("a holder elsewhere is waited for until its beat has not changed for long, by one's own clock", async () => {
  let now = 5000;
  const claims = openClaims(pace, () => now);
  const file = leave(4);
  expect(claims.take(cell)).toBeUndefined();
  now += pace.stale - 1;
  expect(claims.take(cell)).toBeUndefined();
  writeFileSync(file, readFileSync(file, "utf8").replace('"beat":3', '"beat":4'));
  now += 1;
  expect(claims.take(cell)).toBeUndefined();
  now += pace.stale;
  const claim = claims.take(cell) as Claim;
  expect(readdirSync(cell).sort()).toEqual(["claim.4", "claim.5"]);
  await claim.release(true);
});

test("a holder that works keeps it, however long", async () => {
  let now = 0;
  const claim = openClaims(pace).take(cell) as Claim;
  const other = openClaims(pace, () => now);
  for (let i = 0; i < 3; i++) {
    const before = readFileSync(join(cell, "claim.0"), "utf8");
    expect(other.take(cell)).toBeUndefined();
    now += pace.stale;
    await expect.poll(() => readFileSync(join(cell, "claim.0"), "utf8"), { timeout: 20_000 }).not.toBe(before);
  }
  expect(other.take(cell)).toBeUndefined();
  await claim.release(true);
});

test("a holder that was asleep sees that another has taken over, and leaves that one alone", async () => {
  const claim = openClaims(pace).take(cell) as Claim;
  leave(1);
  await expect.poll(() => claim.lost.aborted, { timeout: 20_000 }).toBe(true);
  expect(claim.held()).toBe(false);
  await claim.release(true);
  expect(readdirSync(cell)).toContain("claim.1");
});

test("a holder that was asleep in the middle of a step sees it before it saves, without waiting for the signal", async () => {
  const claim = openClaims(pace).take(cell) as Claim;
  expect(claim.isLost()).toBe(false);
  leave(1);
  const until = Date.now() + pace.beat;
  while (Date.now() <= until); // no turn of the event loop
  expect(claim.lost.aborted).toBe(false);
  expect([claim.isLost(), claim.lost.aborted]).toEqual([true, true]);
  await claim.release(false);
});

test("a process that died on this machine is not waited for, and a half-written claim is", async () => {
  leave(0, { pid: 2147483646, place: ownMark().place });
  const claim = openClaims(pace).take(cell) as Claim;
  expect(claim.held()).toBe(true);
  await claim.release(true);
  leave(0, { text: "{" });
  expect(openClaims(pace).take(cell)).toBeUndefined();
});
