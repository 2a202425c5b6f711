/**
 * Run by fuzz.test.ts as `fuzz-child.ts (api | operators) SEED RUNS LOG`, in a separate process that may crash. Writes every
 * call to LOG before making it. A call may throw only Errors, and may leave no tensors behind.
 */
import { openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import * as autograd from "../../src/torch/autograd.ts";
import * as device from "../../src/torch/device.ts";
import { schemas } from "../../src/torch/dispatch.ts";
import * as ops from "../../src/torch/ops.ts";
import * as random from "../../src/torch/random.ts";
import * as scopes from "../../src/torch/scope.ts";
import { call, type Result, Tensor } from "../../src/torch/tensor.ts";
import { anything, ofType, type Recipe, tensorRecipe } from "./fuzz-values.ts";

interface Call {
  readonly text: string;
  readonly run: () => unknown;
}

const [mode, seed, runs, log] = process.argv.slice(2) as [string, string, string, string];
const file = openSync(log, "w");
const before = scopes.memory().tensors;
device.threads(1);
fc.assert(
  fc.property(mode === "api" ? apiCall() : operatorCall(), (one) => {
    writeSync(file, `${one.text}\n`);
    attempt(one);
  }),
  { seed: Number(seed), numRuns: Number(runs), endOnFailure: true },
);
writeSync(file, "done\n");

function attempt({ run }: Call): void {
  try {
    scopes.scope(run);
  } catch (error) {
    if (!(error instanceof Error)) throw new TypeError(`thrown: ${String(error)}`);
  }
  const left = scopes.memory().tensors - before;
  if (left) throw new Error(`${left} tensors are left behind`);
}

/** Any exported function, and any method, getter and setter of Tensor, with any arguments. */
function apiCall(): fc.Arbitrary<Call> {
  const { track: _internal, ...scope } = scopes;
  const functions = [ops, autograd, device, random, scope].flatMap((module) =>
    Object.entries(module).filter(
      (entry): entry is [string, (...values: unknown[]) => unknown] => typeof entry[1] === "function",
    ),
  );
  const free = fc
    .tuple(fc.constantFrom(...functions), fc.array(anything, { maxLength: 7 }))
    .map(([[name, run], recipes]) => build(name, recipes, (values) => run(...values)));

  const methods: [string, (self: Tensor, values: unknown[]) => unknown][] = [];
  for (let level = Tensor.prototype as object; level !== Object.prototype; level = Object.getPrototypeOf(level)) {
    for (const [name, { value, get, set }] of Object.entries(Object.getOwnPropertyDescriptors(level))) {
      if (name === "constructor") continue;
      if (typeof value === "function") methods.push([name, (self, values) => value.apply(self, values)]);
      if (get) methods.push([`get ${name}`, (self) => get.call(self)]);
      if (set) methods.push([`set ${name}`, (self, [given]) => set.call(self, given)]);
    }
  }
  const bound = fc
    .tuple(fc.constantFrom(...methods), tensorRecipe, fc.array(anything, { maxLength: 4 }))
    .map(([[name, run], self, recipes]) =>
      build(name, [self, ...recipes], ([first, ...values]) => run(first as Tensor, values)),
    );
  return fc.oneof(free, bound);
}

/** Any operator named in the sources, with arguments of its schema's types. */
function operatorCall(): fc.Arbitrary<Call> {
  const root = fileURLToPath(new URL("../../src/", import.meta.url));
  const sources = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const used = new Set(
    sources.flatMap((name) => readFileSync(root + name, "utf8").match(/(?<=")aten::[\w.]+(?=")/g) ?? []),
  );
  const known = schemas().filter((text) => used.has(text.slice(0, text.indexOf("("))));
  if (known.length < 90) throw new Error(`only ${known.length} operators found`);
  return fc.oneof(
    ...known.map((text) => {
      const name = text.slice(0, text.indexOf("("));
      return fc
        .tuple(...parameters(text).map(([type, parameter]) => ofType(type, parameter)))
        .map((recipes) => build(name, recipes, (values) => call(name, ...(values as Result[]))));
    }),
  );
}

/** Type and name of each parameter of a schema. */
function parameters(schema: string): [string, string][] {
  const inside = schema.slice(schema.indexOf("(") + 1, schema.lastIndexOf(") ->"));
  return inside
    .split(/, (?![^[(]*[\])])/) // commas outside of brackets
    .filter((part) => part && part !== "*")
    .map((part) => {
      const bare = part.replace(/=.*$/, "");
      const space = bare.lastIndexOf(" ");
      return [bare.slice(0, space), bare.slice(space + 1)];
    });
}

function build(name: string, recipes: readonly Recipe[], run: (values: unknown[]) => unknown): Call {
  const text = `${name}(${recipes.map((recipe) => recipe.text).join(", ")})`;
  return {
    text,
    run: () => {
      const values = recipes.map(({ make }) => make());
      try {
        run(values);
      } finally {
        // The call may have kept it.
        if (recipes[0]?.isTensor) scopes.dispose(values[0] as Tensor);
      }
    },
  };
}
