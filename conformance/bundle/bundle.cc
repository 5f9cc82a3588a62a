#include "conformance/bundle/bundle.h"

#include <openssl/evp.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <utility>

#include "base/file.h"
#include "conformance/expectations/expectations.h"
#include "conformance/report/report.h"

namespace assay::conformance {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFormat = "assay.dev/bundle/1";

std::string Sha256(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    std::array<char, 3> byte{};
    std::snprintf(byte.data(), byte.size(), "%02x", digest[i]);
    hex += byte.data();
  }
  return hex;
}

std::string Dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

// Of everything but the digest itself.
std::string DigestOf(Json bundle) {
  bundle.erase("sha256");
  return Sha256(Dump(bundle, -1));
}

Json Environment() {
  utsname names{};
  (void)uname(&names);
  std::string os;
  const std::string release = ReadFile("/etc/os-release").value_or("");
  if (const std::size_t at = release.find("PRETTY_NAME=\""); at != std::string::npos) {
    os = release.substr(at + 13, release.find('"', at + 13) - at - 13);
  }
  return {{"os", os},
          {"kernel", std::string(names.sysname) + " " + names.release},
          {"machine", std::string(names.machine)},
          {"cpus", std::thread::hardware_concurrency()}};
}

Json Logs(const std::filesystem::path& directory) {
  Json logs = Json::object();
  std::error_code error;
  std::set<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, error)) {
    if (entry.is_regular_file(error)) {
      files.insert(entry.path());
    }
  }
  for (const std::filesystem::path& file : files) {
    logs[file.lexically_relative(directory).string()] = ReadFile(file).value_or("");
  }
  return logs;
}

// What is compared of a case: how it ended, and why.
Status CompareCases(const std::vector<CaseResult>& results, const std::vector<CaseInfo>& cases,
                    const Profile& profile) {
  std::map<std::string, const CaseResult*> by_name;
  for (const CaseResult& each : results) {
    if (!by_name.emplace(each.FullName(), &each).second) {
      return InvalidArgumentError("the case " + each.FullName() + " is there twice");
    }
  }
  for (const CaseInfo& info : cases) {
    const auto found = by_name.find(info.FullName());
    if (found == by_name.end()) {
      return InvalidArgumentError("the case " + info.FullName() + " was left out");
    }
    if (found->second->rules != info.rules) {
      return InvalidArgumentError("the case " + info.FullName() + " decides other rules");
    }
    // Cases may find for themselves that they do not apply, but not in the name of a feature.
    const CaseResult& result = *found->second;
    const bool declared = info.feature.empty() || profile.Declares(info.feature);
    if (!declared && result.outcome != Outcome::kNotApplicable) {
      return InvalidArgumentError("the case " + info.FullName() + " was run, and " + info.feature +
                                  " is not declared");
    }
    if (declared && result.outcome == Outcome::kNotApplicable &&
        result.message == NotDeclared(info.feature)) {
      return InvalidArgumentError("the case " + info.FullName() + " was not run, and " +
                                  info.feature + " is declared");
    }
    by_name.erase(found);
  }
  return by_name.empty() ? OkStatus()
                         : InvalidArgumentError("there is no case " + by_name.begin()->first);
}

