// Converts JavaScript values to C++ and back, one type at a time.
#include <cmath>
#include <sstream>

#include "selfsight.h"

namespace selfsight {

void throwStatus(napi_env env) {
  const napi_extended_error_info* detail = nullptr;
  napi_get_last_error_info(env, &detail);
  throw std::runtime_error(detail && detail->error_message ? detail->error_message : "N-API call failed");
}

static napi_valuetype typeOf(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  check(env, napi_typeof(env, value, &type));
  return type;
}

[[noreturn]] static void expected(napi_env env, const char* what, napi_value value) {
  throw std::invalid_argument(std::string("expected ") + what + ", got " + describe(env, value));
}

napi_value Arguments::operator[](size_t i) const {
  if (i >= values.size()) throw std::invalid_argument("argument " + std::to_string(i + 1) + " is missing");
  return values[i];
}

bool isNullish(napi_env env, napi_value value) {
  const auto type = typeOf(env, value);
  return type == napi_undefined || type == napi_null;
}

double toDouble(napi_env env, napi_value value) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok) expected(env, "a number", value);
  return number;
}

int64_t toInt(napi_env env, napi_value value) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok) expected(env, "an integer", value);
  if (!(std::fabs(number) <= 9007199254740992.0) || number != std::trunc(number)) expected(env, "an integer", value);
  return static_cast<int64_t>(number);
}

bool toBool(napi_env env, napi_value value) {
  bool flag = false;
  if (napi_get_value_bool(env, value, &flag) != napi_ok) expected(env, "true or false", value);
  return flag;
}

std::string toString(napi_env env, napi_value value) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) expected(env, "a string", value);
  std::string text(length, '\0');
  check(env, napi_get_value_string_utf8(env, value, text.data(), length + 1, &length));
  return text;
}

std::vector<napi_value> toArray(napi_env env, napi_value value) {
  bool isArray = false;
  check(env, napi_is_array(env, value, &isArray));
  if (!isArray) expected(env, "an array", value);
  uint32_t length = 0;
  check(env, napi_get_array_length(env, value, &length));
  std::vector<napi_value> elements;  // grows as it is read: a sparse array may claim four billion elements
  for (uint32_t i = 0; i < length; i++) {
    napi_value element;
    check(env, napi_get_element(env, value, i, &element));
    if (typeOf(env, element) == napi_undefined) expected(env, "an array without holes", element);
    elements.push_back(element);
  }
  return elements;
}

std::vector<int64_t> toIntArray(napi_env env, napi_value value) {
  std::vector<int64_t> result;
  for (napi_value element : toArray(env, value)) result.push_back(toInt(env, element));
  return result;
}

const at::Tensor& toTensor(napi_env env, napi_value value) {
  int64_t handle = 0;
  bool lossless = false;
  if (napi_get_value_bigint_int64(env, value, &handle, &lossless) != napi_ok) expected(env, "a tensor", value);
  if (!lossless) expected(env, "a tensor", value);
  return instance(env).tensors.at(handle);
}

std::vector<at::Tensor> toTensorArray(napi_env env, napi_value value) {
  std::vector<at::Tensor> result;
  for (napi_value element : toArray(env, value)) result.push_back(toTensor(env, element));
  return result;
}

napi_value fromDouble(napi_env env, double value) {
  napi_value result;
  check(env, napi_create_double(env, value, &result));
  return result;
}

napi_value fromBool(napi_env env, bool value) {
  napi_value result;
  check(env, napi_get_boolean(env, value, &result));
  return result;
}

napi_value fromString(napi_env env, const std::string& value) {
  napi_value result;
  check(env, napi_create_string_utf8(env, value.data(), value.size(), &result));
  return result;
}

napi_value fromArray(napi_env env, const std::vector<napi_value>& values) {
  napi_value result;
  check(env, napi_create_array_with_length(env, values.size(), &result));
  for (uint32_t i = 0; i < values.size(); i++) check(env, napi_set_element(env, result, i, values[i]));
  return result;
}

napi_value fromTensor(napi_env env, at::Tensor tensor) {
  napi_value result;
  if (!tensor.defined()) {
    check(env, napi_get_null(env, &result));
    return result;
  }
  Instance& self = instance(env);
  check(env, napi_create_bigint_int64(env, self.tensors.insert(std::move(tensor)), &result));
  reportMemory(env, self);
  return result;
}

std::string describe(const at::Tensor& tensor) {
  std::ostringstream text;
  text << dtypeName(tensor.scalar_type()) << tensor.sizes();
  if (!tensor.device().is_cpu()) text << " on " << tensor.device().str();
  return text.str();
}

std::string describe(napi_env env, napi_value value) {
  switch (typeOf(env, value)) {
    case napi_undefined: return "undefined";
    case napi_null: return "null";
    case napi_boolean: return toBool(env, value) ? "true" : "false";
    case napi_number: {
      std::ostringstream text;
      text.precision(17);
      text << toDouble(env, value);
      return text.str();
    }
    case napi_string: {
      const std::string text = toString(env, value);
      return "\"" + (text.size() > 60 ? text.substr(0, 60) + "..." : text) + "\"";
    }
    case napi_bigint: {
      int64_t handle = 0;
      bool lossless = false;  // not by toTensor: its error calls describe
      check(env, napi_get_value_bigint_int64(env, value, &handle, &lossless));
      try {
        return lossless ? describe(instance(env).tensors.at(handle)) : "a bigint";
      } catch (const std::exception&) {
        return "a disposed tensor";
      }
    }
    case napi_function: return "a function";
    case napi_symbol: return "a symbol";
    default: break;
  }
  bool isArray = false;
  check(env, napi_is_array(env, value, &isArray));
  if (!isArray) return "an object";
  uint32_t length = 0;
  check(env, napi_get_array_length(env, value, &length));
  std::string text = "[";
  for (uint32_t i = 0; i < length && i < 8; i++) {
    napi_value element;
    check(env, napi_get_element(env, value, i, &element));
    bool nested = false;
    check(env, napi_is_array(env, element, &nested));  // an array may contain itself: describe one level
    text += (i ? ", " : "") + (nested ? std::string("[...]") : describe(env, element));
  }
  return text + (length > 8 ? ", ... " + std::to_string(length) + " in all]" : "]");
}

}  // namespace selfsight
