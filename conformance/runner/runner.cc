#include "conformance/runner/runner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <ostream>
#include <set>
#include <utility>

#include "base/file.h"
#include "conformance/expectations/expectations.h"
#include "conformance/lab/lab.h"
#include "conformance/runner/case.h"
#include "conformance/runner/registry.h"

namespace assay::conformance {
namespace {

constexpr std::size_t kMaxDetailsBytes = 16'384;

std::string_view Word(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPassed:
      return "pass";
    case Outcome::kFailed:
      return "FAIL";
    case Outcome::kFailedAsExpected:
      return "fail, as expected";
    case Outcome::kNotApplicable:
      return "n/a";
    case Outcome::kNotDecidable:
      return "undecidable";
    case Outcome::kHarnessError:
      return "HARNESS ERROR";
  }
  return "?";
}

// Shows where the run is.
class Progress {
 public:
  Progress(std::ostream* out, bool terminal) : out_(out), terminal_(terminal) {}

  void Begin(const CaseInfo& info, int number, int total) {
    if (out_ != nullptr && terminal_) {
      *out_ << "\r\033[K[" << number << "/" << total << "] " << info.FullName() << std::flush;
    }
  }

  void End(const CaseResult& result, int number, int total) {
    if (out_ == nullptr) {
      return;
    }
    const bool worth_a_line =
        result.outcome == Outcome::kFailed || result.outcome == Outcome::kHarnessError;
    if (terminal_ && !worth_a_line) {
      return;
    }
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(result.elapsed).count();
    *out_ << (terminal_ ? "\r\033[K" : "") << "[" << number << "/" << total << "] "
          << Word(result.outcome) << " " << result.FullName() << " (" << Join(result.rules) << "; "
          << ms << " ms)";
    if (!result.message.empty()) {
      *out_ << ": " << result.message;
    }
    *out_ << "\n" << std::flush;
  }

  void Done() {
    if (out_ != nullptr && terminal_) {
      *out_ << "\r\033[K" << std::flush;
    }
  }

 private:
  std::ostream* out_;
  bool terminal_;
};

// GoogleTest's view of a case, made into a CaseResult.
class Recorder : public ::testing::EmptyTestEventListener {
 public:
  Recorder(const std::vector<CaseInfo>& cases, Lab& lab, const RunOptions& options,
           const std::set<std::string>& expected)
      : cases_(cases),
        lab_(lab),
        options_(options),
        expected_(expected),
        progress_(options.progress, options.terminal) {}

  void OnTestIterationStart(const ::testing::UnitTest& unit_test, int) override {
    total_ = unit_test.test_to_run_count();
  }

  void OnTestStart(const ::testing::TestInfo& test) override {
    const std::string name = std::string(test.test_suite_name()) + "." + test.name();
    const auto info = std::ranges::find(cases_, name, &CaseInfo::FullName);
    interrupted_ = interrupted_ || (options_.interrupted && options_.interrupted());
    internal::CurrentCase() = {.lab = &lab_, .info = &*info, .interrupted = interrupted_};
    failures_.clear();
    begin_ = Clock::Real().Monotonic();
    progress_.Begin(*info, ++number_, total_);
  }

  void OnTestPartResult(const ::testing::TestPartResult& part) override {
    if (part.failed()) {
      std::string message = part.message();
      while (message.ends_with('\n')) {
        message.pop_back();
      }
      failures_.push_back({part.file_name() == nullptr ? "" : part.file_name(), part.line_number(),
                           std::move(message)});
    }
  }

  void OnTestEnd(const ::testing::TestInfo&) override {
    const internal::CaseContext& context = internal::CurrentCase();
    CaseResult result;
    result.suite = context.info->suite;
    result.name = context.info->name;
    result.rules = context.info->rules;
    result.file = context.info->file;
    result.line = context.info->line;
    result.elapsed = Clock::Real().Monotonic() - begin_;
    if (!failures_.empty()) {
      result.outcome = Outcome::kFailed;
      result.message = failures_.front().message;
      result.line = failures_.front().line > 0 ? failures_.front().line : result.line;
      for (std::size_t i = 1; i < failures_.size(); ++i) {
        result.details += "also: " + failures_[i].message + "\n";
      }
    } else if (context.outcome) {
      result.outcome = *context.outcome;
      result.message = context.message;
    }
    if (result.outcome == Outcome::kFailed && !context.output.empty()) {
      std::string output = context.output;
      if (output.size() > kMaxDetailsBytes) {
        output.erase(0, output.size() - kMaxDetailsBytes);
      }
      result.details += "the driver wrote:\n" + output;
    }
    CaseResult shown = result;
    if (shown.outcome == Outcome::kFailed && expected_.contains(shown.FullName())) {
      shown.outcome = Outcome::kFailedAsExpected;
    }
    progress_.End(shown, number_, total_);
    results_.push_back(std::move(result));
  }

