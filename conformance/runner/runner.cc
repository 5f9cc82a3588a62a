#include "conformance/runner/runner.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <ostream>
#include <set>
#include <string_view>
#include <thread>
#include <utility>

#include "base/temp_dir.h"
#include "conformance/expectations/expectations.h"
#include "conformance/runner/case.h"
#include "conformance/runner/worker.h"

namespace assay::conformance {
namespace {

// A lab and a driver's start are not worth it for fewer.
constexpr std::size_t kCasesPerWorker = 8;
// Cases wait for their driver most of the time.
constexpr unsigned kWorkersPerCore = 2;
constexpr unsigned kMaxWorkers = 8;
// Workers that are started in the place of those that died.
constexpr int kMaxReplacements = 5;

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

// The workers of a run, and what became of its cases.
class Workers {
 public:
  Workers(const RunOptions& options, const std::vector<CaseInfo>& cases,
          const std::set<std::string>& expected, CaseQueue queue, TempDir root)
      : options_(options),
        cases_(cases),
        expected_(expected),
        queue_(std::move(queue)),
        root_(std::move(root)),
        results_(cases.size()),
        progress_(options.progress, options.terminal) {}

  // An error if no case can be run at all.
  Status Run() {
    const std::size_t jobs = Jobs();
    for (std::size_t i = 0; i < jobs; ++i) {
      ASSAY_RETURN_IF_ERROR(StartOne());
    }
    while (!workers_.empty()) {
      WaitForNews();
      for (std::size_t i = 0; i < workers_.size();) {
        if ((polled_[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0 || ReadFrom(workers_[i])) {
          ++i;
          continue;
        }
        const bool died = Bury(workers_[i]);
        workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(i));
        polled_.erase(polled_.begin() + static_cast<std::ptrdiff_t>(i));
        if (died && !AllEnded() && !queue_.stopped() && replacements_++ < kMaxReplacements) {
          ASSAY_RETURN_IF_ERROR(StartOne());
          polled_.push_back({});
        }
      }
    }
    progress_.Done();
    return cannot_start_;
  }

  // Of the cases that ran, in the order of the cases.
  std::vector<CaseResult> TakeResults() {
    std::vector<CaseResult> results;
    for (std::optional<CaseResult>& each : results_) {
      if (each) {
        results.push_back(*std::move(each));
      }
    }
    return results;
  }

  const std::string& program() const { return program_; }
  std::vector<DeviceSummary> TakeDevices() { return std::move(devices_); }

  std::vector<std::string> TakeTrouble() const {
    std::vector<std::string> trouble(trouble_.begin(), trouble_.end());
    if (!AllEnded()) {
      trouble.push_back(std::to_string(cases_.size() - static_cast<std::size_t>(ended_)) + " of " +
                        std::to_string(cases_.size()) + " cases did not run");
    }
    return trouble;
  }

 private:
  std::size_t Jobs() const {
    const unsigned by_cores =
        std::clamp(kWorkersPerCore * std::thread::hardware_concurrency(), 1U, kMaxWorkers);
    const std::size_t jobs = !options_.profile.parallel ? 1
                             : options_.jobs > 0        ? static_cast<std::size_t>(options_.jobs)
                                                        : by_cores;
    return std::min(jobs, (cases_.size() + kCasesPerWorker - 1) / kCasesPerWorker);
  }

  Status StartOne() {
    ++started_;
    ASSAY_ASSIGN_OR_RETURN(
        Worker worker,
        Worker::Start({.cases = &cases_,
                       .queue = &queue_,
                       .profile = options_.profile,
                       .root = root_ / std::to_string(started_),
                       .bin_directory = options_.bin_directory,
                       .log_directory = options_.log_directory.empty()
                                            ? std::filesystem::path()
                                            : options_.log_directory / std::to_string(started_),
                       .interrupted = options_.interrupted}));
    workers_.push_back(std::move(worker));
    return OkStatus();
  }

  // Returns when a worker has something to tell, or a signal came.
  void WaitForNews() {
    polled_.clear();
    for (const Worker& worker : workers_) {
      polled_.push_back({.fd = worker.fd(), .events = POLLIN, .revents = 0});
    }
    (void)poll(polled_.data(), polled_.size(), -1);
    if (options_.interrupted && options_.interrupted()) {
      trouble_.insert("the run was interrupted");
      queue_.Stop();
    }
  }

  // False at the worker's end.
  bool ReadFrom(Worker& worker) {
    std::vector<WorkerMessage> messages;
    const bool more = worker.Read(&messages);
    for (WorkerMessage& message : messages) {
      switch (message.kind) {
        case WorkerMessage::Kind::kBegan:
          progress_.Begin(cases_[message.index], ++begun_, static_cast<int>(cases_.size()));
          break;
        case WorkerMessage::Kind::kEnded:
          End(message.index, std::move(message.result));
          break;
        case WorkerMessage::Kind::kDriver:
          if (program_.empty()) {
            program_ = std::move(message.program);
            devices_ = std::move(message.devices);
          }
          break;
        case WorkerMessage::Kind::kTrouble:
          trouble_.insert(message.status.message());
          break;
        case WorkerMessage::Kind::kCannotStart:
          if (cannot_start_.ok()) {
            cannot_start_ = message.status;
          }
          queue_.Stop();
          break;
      }
    }
    return more;
  }

  bool AllEnded() const { return ended_ == static_cast<int>(cases_.size()); }

  void End(std::size_t index, CaseResult result) {
    const CaseInfo& info = cases_[index];
    result.suite = info.suite;
    result.name = info.name;
    result.rules = info.rules;
    result.file = info.file;
    CaseResult shown = result;
    if (shown.outcome == Outcome::kFailed && expected_.contains(shown.FullName())) {
      shown.outcome = Outcome::kFailedAsExpected;
    }
    progress_.End(shown, ++ended_, static_cast<int>(cases_.size()));
    results_[index] = std::move(result);
  }

  // What a worker leaves that has ended; whether it died.
  bool Bury(Worker& worker) {
    const std::optional<std::string> failure = worker.Failure();
    if (!failure) {
      return false;
    }
    if (const std::optional<std::size_t> index = worker.running()) {
      End(*index, {.outcome = Outcome::kHarnessError,
                   .message = "the harness itself ended in this case: it " + *failure,
                   .line = cases_[*index].line});
    } else {
      trouble_.insert("the harness itself ended between cases: it " + *failure);
    }
    return true;
  }

  const RunOptions& options_;
  const std::vector<CaseInfo>& cases_;
  const std::set<std::string>& expected_;
  CaseQueue queue_;
  TempDir root_;  // What dead workers leave goes with it.
  std::vector<std::optional<CaseResult>> results_;
  Progress progress_;
  std::vector<Worker> workers_;
  std::vector<pollfd> polled_;  // As workers_.
  std::string program_;
  std::vector<DeviceSummary> devices_;
  std::set<std::string> trouble_;
  Status cannot_start_;
  int started_ = 0;
  int replacements_ = 0;
  int begun_ = 0;
  int ended_ = 0;
};

std::set<std::string> Names(const std::vector<CaseInfo>& cases) {
  std::set<std::string> names;
  for (const CaseInfo& each : cases) {
    names.insert(each.FullName());
  }
  return names;
}

}  // namespace

Result<RunResult> RunCertification(const RuleSet& rules, const RunOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(const std::vector<CaseInfo> all, AllCases(rules));
  ASSAY_ASSIGN_OR_RETURN(std::vector<CaseInfo> cases, SelectCases(all, options.filter));
  ASSAY_ASSIGN_OR_RETURN(cases, CasesOfShard(cases, options.shard));
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
  if (options.shard.count > 1) {
    result.shard = std::to_string(options.shard.index) + "/" + std::to_string(options.shard.count);
  }
  result.started = Clock::Real().Now();
  const MonotonicTime begin = Clock::Real().Monotonic();
  ASSAY_ASSIGN_OR_RETURN(CaseQueue queue, CaseQueue::Create(cases.size()));
  ASSAY_ASSIGN_OR_RETURN(TempDir root, TempDir::Create());
  Workers workers(options, cases, expected, std::move(queue), std::move(root));
  ASSAY_RETURN_IF_ERROR(workers.Run());
  result.cases = workers.TakeResults();
  result.program = workers.program();
  result.devices = workers.TakeDevices();
  result.trouble = workers.TakeTrouble();
  result.broken_expectations = expectations.Apply(Names(all), result.cases);
  result.elapsed = Clock::Real().Monotonic() - begin;
  result.rules = JudgeRules(rules, result.cases, RulesDecidedBy(all));
  result.conclusion = Conclude(result);
  return result;
}

}  // namespace assay::conformance
