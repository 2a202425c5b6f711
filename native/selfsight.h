// Declarations shared by the addon's files: the table of tensors, argument reading, and the guard that turns every C++
// exception into a JavaScript error. Plain N-API (C), so that one binary works with every Node from 20 on.
#pragma once
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <ATen/core/stack.h>
#include <node_api.h>

#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace selfsight {

// JavaScript knows a tensor by its handle: a BigInt of the slot number (low 32 bits) and the slot's generation (next
// 31 bits). A handle that was released, forged or made by another thread does not match its slot, and is rejected.
// A BigInt, because it cannot be mistaken for a number, nor a number for a tensor. No finalizers: they run only when
// control returns to the event loop, which never happens in a training loop.
class TensorTable {
 public:
  TensorTable();
  int64_t insert(at::Tensor tensor);
  const at::Tensor& at(int64_t handle) const;  // throws when the handle is stale
  bool release(int64_t handle);                // false when it was released before
  size_t live() const { return slots_.size() - free_.size(); }
  int64_t bytes() const { return bytes_; }

 private:
  struct Slot {
    at::Tensor tensor;
    uint32_t generation = 0;
    int64_t bytes = 0;
  };
  const Slot* find(int64_t handle) const;
  uint32_t firstGeneration_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  int64_t bytes_ = 0;
};

struct Operator {
  c10::OperatorHandle handle;
  bool returnsWritten;  // results are the arguments it writes to (in-place and out= operators): nothing new to return
  bool fused;           // a fused optimizer: see guardFused
};

// One per JavaScript thread (napi instance data): worker threads load the addon too, each with its own table.
struct Instance {
  TensorTable tensors;
  std::vector<Operator> operators;
  std::unordered_map<std::string, uint32_t> operatorIndex;
  int64_t reportedBytes = 0;  // the value of bytes() last reported to the garbage collector
  bool inScope = false;       // within scope() of src/torch/scope.ts
};

Instance& instance(napi_env env);
// Tells the garbage collector how much memory the handles hold, in steps of 16 MB. Not within a scope, which frees its tensors itself: what
// a training step needs for a moment would set off a collection of all garbage, several times a step.
void reportMemory(napi_env env, Instance& self);

[[noreturn]] void throwStatus(napi_env env);
inline void check(napi_env env, napi_status status) {
  if (status != napi_ok) throwStatus(env);
}
std::string describe(napi_env env, napi_value value);  // "f32[2, 3]", "null", "\"abc\"": for error messages
std::string describe(const at::Tensor& tensor);

at::ScalarType autocastDtype(at::DeviceType device);  // what autocast computes in there, on or off

double toDouble(napi_env env, napi_value value);
int64_t toInt(napi_env env, napi_value value);  // rejects NaN, fractions and integers that a double cannot hold exactly
bool toBool(napi_env env, napi_value value);
std::string toString(napi_env env, napi_value value);
bool isNullish(napi_env env, napi_value value);
std::vector<napi_value> toArray(napi_env env, napi_value value);
std::vector<int64_t> toIntArray(napi_env env, napi_value value);
const at::Tensor& toTensor(napi_env env, napi_value value);
std::vector<at::Tensor> toTensorArray(napi_env env, napi_value value);

napi_value fromDouble(napi_env env, double value);
napi_value fromBool(napi_env env, bool value);
napi_value fromString(napi_env env, const std::string& value);
napi_value fromTensor(napi_env env, at::Tensor tensor);  // null for an undefined tensor
napi_value fromArray(napi_env env, const std::vector<napi_value>& values);

std::string dtypeName(at::ScalarType dtype);
std::optional<at::ScalarType> dtypeOf(const std::string& name);
at::Device deviceOf(const std::string& name);

inline bool isNegativeZero(double number) { return number == 0 && std::signbit(number); }

// `type` is the parameter's real type, which tells data types from integers.
c10::IValue toIValue(napi_env env, napi_value value, const c10::TypePtr& type, int32_t count);
napi_value fromIValue(napi_env env, const c10::IValue& value);

// guards.cc: all throw on arguments that would crash libtorch
void guardOperator(const std::string& name);
void guardArgument(const c10::Argument& parameter, c10::IValue& value);
// Fused optimizers walk through parameters, gradients and state as flat memory of the same length and order.
void guardFused(const c10::FunctionSchema& schema, const torch::jit::Stack& stack);

// The arguments of one call from JavaScript.
struct Arguments {
  napi_env env;
  std::vector<napi_value> values;
  napi_value operator[](size_t i) const;  // throws when missing
  size_t size() const { return values.size(); }
};

// Runs `body` and turns any C++ exception into a JavaScript error: none may reach V8.
template <typename Body>
napi_value guarded(napi_env env, Body body) noexcept {
  std::string message;
  try {
    return body();
  } catch (const c10::Error& error) {
    message = error.what_without_backtrace();
  } catch (const std::bad_alloc&) {
    message = "out of memory";
  } catch (const std::exception& error) {
    message = error.what();
  } catch (...) {
    message = "unknown C++ exception";
  }
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_error(env, nullptr, message.c_str());
  return nullptr;
}

// Wraps `napi_value fn(const Arguments&)` in the signature that N-API asks for.
template <napi_value (*fn)(const Arguments&)>
napi_value exported(napi_env env, napi_callback_info info) noexcept {
  return guarded(env, [&]() -> napi_value {
    Arguments arguments{env, {}};
    size_t count = 8;
    arguments.values.resize(count);
    check(env, napi_get_cb_info(env, info, &count, arguments.values.data(), nullptr, nullptr));
    if (count > arguments.values.size()) {
      arguments.values.resize(count);
      check(env, napi_get_cb_info(env, info, &count, arguments.values.data(), nullptr, nullptr));
    }
    arguments.values.resize(count);
    return fn(arguments);
  });
}

// dispatch.cc
napi_value findOperator(const Arguments&);
napi_value listSchemas(const Arguments&);
napi_value call(napi_env env, napi_callback_info info) noexcept;
// tensor.cc
napi_value fromBytes(const Arguments&);
napi_value toBytes(const Arguments&);
napi_value item(const Arguments&);
napi_value shape(const Arguments&);
napi_value info(const Arguments&);
napi_value release(const Arguments&);
napi_value inScope(const Arguments&);
napi_value live(const Arguments&);
// autograd.cc
napi_value backward(const Arguments&);
napi_value grad(const Arguments&);
napi_value getGrad(const Arguments&);
napi_value setGrad(const Arguments&);
napi_value requiresGrad(const Arguments&);
napi_value gradMode(const Arguments&);
napi_value autocast(const Arguments&);
napi_value manualSeed(const Arguments&);
napi_value getRngState(const Arguments&);
napi_value setRngState(const Arguments&);
// device.cc
napi_value threads(const Arguments&);
napi_value devices(const Arguments&);
napi_value synchronize(const Arguments&);
napi_value version(const Arguments&);
napi_value deterministic(const Arguments&);
// allocator.cc
void installAllocator();

}  // namespace selfsight