  void OnTestProgramEnd(const ::testing::UnitTest&) override { progress_.Done(); }

  std::vector<CaseResult> TakeResults() { return std::move(results_); }
  bool interrupted() const { return interrupted_; }

 private:
  struct Failure {
    std::string file;
    int line;
    std::string message;
  };

  const std::vector<CaseInfo>& cases_;
  Lab& lab_;
  const RunOptions& options_;
  const std::set<std::string>& expected_;
  Progress progress_;
  std::vector<Failure> failures_;
  std::vector<CaseResult> results_;
  MonotonicTime begin_{};
  int number_ = 0;
  int total_ = 0;
  bool interrupted_ = false;
};

// GoogleTest with our listener in the place of its printer.
void RunAll(Recorder* recorder, const std::string& filter) {
  // GoogleTest takes its own flags from here; ours are set below.
  int argc = 1;
  char name[] = "assay";
  char* argv[] = {name, nullptr};
  ::testing::InitGoogleTest(&argc, argv);
  ::testing::GTEST_FLAG(filter) = filter;
  ::testing::GTEST_FLAG(catch_exceptions) = true;
  ::testing::TestEventListeners& listeners = ::testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());
  listeners.Append(recorder);
  // The verdict is ours, not GoogleTest's.
  [[maybe_unused]] const int failed = RUN_ALL_TESTS();
  listeners.Release(recorder);
}

std::set<std::string> Names(const std::vector<CaseInfo>& cases) {
  std::set<std::string> names;
  for (const CaseInfo& each : cases) {
    names.insert(each.FullName());
  }
  return names;
}

}  // namespace

Result<RunResult> RunCertification(const RuleSet& rules, const RunOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(const std::vector<CaseInfo> cases, AllCases(rules));
  ASSAY_ASSIGN_OR_RETURN(const std::string filter, SelectCases(cases, options.filter));
  Expectations expectations;
  if (!options.profile.expectations.empty()) {
    ASSAY_ASSIGN_OR_RETURN(expectations, Expectations::ParseFile(options.profile.expectations));
  }
  std::set<std::string> expected;
  for (const Expectation& entry : expectations.entries()) {
    expected.insert(entry.case_name);
  }

  RunResult result;
  result.testee = options.profile.name;
  result.driver = options.profile.driver;
  result.assay_version = options.assay_version;
  result.filter = options.filter;
  result.started = Clock::Real().Now();
  const MonotonicTime begin = Clock::Real().Monotonic();
  ASSAY_ASSIGN_OR_RETURN(const std::unique_ptr<Lab> lab,
                         Lab::Open({.profile = options.profile,
                                    .spawner = options.spawner,
                                    .log_directory = options.log_directory,
                                    .bin_directory = options.bin_directory}));
  // A program that cannot be executed at all is no verdict on a driver.
  if (const Result<Driver*> started = lab->EnsureDriver(); !started.ok()) {
    if (started.status().code() == StatusCode::kNotFound ||
        started.status().code() == StatusCode::kPermissionDenied ||
        started.status().code() == StatusCode::kFailedPrecondition) {
      return started.status();
    }
    result.trouble.push_back("the driver did not become ready: " + started.status().message());
  }

  Recorder recorder(cases, *lab, options, expected);
  RunAll(&recorder, filter);
  result.cases = recorder.TakeResults();
  if (recorder.interrupted()) {
    result.trouble.emplace_back("the run was interrupted");
  }
  result.broken_expectations = expectations.Apply(Names(cases), result.cases);
  result.elapsed = Clock::Real().Monotonic() - begin;
  result.rules = JudgeRules(rules, result.cases, RulesDecidedBy(cases));
  result.conclusion = Conclude(result);
  return result;
}

}  // namespace assay::conformance
