/** Modules as PyTorch has them: parameters are found by walking the fields, and are named after them. */
import { noGrad } from "../autograd.ts";
import { operator } from "../dispatch.ts";
import type { Handle } from "../native.ts";
import { dispose, keep } from "../scope.ts";
import { type Device, type MemoryFormat, Tensor } from "../tensor.ts";

const detach = operator("aten::detach");
const setData = operator("aten::set_data");

/** A tensor that belongs to a module and outlives every scope. Made from another, whose memory it shares. */
export class Buffer extends Tensor {
  constructor(initial: Tensor) {
    super(detach(initial) as Handle);
    keep(this);
  }

  /** Takes over the memory, type and device of `data`. Whoever holds this tensor sees the change. */
  replace(data: Tensor): void {
    setData(this, data);
  }
}

/** A buffer that is trained. */
export class Parameter extends Buffer {
  constructor(initial: Tensor) {
    super(initial);
    this.requiresGrad_();
  }
}

/** What one pass of some images costs. */
export interface Cost {
  /** Multiplications, each with its addition. */
  multiplyAdds?: number;
  /** Numbers that are kept until the way back. */
  kept?: number;
  /** What the modules below keep is freed, and computed again on the way back. */
  recomputes?: boolean;
}

/** A network or a part of one. Sub-modules, arrays of them, parameters and buffers are plain fields. */
export abstract class Module {
  /** Batch norm and dropout behave differently in training. See {@link train}. */
  training = true;

  /** What the module makes of its input. One that only holds state has none. */
  forward(_x: Tensor): Tensor {
    throw new Error(`${this.constructor.name} has no forward`);
  }

  /** What giving y for x costs here, apart from the modules below. Nothing unless declared. */
  cost(_x: Tensor, _y: Tensor): Cost {
    return {};
  }

  /** Every module below this one, itself first, by its path: `layer1.0.bn2`. */
  *namedModules(prefix = ""): Generator<[string, Module]> {
    yield [prefix, this];
    for (const [name, child] of children(this, prefix)) if (child instanceof Module) yield* child.namedModules(name);
  }

  /** Parameters and buffers by their path, in order of declaration: `layer1.0.bn2.weight`. */
  *namedTensors(): Generator<[string, Buffer]> {
    for (const [path, module] of this.namedModules()) {
      for (const [name, value] of Object.entries(module)) {
        if (value instanceof Buffer) yield [path ? `${path}.${name}` : name, value];
      }
    }
  }

  namedParameters(): [string, Parameter][] {
    return [...this.namedTensors()].filter((entry): entry is [string, Parameter] => entry[1] instanceof Parameter);
  }

  parameters(): Parameter[] {
    return this.namedParameters().map(([, parameter]) => parameter);
  }

  /** Parameters and buffers by name: what is saved, and what torchvision's `state_dict()` has. Not copies. */
  state(): Map<string, Buffer> {
    return new Map(this.namedTensors());
  }

  train(training = true): this {
    for (const [, module] of this.namedModules()) module.training = training;
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  /** Moves everything to a device; kernels (four dimensions) to a memory format. */
  to({ device, memoryFormat }: { device?: Device; memoryFormat?: MemoryFormat }): this {
    noGrad(() => {
      for (const [, tensor] of this.namedTensors()) {
        const kernel = memoryFormat !== undefined && tensor.dim === 4;
        const moved = tensor.to({ ...(device && { device }), ...(kernel && { memoryFormat }) });
        tensor.replace(moved);
        moved.dispose();
      }
    });
    return this;
  }

  /** Frees the parameters and buffers. */
  dispose(): void {
    dispose(...this.state().values());
  }
}

/** Fields that hold modules, and the elements of arrays and records of modules, by path. */
function* children(value: object, prefix: string): Generator<[string, unknown]> {
  for (const [name, child] of Object.entries(value)) {
    const path = prefix ? `${prefix}.${name}` : name;
    if (child instanceof Module) yield [path, child];
    else if (Array.isArray(child)) yield* children(child, path);
  }
}

/** One after the other. Their paths are their positions: `0`, `1`. */
export class Sequential extends Module {
  [position: number]: Module;
  readonly length: number;

  constructor(...modules: Module[]) {
    super();
    this.length = modules.length;
    for (const [i, module] of modules.entries()) this[i] = module;
  }

  override forward(x: Tensor): Tensor {
    for (let i = 0; i < this.length; i++) x = (this[i] as Module).forward(x);
    return x;
  }
}
