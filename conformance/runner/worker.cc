#include "conformance/runner/worker.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "conformance/lab/lab.h"
#include "conformance/runner/case.h"
#include "conformance/testee/spawner.h"

namespace assay::conformance {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxDetailsBytes = 16'384;

constexpr std::size_t kMaxExchanges = 300;
constexpr std::size_t kMaxExchangeBytes = 4'096;

// Tells the runner. A runner that is gone takes this process with it (PR_SET_PDEATHSIG).
class Reporter {
 public:
  explicit Reporter(int fd) : fd_(fd) {}

  void Send(const WorkerMessage& message) {
    const std::string line = message.ToLine();
    for (std::size_t sent = 0; sent < line.size();) {
      const ssize_t n = write(fd_, line.data() + sent, line.size() - sent);
      if (n < 0 && errno != EINTR) {
        std::exit(1);
      }
      sent += n > 0 ? static_cast<std::size_t>(n) : 0;
    }
  }

 private:
  int fd_;
};

// GoogleTest's view of a case, made into a CaseResult.
class Recorder : public ::testing::EmptyTestEventListener {
 public:
  Recorder(const WorkerOptions& options, Lab& lab, Reporter& reporter)
      : options_(options), lab_(lab), reporter_(reporter) {}

  void OnTestStart(const ::testing::TestInfo& test) override {
    const std::string name = std::string(test.test_suite_name()) + "." + test.name();
    const auto info = std::ranges::find(*options_.cases, name, &CaseInfo::FullName);
    index_ = static_cast<std::size_t>(info - options_.cases->begin());
    failures_.clear();
    exchange_.clear();
    internal::CaseContext context{.lab = &lab_, .info = &*info};
    context.skip = options_.queue->stopped() || (options_.interrupted && options_.interrupted()) ||
                   !options_.queue->Take(index_);
    internal::CurrentCase() = context;
    if (!context.skip) {
      reporter_.Send({.kind = WorkerMessage::Kind::kBegan, .index = index_});
      begin_ = Clock::Real().Monotonic();
      began_at_ = Clock::Real().Now();
      request_mark_ = lab_.api_server().requests().last();
    }
  }

  void OnTestPartResult(const ::testing::TestPartResult& part) override {
    if (part.failed()) {
      exchange_ = ExchangeSoFar();
      std::string message = part.message();
      while (message.ends_with('\n')) {
        message.pop_back();
      }
      failures_.push_back({part.line_number(), std::move(message)});
    }
  }

  void OnTestEnd(const ::testing::TestInfo&) override {
    const internal::CaseContext& context = internal::CurrentCase();
    if (context.skip) {
      return;
    }
    CaseResult result;
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
    result.exchange = std::move(exchange_);
    reporter_.Send(
        {.kind = WorkerMessage::Kind::kEnded, .index = index_, .result = std::move(result)});
  }

 private:
  struct Failure {
    int line;
    std::string message;
  };

  // What was said and done in the case until now, and the CDI specs that there are.
  std::vector<Exchange> ExchangeSoFar() {
    std::vector<TranscriptEntry> entries = lab_.transcript().Since(began_at_);
    for (const auto& request :
         lab_.api_server().requests().Since(request_mark_, {.user = lab_.driver_user()})) {
      const auto& info = request.info;
      entries.push_back({.time = request.time,
                         .from = "driver",
                         .what = info.verb + " " + info.path + ": " +
                                 (request.code == 0 ? "dropped" : std::to_string(request.code)) +
                                 (request.injected ? " (an injected fault)" : ""),
                         .detail = ""});
    }
    std::ranges::stable_sort(entries, {}, &TranscriptEntry::time);
    for (auto& [name, text] : SnapshotFiles(lab_.directories().cdi)) {
      entries.push_back({.time = Clock::Real().Now(),
                         .from = "harness",
                         .what = "finds the CDI spec " + name,
                         .detail = std::move(text)});
    }
    if (entries.size() > kMaxExchanges) {
      entries.erase(entries.begin(), entries.end() - kMaxExchanges);
    }
    std::vector<Exchange> exchange;
    for (TranscriptEntry& entry : entries) {
      if (entry.detail.size() > kMaxExchangeBytes) {
        entry.detail.resize(kMaxExchangeBytes);
        entry.detail += "\n[cut]";
      }
      exchange.push_back({.after = entry.time - began_at_,
                          .from = std::move(entry.from),
                          .what = std::move(entry.what),
                          .detail = std::move(entry.detail)});
    }
    return exchange;
  }

