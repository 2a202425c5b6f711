/**
 * Lifetimes of tensors. JavaScript's garbage collector cannot see libtorch's memory, and its finalizers run only when control
 * returns to the event loop, which never happens in a training loop. So every step runs in a {@link scope}, which frees the
 * tensors made in it, except those it returns. Outside of any scope the garbage collector is the safety net.
 */
import { type Handle, native } from "./native.ts";
import { synchronous } from "./synchronous.ts";
import { dependsOnTape, tape } from "./tape.ts";

/** Anything that owns a handle. */
export interface Owner {
  readonly handle: Handle;
  /** Whether it outlives the scopes it was made in. */
  kept: boolean;
}

let current: Owner[] | undefined;

export function isInScope(): boolean {
  return current !== undefined;
}

const collected = new FinalizationRegistry<Handle>((handle) => native().release([handle]));

/** Registers a new tensor with the innermost scope. */
export function track(owner: Owner): void {
  if (current) current.push(owner);
  else collected.register(owner, owner.handle);
}

/**
 * Runs `body` and frees every tensor made in it, except those it returns (alone, or in arrays, sets, values of maps and plain
 * objects; they then belong to the enclosing scope) and those given to {@link keep}. Frees them also when `body` throws.
 * @throws TypeError when `body` returns a promise: tensors made later could belong to any scope.
 */
export function scope<T>(body: () => T): T {
  const outer = current;
  const made: Owner[] = [];
  if (!outer) native().inScope(true);
  current = made;
  const returned = new Set<unknown>();
  const start = tape.length;
  let end = start;
  try {
    const result = synchronous("scope", body);
    collect(result, returned);
    const leaves = (owner: Owner) => owner.kept || returned.has(owner);
    if (tape.length > start && dependsOnTape(made.filter(leaves), start)) {
      if (!outer) {
        returned.clear();
        throw new Error(leavesOutermost);
      }
      end = tape.length; // the outer scope also gets what its backward() will need
      for (const { needs } of tape.slice(start)) for (const owner of needs) returned.add(owner);
    }
    return result;
  } finally {
    current = outer;
    tape.length = end;
    const freed: Handle[] = [];
    for (const owner of made) {
      if (returned.has(owner)) track(owner);
      else if (!owner.kept) freed.push(owner.handle);
    }
    if (!outer) native().inScope(false); // before the release, which tells the garbage collector what is left
    native().release(freed);
  }
}

const leavesOutermost =
  "a result that depends on a segment (reversible networks have them) left the outermost scope, with which segments are " +
  "forgotten: call backward() within the scope, or return result.detach(), or run the network within noGrad()";

/** Lets a tensor outlive the scope it was made in: for parameters, buffers and optimizer state. */
export function keep<T extends Owner>(owner: T): T {
  if (typeof owner?.handle !== "bigint") throw new TypeError("expected a tensor to keep");
  if (!owner.kept) collected.register(owner, owner.handle);
  owner.kept = true;
  return owner;
}

/** Frees tensors now. Disposing twice is harmless; using a disposed tensor is an error. */
export function dispose(...owners: readonly Owner[]): void {
  native().release(owners.map((owner) => owner.handle));
}

/** Tensors that JavaScript holds in this thread, and their bytes: views count none, handles to one tensor count each. */
export function memory(): { tensors: number; bytes: number } {
  const [tensors, bytes] = native().live();
  return { tensors, bytes };
}

function isOwner(value: object): value is Owner {
  return "handle" in value && typeof value.handle === "bigint";
}

function collect(value: unknown, found: Set<unknown>): void {
  if (typeof value !== "object" || value === null || found.has(value)) return;
  found.add(value);
  if (isOwner(value) || ArrayBuffer.isView(value)) return;
  const parts = value instanceof Map || value instanceof Set ? value.values() : Object.values(value);
  for (const part of parts) collect(part, found);
}
