// Calls any operator of PyTorch's dispatcher by its schema: looks up the schema, converts the arguments to its types,
// fills in defaults, calls it boxed. Autograd and autocast come with the dispatcher. There is no generated code.
#include <sstream>

#include "selfsight.h"

namespace selfsight {

static std::string schemaText(const c10::FunctionSchema& schema) {
  std::ostringstream text;
  text << schema;
  return text.str();
}

// (name: "aten::add.Tensor") -> [index for call(), whether its results are the arguments it writes to]
napi_value findOperator(const Arguments& arguments) {
  const napi_env env = arguments.env;
  Instance& self = instance(env);
  const std::string name = toString(env, arguments[0]);
  auto known = self.operatorIndex.find(name);
  if (known == self.operatorIndex.end()) {
    const size_t scope = name.find("::");
    const size_t dot = scope == std::string::npos ? scope : name.find('.', scope);
    const std::string overload = dot == std::string::npos ? "" : name.substr(dot + 1);
    guardOperator(name);
    auto handle = c10::Dispatcher::singleton().findSchema({name.substr(0, dot), overload});
    if (!handle) throw std::invalid_argument("there is no operator " + name);
    bool written = !handle->schema().returns().empty();
    for (const auto& result : handle->schema().returns()) {
      written = written && result.alias_info() && result.alias_info()->isWrite();
    }
    const bool fused = name.rfind("aten::_fused_ada", 0) == 0 || name.rfind("aten::_fused_sgd", 0) == 0;
    self.operators.push_back({*handle, written, fused});
    known = self.operatorIndex.emplace(name, self.operators.size() - 1).first;
  }
  return fromArray(env, {fromDouble(env, known->second), fromBool(env, self.operators[known->second].returnsWritten)});
}

// () -> the text of every schema
napi_value listSchemas(const Arguments& arguments) {
  std::vector<napi_value> texts;
  auto& dispatcher = c10::Dispatcher::singleton();
  for (const auto& name : dispatcher.getAllOpNames()) {
    if (auto handle = dispatcher.findSchema(name)) texts.push_back(fromString(arguments.env, schemaText(handle->schema())));
  }
  return fromArray(arguments.env, texts);
}

// The last argument may be an object of named arguments: {dtype: "f32"}.
static napi_value namedArguments(napi_env env, const napi_value* values, size_t count) {
  if (count == 0) return nullptr;
  napi_valuetype type;
  bool isArray = false;
  check(env, napi_typeof(env, values[count - 1], &type));
  if (type != napi_object) return nullptr;
  check(env, napi_is_array(env, values[count - 1], &isArray));
  return isArray ? nullptr : values[count - 1];
}

static void refuseUnknownNames(napi_env env, napi_value named, const c10::FunctionSchema& schema) {
  napi_value keys;
  check(env, napi_get_property_names(env, named, &keys));
  for (napi_value key : toArray(env, keys)) {
    const std::string name = toString(env, key);
    if (!schema.argumentIndexWithName(name)) throw std::invalid_argument("it has no argument \"" + name + "\"");
  }
}

static bool isUndefined(napi_env env, napi_value value) {
  napi_valuetype type;
  check(env, napi_typeof(env, value, &type));
  return type == napi_undefined;
}

static bool isScalar(const c10::TypePtr& type) {
  if (type->kind() == c10::TypeKind::OptionalType) return isScalar(type->expectRef<c10::OptionalType>().getElementType());
  return type->kind() == c10::TypeKind::NumberType;
}

// -0 arrives as a float, which makes integer tensors floats. Where all tensors are of integers, it is 0.
static void settleNegativeZeros(const c10::FunctionSchema& schema, torch::jit::Stack& stack) {
  std::vector<size_t> zeros;
  for (size_t i = 0; i < stack.size(); i++) {
    if (stack[i].isDouble() && isNegativeZero(stack[i].toDouble()) && isScalar(schema.arguments()[i].type())) zeros.push_back(i);
  }
  if (zeros.empty()) return;
  bool integers = false;
  for (const auto& value : stack) {
    if (!value.isTensor()) continue;
    if (!c10::isIntegralType(value.toTensor().scalar_type(), true)) return;
    integers = true;
  }
  for (size_t i : zeros) {
    if (integers) stack[i] = c10::IValue(static_cast<int64_t>(0));
  }
}

static torch::jit::Stack buildStack(napi_env env, const c10::FunctionSchema& schema, const napi_value* values, size_t count) {
  const auto& parameters = schema.arguments();
  napi_value named = namedArguments(env, values, count);
  if (named) {
    refuseUnknownNames(env, named, schema);
    count--;
  }
  if (count > parameters.size()) {
    throw std::invalid_argument("it takes " + std::to_string(parameters.size()) + " arguments, got " + std::to_string(count));
  }
  torch::jit::Stack stack;
  stack.reserve(std::max(parameters.size(), schema.returns().size()));
  for (size_t i = 0; i < parameters.size(); i++) {
    const auto& parameter = parameters[i];
    napi_value value = i < count && !isUndefined(env, values[i]) ? values[i] : nullptr;
    if (named) {
      napi_value byName = nullptr;
      check(env, napi_get_named_property(env, named, parameter.name().c_str(), &byName));
      if (value && !isUndefined(env, byName)) {
        throw std::invalid_argument("argument " + std::to_string(i + 1) + " \"" + parameter.name() + "\" is given by position and by name");
      }
      if (!value && !isUndefined(env, byName)) value = byName;
    }
    if (value) {
      try {
        stack.push_back(toIValue(env, value, parameter.real_type(), parameter.N().value_or(0)));
        guardArgument(parameter, stack.back());
      } catch (const std::invalid_argument& error) {
        throw std::invalid_argument("argument " + std::to_string(i + 1) + " \"" + parameter.name() + "\": " + error.what());
      }
    } else if (auto fallback = parameter.default_value()) {
      stack.push_back(std::move(*fallback));
    } else {
      throw std::invalid_argument("argument " + std::to_string(i + 1) + " \"" + parameter.name() + "\" is missing");
    }
  }
  settleNegativeZeros(schema, stack);
  return stack;
}

static std::string failure(napi_env env, const std::string& reason, const c10::FunctionSchema& schema, const napi_value* values, size_t count) {
  std::string given;
  for (size_t i = 0; i < count; i++) given += (i ? ", " : "") + describe(env, values[i]);
  return schema.name() + ": " + reason + "\n  schema: " + schemaText(schema) + "\n  given: (" + given + ")";
}

// (index, ...arguments) -> result, array of results, or undefined for an operator that writes to its arguments
napi_value call(napi_env env, napi_callback_info info) noexcept {
  return guarded(env, [&]() -> napi_value {
    constexpr size_t most = 40;  // the longest schema of PyTorch 2.15 has 29 arguments
    napi_value values[most];
    size_t count = most;
    check(env, napi_get_cb_info(env, info, &count, values, nullptr, nullptr));
    if (count == 0 || count > most) throw std::invalid_argument("expected an operator's index and at most 39 arguments");
    Instance& self = instance(env);
    const int64_t index = toInt(env, values[0]);
    if (index < 0 || index >= static_cast<int64_t>(self.operators.size())) throw std::invalid_argument("unknown operator index");
    const Operator op = self.operators[index];  // a copy: getters of the arguments may find further operators
    const auto& schema = op.handle.schema();
    std::string reason;
    try {
      auto stack = buildStack(env, schema, values + 1, count - 1);
      if (op.fused) guardFused(schema, stack);
      op.handle.callBoxed(stack);
      if (op.returnsWritten || stack.empty()) return nullptr;
      if (stack.size() == 1 && stack[0].isTensor()) return fromTensor(env, std::move(stack[0]).toTensor());
      if (stack.size() == 1) return fromIValue(env, stack[0]);
      std::vector<napi_value> results;
      for (const auto& result : stack) results.push_back(fromIValue(env, result));
      return fromArray(env, results);
    } catch (const c10::Error& error) {
      reason = error.what_without_backtrace();
    } catch (const std::bad_alloc&) {
      reason = "out of memory";
    } catch (const std::exception& error) {
      reason = error.what();
    }
    bool pending = false;  // a getter of the caller's own object threw: let that error through
    check(env, napi_is_exception_pending(env, &pending));
    if (pending) return nullptr;
    throw std::runtime_error(failure(env, reason, schema, values + 1, count - 1));
  });
}

}  // namespace selfsight