// The verdicts as they follow from the cases; an error where the report has others.
Result<RunResult> JudgeAgain(const Json& report, const RuleSet& rules,
                             const std::vector<CaseInfo>& cases, const Profile& profile,
                             const Expectations& expectations) {
  ASSAY_ASSIGN_OR_RETURN(RunResult result, ParseJsonReport(Dump(report, -1)));
  if (result.testee != profile.name || result.driver != profile.driver) {
    return InvalidArgumentError("the report is of another testee than the profile");
  }
  if (!result.filter.empty() || !result.shard.empty()) {
    return InvalidArgumentError("only a part was run (filter '" + result.filter + "', shard '" +
                                result.shard + "')");
  }
  ASSAY_RETURN_IF_ERROR(CompareCases(result.cases, cases, profile));
  std::set<std::string> names;
  for (const CaseInfo& info : cases) {
    names.insert(info.FullName());
  }
  std::vector<CaseResult> again = result.cases;
  for (CaseResult& each : again) {
    if (each.outcome == Outcome::kFailedAsExpected) {
      each.outcome = Outcome::kFailed;
    }
  }
  if (expectations.Apply(names, again) != result.broken_expectations) {
    return InvalidArgumentError("the expectations file says otherwise of what was expected");
  }
  for (std::size_t i = 0; i < again.size(); ++i) {
    if (again[i].outcome != result.cases[i].outcome) {
      return InvalidArgumentError("the expectations file does not expect the failure of " +
                                  again[i].FullName());
    }
  }
  const Conclusion stated = result.conclusion;
  result.rules = JudgeRules(rules, result.cases, RulesDecidedBy(cases));
  result.conclusion = Conclude(result);
  ASSAY_ASSIGN_OR_RETURN(const EarlierRun listed, ParseEarlierRun(Dump(report, -1)));
  for (const RuleVerdict& each : result.rules) {
    const auto found = listed.verdicts.find(each.rule->id);
    if (found == listed.verdicts.end() || found->second != VerdictName(each.verdict)) {
      return InvalidArgumentError(
          "from its cases " + each.rule->id + " is '" + std::string(VerdictName(each.verdict)) +
          "', and the report says '" + (found == listed.verdicts.end() ? "" : found->second) + "'");
    }
  }
  if (result.conclusion != stated) {
    return InvalidArgumentError(
        "from its rules the run is '" + std::string(ConclusionName(result.conclusion)) +
        "', and the report says '" + std::string(ConclusionName(stated)) + "'");
  }
  return result;
}

}  // namespace

Result<std::string> MakeBundle(const RuleSet& rules, const Profile& profile,
                               const RunResult& result, const BundleSources& sources) {
  ASSAY_ASSIGN_OR_RETURN(const std::string profile_text, ReadFile(profile.file));
  std::string expectations;
  if (!profile.expectations.empty()) {
    ASSAY_ASSIGN_OR_RETURN(expectations, ReadFile(profile.expectations));
  }
  ASSAY_ASSIGN_OR_RETURN(const std::string suite, ReadFile(sources.suite));
  const Result<std::string> driver = ReadFile(result.program);
  Json bundle = {
      {"format", kFormat},
      {"digests",
       {{"suite", Sha256(suite)},
        {"rules", Sha256(EmbeddedRulesText())},
        {"driver", driver.ok() ? Sha256(*driver) : ""}}},
      {"environment", Environment()},
      {"profile", {{"file", profile.file.filename().string()}, {"text", profile_text}}},
      {"expectations", {{"file", profile.expectations.string()}, {"text", expectations}}},
      {"report", Json::parse(JsonReport(rules, result))},
      {"logs", Logs(sources.logs)}};
  // As it will be read: with what is no text replaced.
  bundle = Json::parse(Dump(bundle, -1));
  bundle["sha256"] = DigestOf(bundle);
  return Dump(bundle, 2) + "\n";
}

Result<VerifiedBundle> VerifyBundle(std::string_view text, const RuleSet& rules,
                                    const std::vector<CaseInfo>& cases,
                                    std::string_view assay_version) {
  const Json bundle = Json::parse(text, nullptr, false);
  try {
    if (!bundle.is_object() || bundle.at("format") != kFormat) {
      return InvalidArgumentError("this is no bundle: expected the bundle.json of assay certify");
    }
    if (bundle.at("sha256") != DigestOf(bundle)) {
      return InvalidArgumentError("it was altered: its digest is another");
    }
    const Json& report = bundle.at("report");
    const std::string version = report.at("assay");
    if (version != assay_version ||
        bundle.at("digests").at("rules") != Sha256(EmbeddedRulesText())) {
      return FailedPreconditionError("assay " + version + " made it, with rule set " +
                                     std::string(report.at("ruleSet")) +
                                     ": it takes that version to judge it again");
    }
    const std::string profile_text = bundle.at("profile").at("text");
    const std::string profile_file = bundle.at("profile").at("file");
    ASSAY_ASSIGN_OR_RETURN(const Profile profile, ParseProfile(profile_text, profile_file, rules));
    Expectations expectations;
    if (!profile.expectations.empty()) {
      ASSAY_ASSIGN_OR_RETURN(expectations,
                             Expectations::Parse(std::string(bundle.at("expectations").at("text")),
                                                 bundle.at("expectations").at("file")));
    }
    VerifiedBundle verified;
    verified.started = report.at("started");
    ASSAY_ASSIGN_OR_RETURN(verified.result,
                           JudgeAgain(report, rules, cases, profile, expectations));
    return verified;
  } catch (const Json::exception& error) {
    return InvalidArgumentError("it is incomplete: " + std::string(error.what()));
  }
}

}  // namespace assay::conformance
