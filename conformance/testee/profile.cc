#include "conformance/testee/profile.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>

#include "base/file.h"
#include "base/yaml/yaml.h"

namespace assay::conformance {
namespace {

constexpr std::array<std::pair<std::string_view, Hook>, 7> kHooks = {{
    {"list", Hook::kList},
    {"plug", Hook::kPlug},
    {"unplug", Hook::kUnplug},
    {"fail", Hook::kFail},
    {"degrade", Hook::kDegrade},
    {"heal", Hook::kHeal},
    {"stall", Hook::kStall},
}};

// The name in "${name}" at the start of `text`; empty if there is none.
std::string_view VariableAt(std::string_view text) {
  if (!text.starts_with("${")) {
    return {};
  }
  const std::size_t end = text.find('}');
  return end == std::string_view::npos ? std::string_view() : text.substr(2, end - 2);
}

bool IsDnsSubdomain(std::string_view name) {
  const auto is_alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= 63 && is_alphanumeric(name.front()) &&
         is_alphanumeric(name.back()) && std::ranges::all_of(name, [&](char c) {
           return is_alphanumeric(c) || c == '-' || c == '.';
         });
}

class ProfileParser {
 public:
  ProfileParser(const std::filesystem::path& file, const RuleSet& rules) : rules_(rules) {
    profile_.file = std::filesystem::absolute(file).lexically_normal();
  }

  Result<Profile> Parse(const yaml::Node& root) {
    ASSAY_RETURN_IF_ERROR(
        root.CheckKeys({"name", "driver", "start", "stop", "parallel", "draVersions", "features",
                        "files", "claims", "devices", "hooks", "access", "expectations"}));
    ASSAY_ASSIGN_OR_RETURN(profile_.name, root.GetString("name"));
    ASSAY_ASSIGN_OR_RETURN(profile_.driver, root.GetString("driver"));
    if (!IsDnsSubdomain(profile_.driver)) {
      return root.Find("driver")->Error(
          "expected a DNS subdomain of at most 63 characters, such as gpu.example.com");
    }
    ASSAY_ASSIGN_OR_RETURN(const yaml::Node* start, root.Require("start"));
    ASSAY_RETURN_IF_ERROR(ParseStart(*start));
    if (const yaml::Node* stop = root.Find("stop"); stop != nullptr) {
      ASSAY_RETURN_IF_ERROR(stop->CheckKeys({"timeout"}));
      ASSAY_ASSIGN_OR_RETURN(profile_.stop_timeout,
                             PositiveDuration(*stop, "timeout", profile_.stop_timeout));
    }
    ASSAY_ASSIGN_OR_RETURN(profile_.parallel, root.GetBoolOr("parallel", profile_.parallel));
    ASSAY_RETURN_IF_ERROR(ParseDeclarations(root));
    if (const yaml::Node* files = root.Find("files"); files != nullptr) {
      ASSAY_RETURN_IF_ERROR(ParseFiles(*files));
    }
    if (const yaml::Node* claims = root.Find("claims"); claims != nullptr) {
      ASSAY_RETURN_IF_ERROR(ParseClaims(*claims));
    }
    if (const yaml::Node* devices = root.Find("devices"); devices != nullptr) {
      ASSAY_RETURN_IF_ERROR(devices->CheckKeys({"fakegpu", "key"}));
      ASSAY_ASSIGN_OR_RETURN(profile_.device_key, devices->GetStringOr("key", ""));
      ASSAY_ASSIGN_OR_RETURN(profile_.fakegpu, Text(*devices, "fakegpu", ""));
    }
    if (const yaml::Node* hooks = root.Find("hooks"); hooks != nullptr) {
      ASSAY_RETURN_IF_ERROR(ParseHooks(*hooks));
    }
    if (const yaml::Node* access = root.Find("access"); access != nullptr) {
      ASSAY_RETURN_IF_ERROR(ParseAccess(*access));
    }
    ASSAY_ASSIGN_OR_RETURN(const std::string expectations, root.GetStringOr("expectations", ""));
    if (!expectations.empty()) {
      profile_.expectations = profile_.file.parent_path() / expectations;
    }
    return std::move(profile_);
  }

 private:
  Status ParseStart(const yaml::Node& node) {
    ASSAY_RETURN_IF_ERROR(node.CheckKeys({"command", "env", "directories", "ready"}));
    ASSAY_ASSIGN_OR_RETURN(const yaml::Node* command, node.Require("command"));
    ASSAY_ASSIGN_OR_RETURN(profile_.start, Texts(*command));
    if (profile_.start.empty()) {
      return command->Error("expected the program and its arguments");
    }
    if (const yaml::Node* env = node.Find("env"); env != nullptr) {
      if (!env->IsMapping()) {
        return env->Error("expected a mapping from name to value");
      }
      for (const auto& [key, value] : env->entries()) {
        ASSAY_ASSIGN_OR_RETURN(profile_.env[key], Text(value));
      }
    }
    if (const yaml::Node* directories = node.Find("directories"); directories != nullptr) {
      ASSAY_ASSIGN_OR_RETURN(profile_.directories, Texts(*directories));
    }
    ASSAY_ASSIGN_OR_RETURN(profile_.ready_timeout,
                           PositiveDuration(node, "ready", profile_.ready_timeout));
    return OkStatus();
  }

