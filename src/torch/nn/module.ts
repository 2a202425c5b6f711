/** Modules as in PyTorch: parameters are found by walking the fields, and are named after them. */
import { noGrad } from "../autograd.ts";
import { operator } from "../dispatch.ts";
import type { Handle } from "../native.ts";
import { dispose, keep, scope } from "../scope.ts";
import { type Device, type MemoryFormat, Tensor } from "../tensor.ts";

const detach = operator("aten::detach");
const setData = operator("aten::set_data");

/** A tensor that belongs to a module and outlives every scope. Shares memory with the tensor it is made from. */
export class Buffer extends Tensor {
  constructor(initial: Tensor) {
    super(detach(initial) as Handle);
    keep(this);
  }

  /** Takes over the memory, type and device of `data`. Everyone who holds this tensor sees the change. */
  replace(data: Tensor): void {
    setData(this, data);
  }
}

/** A buffer that is trained. */
export class Parameter extends Buffer {
  /** Whether weight decay may apply to it, if it has more than one dimension. */
  readonly decays: boolean;

  constructor(initial: Tensor, { decays = true } = {}) {
    super(initial);
    this.decays = decays;
    this.requiresGrad_();
  }
}

/** The cost of one forward pass. */
export interface Cost {
  /** Multiplications, each followed by an addition. */
  multiplyAdds?: number;
  /** Values kept for the backward pass. */
  kept?: number;
  /** What the submodules keep is freed, and recomputed in the backward pass. */
  recomputes?: boolean;
}

/** A network or a part of one. Sub-modules, arrays of them, parameters and buffers are plain fields. */
export abstract class Module {
  /** Batch norm and dropout behave differently in training. See {@link train}. */
  training = true;

  /** The output for an input. A module that only holds state has none. */
  forward(_x: Tensor): Tensor {
    throw new Error(`${this.constructor.name} has no forward`);
  }

  /** The cost of computing y from x in this module, without its submodules. Zero by default. */
  cost(_x: Tensor, _y: Tensor): Cost {
    return {};
  }

  /** This module, then all its submodules, by path: `layer1.0.bn2`. */
  *namedModules(prefix = ""): Generator<[string, Module]> {
    yield [prefix, this];
    for (const [name, child] of children(this, prefix)) if (child instanceof Module) yield* child.namedModules(name);
  }

  /** Parameters and buffers by path, in order of declaration: `layer1.0.bn2.weight`. */
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

  /** Parameters and buffers by name, as saved to files and as in torchvision's `state_dict()`. Not copies. */
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

  /** Moves all tensors and their gradients to a device, and converts kernels (four dimensions) to a memory format. */
  to({ device, memoryFormat }: { device?: Device; memoryFormat?: MemoryFormat }): this {
    const move = (tensor: Buffer) => {
      const { grad } = tensor;
      const kernel = memoryFormat !== undefined && tensor.dim === 4;
      const place = { ...(device && { device }), ...(kernel && { memoryFormat }) };
      tensor.replace(tensor.to(place));
      if (grad) tensor.grad = grad.to(place);
    };
    noGrad(() => {
      for (const [, tensor] of this.namedTensors()) scope(() => move(tensor));
    });
    return this;
  }

  /** Frees the parameters and buffers. */
  dispose(): void {
    dispose(...this.state().values());
  }
}

/** The modules in the fields of `value`, and in arrays there, by path. */
function* children(value: object, prefix: string): Generator<[string, unknown]> {
  for (const [name, child] of Object.entries(value)) {
    const path = prefix ? `${prefix}.${name}` : name;
    if (child instanceof Module) yield [path, child];
    else if (Array.isArray(child)) yield* children(child, path);
  }
}

/** Runs modules one after the other. Their paths are their positions: `0`, `1`. */
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