  const WorkerOptions& options_;
  Lab& lab_;
  Reporter& reporter_;
  std::size_t index_ = 0;
  std::vector<Failure> failures_;
  std::vector<Exchange> exchange_;  // Up to the last failure.
  MonotonicTime begin_{};
  WallTime began_at_{};
  std::uint64_t request_mark_ = 0;
};

// GoogleTest with our listener in the place of its printer.
void RunAll(Recorder* recorder, const std::vector<CaseInfo>& cases) {
  std::string filter;
  for (const CaseInfo& each : cases) {
    filter += (filter.empty() ? "" : ":") + each.FullName();
  }
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

std::string ToText(const api::resource::DeviceAttribute& attribute) {
  return attribute.string    ? *attribute.string
         : attribute.version ? *attribute.version
         : attribute.int_    ? std::to_string(*attribute.int_)
         : attribute.bool_   ? (*attribute.bool_ ? "true" : "false")
                             : "a list";
}

std::vector<DeviceSummary> Summarize(const std::vector<ResourceSlice>& slices) {
  std::map<std::string, double> totals;
  for (const ResourceSlice& slice : slices) {
    for (const auto& set : slice.spec.shared_counters) {
      for (const auto& [name, counter] : set.counters) {
        totals[set.name + "/" + name] = counter.value.AsApproximateDouble();
      }
    }
  }
  std::vector<DeviceSummary> devices;
  for (const ResourceSlice& slice : slices) {
    for (const api::resource::Device& device : slice.spec.devices) {
      DeviceSummary summary{.pool = slice.spec.pool.name, .name = device.name};
      for (const auto& [name, attribute] : device.attributes) {
        summary.facts[name] = ToText(attribute);
      }
      for (const auto& [name, capacity] : device.capacity) {
        summary.facts[name] = capacity.value.ToString();
      }
      for (const auto& set : device.consumes_counters) {
        for (const auto& [name, counter] : set.counters) {
          const std::string key = set.counter_set + "/" + name;
          const double total = totals[key];
          summary.consumes[key] = total > 0 ? counter.value.AsApproximateDouble() / total : 0;
        }
      }
      devices.push_back(std::move(summary));
    }
  }
  return devices;
}

// The life of a worker.
Status RunCases(const WorkerOptions& options, Reporter& reporter) {
  // Before any thread is started.
  ASSAY_ASSIGN_OR_RETURN(const std::unique_ptr<Spawner> spawner, Spawner::Start());
  std::error_code error;
  if (!std::filesystem::create_directory(options.root, error)) {
    return ErrnoError(error.value(), options.root.string());
  }
  ASSAY_ASSIGN_OR_RETURN(const std::unique_ptr<Lab> lab,
                         Lab::Open({.profile = options.profile,
                                    .root = options.root,
                                    .spawner = spawner.get(),
                                    .log_directory = options.log_directory,
                                    .bin_directory = options.bin_directory}));
  // A program that cannot be executed at all is no verdict on a driver.
  if (const Result<Driver*> started = lab->EnsureDriver(); !started.ok()) {
    if (started.status().code() == StatusCode::kNotFound ||
        started.status().code() == StatusCode::kPermissionDenied ||
        started.status().code() == StatusCode::kFailedPrecondition) {
      return started.status();
    }
    reporter.Send({.kind = WorkerMessage::Kind::kTrouble,
                   .status = started.status().WithContext("the driver did not become ready")});
  }
  if (Driver* const driver = lab->driver(); driver != nullptr) {
    const std::string exe = "/proc/" + std::to_string(driver->process().pid()) + "/exe";
    reporter.Send({.kind = WorkerMessage::Kind::kDriver,
                   .program = std::filesystem::read_symlink(exe, error).string(),
                   .devices = Summarize(lab->Slices().value_or({}))});
  }
  Recorder recorder(options, *lab, reporter);
  RunAll(&recorder, *options.cases);
  return OkStatus();
}

}  // namespace

Result<CaseQueue> CaseQueue::Create(std::size_t count) {
  void* const memory = mmap(nullptr, (count + 1) * sizeof(Flag), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return ErrnoError(errno, "memory that the workers share");
  }
  auto* const flags = static_cast<Flag*>(memory);
  std::uninitialized_value_construct_n(flags, count + 1);
  return CaseQueue(flags, count);
}

CaseQueue::~CaseQueue() {
  if (shared_ != nullptr) {
    munmap(shared_, (count_ + 1) * sizeof(Flag));
  }
}

CaseQueue::CaseQueue(CaseQueue&& other) noexcept
    : shared_(std::exchange(other.shared_, nullptr)), count_(other.count_) {}

std::string WorkerMessage::ToLine() const {
  Json exchange = Json::array();
  for (const Exchange& each : result.exchange) {
    exchange.push_back({each.after.count(), each.from, each.what, each.detail});
  }
  Json summaries = Json::array();
  for (const DeviceSummary& each : devices) {
    summaries.push_back({each.pool, each.name, each.facts, each.consumes});
  }
  const Json line = {{"kind", kind},
                     {"index", index},
                     {"outcome", result.outcome},
                     {"message", result.message},
                     {"details", result.details},
                     {"line", result.line},
                     {"exchange", std::move(exchange)},
                     {"elapsed", result.elapsed.count()},
                     {"program", program},
                     {"devices", std::move(summaries)},
                     {"code", status.code()},
                     {"status", status.message()}};
  // A testee's output may be any bytes.
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

WorkerMessage WorkerMessage::FromLine(std::string_view text) {
  const Json line = Json::parse(text);
  WorkerMessage message;
  message.kind = line["kind"];
  message.index = line["index"];
  message.result.outcome = line["outcome"];
  message.result.message = line["message"];
  message.result.details = line["details"];
  message.result.line = line["line"];
  message.result.elapsed = Duration(line["elapsed"].get<Duration::rep>());
  for (const Json& each : line["exchange"]) {
    message.result.exchange.push_back({.after = Duration(each[0].get<Duration::rep>()),
                                       .from = each[1],
                                       .what = each[2],
                                       .detail = each[3]});
  }
  message.program = line["program"];
  for (const Json& each : line["devices"]) {
    message.devices.push_back(
        {.pool = each[0], .name = each[1], .facts = each[2], .consumes = each[3]});
  }
  if (const StatusCode code = line["code"]; code != StatusCode::kOk) {
    message.status = Status(code, line["status"]);
  }
  return message;
}

Result<Worker> Worker::Start(const WorkerOptions& options) {
  std::array<int, 2> pipe{};
  if (pipe2(pipe.data(), O_CLOEXEC) != 0) {
    return ErrnoError(errno, "a pipe");
  }
  // What is buffered here would be written there too.
  std::cout << std::flush;
  std::fflush(nullptr);
  const pid_t runner = getpid();
  const pid_t pid = fork();
  if (pid < 0) {
    const int error = errno;
    close(pipe[0]);
    close(pipe[1]);
    return ErrnoError(error, "fork");
  }
  if (pid > 0) {
    close(pipe[1]);
    return Worker(pid, pipe[0]);
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != runner) {
    std::exit(1);
  }
  close(pipe[0]);
  Reporter reporter(pipe[1]);
  if (const Status status = RunCases(options, reporter); !status.ok()) {
    reporter.Send({.kind = WorkerMessage::Kind::kCannotStart, .status = status});
  }
  std::exit(0);
}

Worker::Worker(Worker&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      fd_(std::exchange(other.fd_, -1)),
      unread_(std::move(other.unread_)),
      running_(other.running_) {}

Worker& Worker::operator=(Worker&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(fd_, other.fd_);
  std::swap(unread_, other.unread_);
  std::swap(running_, other.running_);
  return *this;
}

Worker::~Worker() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (fd_ >= 0) {
    close(fd_);
  }
}

bool Worker::Read(std::vector<WorkerMessage>* messages) {
  std::array<char, 65'536> buffer;
  const ssize_t n = read(fd_, buffer.data(), buffer.size());
  if (n <= 0) {
    return n < 0 && errno == EINTR;
  }
  unread_.append(buffer.data(), static_cast<std::size_t>(n));
  std::size_t begin = 0;
  for (std::size_t end; (end = unread_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const WorkerMessage& message = messages->emplace_back(
        WorkerMessage::FromLine(std::string_view(unread_).substr(begin, end - begin)));
    if (message.kind == WorkerMessage::Kind::kBegan) {
      running_ = message.index;
    } else if (message.kind == WorkerMessage::Kind::kEnded) {
      running_.reset();
    }
  }
  unread_.erase(0, begin);
  return true;
}

std::optional<std::string> Worker::Failure() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  const ExitStatus exit{.code = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
                        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0};
  return exit == ExitStatus{} ? std::nullopt : std::optional(exit.ToString());
}

}  // namespace assay::conformance