  Status ParseDeclarations(const yaml::Node& root) {
    if (const yaml::Node* versions = root.Find("draVersions"); versions != nullptr) {
      ASSAY_ASSIGN_OR_RETURN(profile_.dra_versions, versions->AsStrings());
      const auto known = [](const std::string& version) {
        return version == "v1" || version == "v1beta1";
      };
      if (profile_.dra_versions.empty() || !std::ranges::all_of(profile_.dra_versions, known)) {
        return versions->Error("expected v1, v1beta1 or both");
      }
    }
    if (const yaml::Node* features = root.Find("features"); features != nullptr) {
      if (!features->IsSequence()) {
        return features->Error("expected a list of features");
      }
      for (const yaml::Node& item : features->items()) {
        ASSAY_ASSIGN_OR_RETURN(std::string name, item.AsString());
        if (rules_.FindFeature(name) == nullptr) {
          std::string known;
          for (const Feature& feature : rules_.features()) {
            known += (known.empty() ? "" : ", ") + feature.name;
          }
          return item.Error("'" + name + "' is no feature; expected one of " + known);
        }
        if (!profile_.features.insert(std::move(name)).second) {
          return item.Error("is listed twice");
        }
      }
    }
    return OkStatus();
  }

  Status ParseFiles(const yaml::Node& node) {
    ASSAY_RETURN_IF_ERROR(node.CheckKeys({"data", "state", "staticCdi"}));
    ASSAY_ASSIGN_OR_RETURN(profile_.data_directory, Text(node, "data", profile_.data_directory));
    if (const yaml::Node* state = node.Find("state"); state != nullptr) {
      ASSAY_ASSIGN_OR_RETURN(profile_.state_files, Texts(*state));
    }
    ASSAY_ASSIGN_OR_RETURN(profile_.static_cdi_files, node.GetStringsOr("staticCdi", {}));
    return OkStatus();
  }

  Status ParseClaims(const yaml::Node& node) {
    ASSAY_RETURN_IF_ERROR(node.CheckKeys({"selector", "config", "badConfigs"}));
    ASSAY_ASSIGN_OR_RETURN(profile_.selector, node.GetStringOr("selector", ""));
    if (const yaml::Node* config = node.Find("config"); config != nullptr) {
      ASSAY_ASSIGN_OR_RETURN(profile_.config, Parameters(*config));
    }
    if (const yaml::Node* configs = node.Find("badConfigs"); configs != nullptr) {
      if (!configs->IsMapping()) {
        return configs->Error("expected a mapping from a name to parameters");
      }
      for (const auto& [name, config] : configs->entries()) {
        ASSAY_ASSIGN_OR_RETURN(profile_.bad_configs[name], Parameters(config));
      }
    }
    return OkStatus();
  }

  Status ParseHooks(const yaml::Node& node) {
    ASSAY_RETURN_IF_ERROR(
        node.CheckKeys({"list", "plug", "unplug", "fail", "degrade", "heal", "stall"}));
    for (const auto& [name, value] : node.entries()) {
      ASSAY_RETURN_IF_ERROR(value.CheckKeys({"command", "timeout"}));
      ASSAY_ASSIGN_OR_RETURN(const yaml::Node* argv, value.Require("command"));
      Command command;
      in_hook_ = true;
      ASSAY_ASSIGN_OR_RETURN(command.argv, Texts(*argv));
      in_hook_ = false;
      if (command.argv.empty()) {
        return argv->Error("expected the program and its arguments");
      }
      ASSAY_ASSIGN_OR_RETURN(command.timeout, PositiveDuration(value, "timeout", command.timeout));
      const auto* hook = std::ranges::find(kHooks, name, &std::pair<std::string_view, Hook>::first);
      profile_.hooks[hook->second] = std::move(command);
    }
    return OkStatus();
  }

  Status ParseAccess(const yaml::Node& node) {
    ASSAY_RETURN_IF_ERROR(node.CheckKeys({"serviceAccount", "manifests", "clusterRoles"}));
    ASSAY_ASSIGN_OR_RETURN(const std::string account, node.GetString("serviceAccount"));
    const std::size_t slash = account.find('/');
    Profile::Access& access = profile_.access.emplace();
    access.namespace_ = account.substr(0, slash);
    access.name = slash == std::string::npos ? "" : account.substr(slash + 1);
    if (!IsDnsSubdomain(access.namespace_) || !IsDnsSubdomain(access.name)) {
      return node.Find("serviceAccount")
          ->Error("expected the namespace and name of a service account, such as default/driver");
    }
    ASSAY_ASSIGN_OR_RETURN(const auto manifests, node.GetStringsOr("manifests", {}));
    for (const std::string& manifest : manifests) {
      access.manifests.push_back((profile_.file.parent_path() / manifest).lexically_normal());
    }
    ASSAY_ASSIGN_OR_RETURN(access.cluster_roles, node.GetStringsOr("clusterRoles", {}));
    return OkStatus();
  }

