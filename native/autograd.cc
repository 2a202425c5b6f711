// Gradients, grad mode, autocast and the state of the random generators.
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/version.h>

#include <mutex>

#include "selfsight.h"

namespace selfsight {

static napi_value undefined(napi_env env) {
  napi_value result;
  check(env, napi_get_undefined(env, &result));
  return result;
}

// libtorch sums a gradient that is larger than its result, and may be expanded to it: mostly a mistake. PyTorch refuses it in Python.
static void requireShape(const at::Tensor& result, const at::Tensor& gradient) {
  if (gradient.sizes() == result.sizes()) return;
  throw std::invalid_argument("a result's gradient must have its shape: expected one for " + describe(result) + ", got " + describe(gradient));
}

// (loss, gradient | null, keep the graph)
napi_value backward(const Arguments& arguments) {
  const napi_env env = arguments.env;
  const at::Tensor& loss = toTensor(env, arguments[0]);
  std::vector<at::Tensor> gradients;
  if (!isNullish(env, arguments[1])) gradients.push_back(toTensor(env, arguments[1]));
  for (const auto& gradient : gradients) requireShape(loss, gradient);
  torch::autograd::backward({loss}, gradients, toBool(env, arguments[2]));
  return undefined(env);
}

// (outputs, inputs, gradients of the outputs | null, keep the graph, make the result differentiable, allow unused)
napi_value grad(const Arguments& arguments) {
  const napi_env env = arguments.env;
  const auto outputs = toTensorArray(env, arguments[0]);
  std::vector<at::Tensor> gradients;
  if (!isNullish(env, arguments[2])) gradients = toTensorArray(env, arguments[2]);
  for (size_t i = 0; i < std::min(outputs.size(), gradients.size()); i++) requireShape(outputs[i], gradients[i]);
  const auto results = torch::autograd::grad(outputs, toTensorArray(env, arguments[1]), gradients,
                                             toBool(env, arguments[3]), toBool(env, arguments[4]), toBool(env, arguments[5]));
  std::vector<napi_value> values;
  for (const auto& result : results) values.push_back(fromTensor(env, result));
  return fromArray(env, values);
}

napi_value getGrad(const Arguments& arguments) {
  return fromTensor(arguments.env, toTensor(arguments.env, arguments[0]).grad());
}

// (tensor, gradient | null). backward() gives gradients the memory layout of their tensors, and the fused optimizers rely
// on it (they walk through both as flat memory), so a gradient with another layout is copied.
napi_value setGrad(const Arguments& arguments) {
  const napi_env env = arguments.env;
  const at::Tensor& tensor = toTensor(env, arguments[0]);
  at::Tensor gradient = isNullish(env, arguments[1]) ? at::Tensor() : toTensor(env, arguments[1]);
  if (gradient.defined()) {
    if (gradient.is_same(tensor)) throw std::invalid_argument("a tensor cannot be its own gradient: give a copy, clone()");
    const auto options = gradient.options();
    if (gradient.sizes() != tensor.sizes() || options.dtype() != tensor.dtype() || options.device() != tensor.device()) {
      throw std::invalid_argument("a gradient must be like its tensor, " + describe(tensor) + ", got " + describe(gradient));
    }
    if (gradient.strides() != tensor.strides() && tensor.is_non_overlapping_and_dense()) {
      at::NoGradGuard noGrad;
      gradient = at::empty_strided(tensor.sizes(), tensor.strides(), options).copy_(gradient);
    }
  }
  tensor.mutable_grad() = gradient;
  return undefined(env);
}

// (tensor[, value]) -> value
napi_value requiresGrad(const Arguments& arguments) {
  const at::Tensor& tensor = toTensor(arguments.env, arguments[0]);
  if (arguments.size() > 1) tensor.requires_grad_(toBool(arguments.env, arguments[1]));
  return fromBool(arguments.env, tensor.requires_grad());
}

// ([enabled]) -> previous value. Turning it on drops autocast's cache: weights that were cast without gradients have no way back to f32.
napi_value gradMode(const Arguments& arguments) {
  const bool before = c10::GradMode::is_enabled();
  if (arguments.size()) {
    const bool enable = toBool(arguments.env, arguments[0]);
    c10::GradMode::set_enabled(enable);
    if (enable && !before) at::autocast::clear_cache();
  }
  return fromBool(arguments.env, before);
}

#if TORCH_VERSION_MAJOR >= 2
// Nothing where this libtorch has none for the device: 2.4 says so of Apple's GPUs by throwing.
static std::optional<bool> autocastEnabled(at::DeviceType device) {
  try {
    return at::autocast::is_autocast_enabled(device);
  } catch (const c10::Error&) {
    return std::nullopt;
  }
}
at::ScalarType autocastDtype(at::DeviceType device) { return at::autocast::get_autocast_dtype(device); }
static void setAutocast(at::DeviceType device, bool enabled, at::ScalarType dtype) {
  at::autocast::set_autocast_enabled(device, enabled);
  at::autocast::set_autocast_dtype(device, dtype);
}
#else
static std::optional<bool> autocastEnabled(at::DeviceType device) {
  if (device == at::kCPU) return at::autocast::is_cpu_enabled();
  if (device == at::kCUDA) return at::autocast::is_enabled();
  return std::nullopt;
}
at::ScalarType autocastDtype(at::DeviceType device) {
  return device == at::kCPU ? at::autocast::get_autocast_cpu_dtype() : at::autocast::get_autocast_gpu_dtype();
}
static void setAutocast(at::DeviceType device, bool enabled, at::ScalarType dtype) {
  if (device == at::kCPU) {
    at::autocast::set_cpu_enabled(enabled);
    at::autocast::set_autocast_cpu_dtype(dtype);
  } else {
    at::autocast::set_enabled(enabled);
    at::autocast::set_autocast_gpu_dtype(dtype);
  }
}
#endif

// (device[, dtype | null for off]) -> previous dtype or null. Each change drops the cache of weights cast to low precision: it does not
// know to which.
napi_value autocast(const Arguments& arguments) {
  const napi_env env = arguments.env;
  const at::DeviceType device = deviceOf(toString(env, arguments[0])).type();
  napi_value before;
  check(env, napi_get_null(env, &before));
  const std::optional<bool> wasEnabled = autocastEnabled(device);
  if (!wasEnabled) {
    if (arguments.size() == 1 || isNullish(env, arguments[1])) return before;
    throw std::invalid_argument("this libtorch has no autocast for " + toString(env, arguments[0]) + ": compute in f32, or use a newer one");
  }
  const auto previous = autocastDtype(device);
  if (*wasEnabled) before = fromString(env, dtypeName(previous));
  if (arguments.size() == 1) return before;
  const bool enable = !isNullish(env, arguments[1]);
  const auto dtype = enable ? dtypeOf(toString(env, arguments[1])) : previous;
  if (dtype != at::kBFloat16 && dtype != at::kHalf && enable) throw std::invalid_argument("autocast wants bf16 or f16");
  setAutocast(device, enable, *dtype);
  if (enable != *wasEnabled || *dtype != previous) at::autocast::clear_cache();
  return before;
}

static at::Generator generatorOf(const Arguments& arguments) {
  return at::globalContext().defaultGenerator(deviceOf(toString(arguments.env, arguments[0])));
}

// (seed): seeds every device's generator
napi_value manualSeed(const Arguments& arguments) {
  at::manual_seed(toInt(arguments.env, arguments[0]));
  return undefined(arguments.env);
}

// (device) -> u8 tensor
napi_value getRngState(const Arguments& arguments) {
  at::Generator generator = generatorOf(arguments);
  std::lock_guard<std::mutex> lock(generator.mutex());
  return fromTensor(arguments.env, generator.get_state());
}

// (device, u8 tensor)
napi_value setRngState(const Arguments& arguments) {
  at::Generator generator = generatorOf(arguments);
  std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_state(toTensor(arguments.env, arguments[1]));
  return undefined(arguments.env);
}

}  // namespace selfsight
