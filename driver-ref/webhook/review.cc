#include "driver-ref/webhook/review.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "driver-ref/prepare/gpu_config.h"

namespace assay::driver_ref::webhook {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kReviewVersion = "admission.k8s.io/v1";
constexpr std::string_view kReview = "AdmissionReview";

// Where in an object of that resource its claim's spec is; empty for other resources.
std::string SpecPath(const Json& resource) {
  if (resource.value("group", "") != "resource.k8s.io") {
    return "";
  }
  const std::string name = resource.value("resource", "");
  return name == "resourceclaims" ? "/spec" : name == "resourceclaimtemplates" ? "/spec/spec" : "";
}

// What is wrong with the parameters for this driver; empty: nothing. `configs` is of any version of
// the API: they are alike here.
std::string Problems(const Json& configs, const std::string& path, const std::string& driver_name) {
  std::string problems;
  for (std::size_t i = 0; i < configs.size(); ++i) {
    const Json& config = configs[i];
    if (!config.contains("opaque") || config["opaque"].value("driver", "") != driver_name) {
      continue;
    }
    const Json parameters = config["opaque"].value("parameters", Json());
    const Status status = prepare::ParseDeviceConfig(parameters.dump()).status();
    if (!status.ok()) {
      problems += (problems.empty() ? "" : "; ") + path + "[" + std::to_string(i) +
                  "].opaque.parameters: " + status.message();
    }
  }
  return problems;
}

std::string WithDots(std::string pointer) {
  for (char& c : pointer) {
    c = c == '/' ? '.' : c;
  }
  return pointer.substr(1);
}

Result<std::string> Answer(const Json& review, const std::string& driver_name) {
  if (review.value("apiVersion", "") != kReviewVersion || review.value("kind", "") != kReview) {
    return InvalidArgumentError("expected an " + std::string(kReview) + " of " +
                                std::string(kReviewVersion));
  }
  const Json& request = review.at("request");
  const std::string spec = SpecPath(request.at("resource"));
  if (spec.empty()) {
    return InvalidArgumentError("request.resource: expected resourceclaims or " +
                                std::string("resourceclaimtemplates of resource.k8s.io, not ") +
                                request.at("resource").dump());
  }
  const std::string path = spec + "/devices/config";
  const Json configs = request.at("object").value(Json::json_pointer(path), Json(Json::array()));
  const std::string problems = Problems(configs, WithDots(path), driver_name);
  Json response = {{"uid", request.at("uid")}, {"allowed", problems.empty()}};
  if (!problems.empty()) {
    response["status"] = {
        {"status", "Failure"}, {"message", problems}, {"reason", "Invalid"}, {"code", 422}};
  }
  return Json{{"apiVersion", kReviewVersion}, {"kind", kReview}, {"response", response}}.dump() +
         "\n";
}

}  // namespace

Result<std::string> Review(const std::string& body, const std::string& driver_name) {
  try {
    return Answer(Json::parse(body), driver_name);
  } catch (const Json::exception& error) {
    return InvalidArgumentError(error.what());
  }
}

}  // namespace assay::driver_ref::webhook