  static Result<std::string> Parameters(const yaml::Node& node) {
    if (!node.IsMapping()) {
      return node.Error("expected the parameters as a mapping");
    }
    return yaml::ToJson(node);
  }

  static Result<Duration> PositiveDuration(const yaml::Node& node, std::string_view key,
                                           Duration fallback) {
    ASSAY_ASSIGN_OR_RETURN(const Duration duration, node.GetDurationOr(key, fallback));
    if (duration <= Duration::zero() || duration > std::chrono::hours(1)) {
      return node.Find(key)->Error("expected a duration of more than nothing and at most 1h");
    }
    return duration;
  }

  // A string whose ${...} are all known.
  Result<std::string> Text(const yaml::Node& node) const {
    ASSAY_ASSIGN_OR_RETURN(std::string text, node.AsString());
    for (std::size_t at = text.find("${"); at != std::string::npos; at = text.find("${", at + 2)) {
      const std::string_view name = VariableAt(std::string_view(text).substr(at));
      if (!IsKnown(name)) {
        std::string known = "${env:NAME}";
        for (const auto& [variable, meaning] : kVariables) {
          known.append(", ${").append(variable).append("}");
        }
        return node.Error("'" + text.substr(at, name.size() + 3) + "': expected one of " + known +
                          (in_hook_ ? ", ${DEVICE}" : ""));
      }
    }
    return text;
  }

  Result<std::string> Text(const yaml::Node& node, std::string_view key,
                           std::string fallback) const {
    const yaml::Node* child = node.Find(key);
    return child == nullptr ? Result<std::string>(std::move(fallback)) : Text(*child);
  }

  Result<std::vector<std::string>> Texts(const yaml::Node& node) const {
    if (!node.IsSequence()) {
      return node.Error("expected a list of strings");
    }
    std::vector<std::string> texts;
    for (const yaml::Node& item : node.items()) {
      ASSAY_ASSIGN_OR_RETURN(std::string text, Text(item));
      texts.push_back(std::move(text));
    }
    return texts;
  }

  bool IsKnown(std::string_view name) const {
    return (name.starts_with("env:") && name.size() > 4) || (in_hook_ && name == "DEVICE") ||
           std::ranges::any_of(kVariables, [&](const auto& each) { return each.first == name; });
  }

  const RuleSet& rules_;
  Profile profile_;
  bool in_hook_ = false;  // ${DEVICE} is known.
};

}  // namespace

std::string_view HookName(Hook hook) {
  return std::ranges::find(kHooks, hook, &std::pair<std::string_view, Hook>::second)->first;
}

Result<Profile> ParseProfile(std::string_view text, const std::filesystem::path& file,
                             const RuleSet& rules) {
  ASSAY_ASSIGN_OR_RETURN(const yaml::Node root, yaml::Parse(text, file.string()));
  return ProfileParser(file, rules).Parse(root);
}

Result<Profile> LoadProfile(const std::filesystem::path& file, const RuleSet& rules) {
  ASSAY_ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
  return ParseProfile(text, file, rules);
}

Result<std::string> Expand(std::string_view text, const Variables& variables) {
  std::string expanded;
  while (!text.empty()) {
    const std::size_t at = text.find("${");
    expanded.append(text.substr(0, at));
    if (at == std::string_view::npos) {
      break;
    }
    text.remove_prefix(at);
    const std::string_view name = VariableAt(text);
    if (name.starts_with("env:")) {
      const std::string variable(name.substr(4));
      const char* value = std::getenv(variable.c_str());
      if (value == nullptr) {
        return FailedPreconditionError("the environment variable " + variable + " is not set");
      }
      expanded.append(value);
    } else {
      const auto value = variables.find(name);
      if (value == variables.end()) {
        return InvalidArgumentError("${" + std::string(name) + "} has no value here");
      }
      expanded.append(value->second);
    }
    text.remove_prefix(name.size() + 3);
  }
  return expanded;
}

Result<std::vector<std::string>> Expand(const std::vector<std::string>& texts,
                                        const Variables& variables) {
  std::vector<std::string> expanded;
  for (const std::string& text : texts) {
    ASSAY_ASSIGN_OR_RETURN(std::string each, Expand(text, variables));
    expanded.push_back(std::move(each));
  }
  return expanded;
}

}  // namespace assay::conformance
