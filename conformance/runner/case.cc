#include "conformance/runner/case.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <thread>
#include <tuple>
#include <utility>

namespace assay::conformance {
namespace {

// GoogleTest's way to end a test from anywhere. The part is recorded first: one that is fatal or a
// skip also keeps the body from running where SetUp was left.
[[noreturn]] void LeaveTest(::testing::TestPartResult::Type type, const char* file, int line,
                            const std::string& message) {
  GTEST_MESSAGE_AT_(file, line, message.c_str(), type);
  throw ::testing::AssertionException(::testing::TestPartResult(type, file, line, message.c_str()));
}

std::string LowerCase(std::string_view text) {
  std::string lower;
  for (const char c : text) {
    if (std::isupper(static_cast<unsigned char>(c)) != 0 && !lower.empty()) {
      lower += '-';
    }
    lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return lower;
}

std::vector<ClaimReference> ReferencesTo(const std::vector<ResourceClaim>& claims) {
  std::vector<ClaimReference> references;
  for (const ResourceClaim& claim : claims) {
    references.push_back(ReferenceTo(claim));
  }
  return references;
}

std::vector<std::string> TracesIn(const FileSnapshot& files, const std::string& uid) {
  std::vector<std::string> traces;
  for (const auto& [path, text] : files) {
    if (path.find(uid) != std::string::npos || text.find(uid) != std::string::npos) {
      traces.push_back(path);
    }
  }
  return traces;
}

std::string KeyOf(const api::resource::Device& device, const std::string& attribute) {
  const auto found = device.attributes.find(attribute);
  return found == device.attributes.end() || !found->second.string ? device.name
                                                                   : *found->second.string;
}

// What devices of the same pool may still consume (KEP-4815): partitions exclude each other.
class CountersLeft {
 public:
  explicit CountersLeft(const std::vector<ResourceSlice>& slices) {
    for (const ResourceSlice& slice : slices) {
      for (const api::resource::CounterSet& set : slice.spec.shared_counters) {
        for (const auto& [name, counter] : set.counters) {
          left_[{slice.spec.pool.name, set.name, name}] = counter.value;
        }
      }
    }
  }

  // Whether there is enough for the device; then it is taken.
  bool Take(const std::string& pool, const api::resource::Device& device) {
    std::map<Key, api::meta::Quantity> after = left_;
    for (const auto& consumed : device.consumes_counters) {
      for (const auto& [name, counter] : consumed.counters) {
        api::meta::Quantity& value = after[{pool, consumed.counter_set, name}];
        if (value < counter.value) {
          return false;
        }
        value.Sub(counter.value);
      }
    }
    left_ = std::move(after);
    return true;
  }

 private:
  using Key = std::tuple<std::string, std::string, std::string>;  // Pool, counter set, counter.
  std::map<Key, api::meta::Quantity> left_;
};

}  // namespace

namespace internal {

CaseContext& CurrentCase() {
  static CaseContext* const context = new CaseContext;
  return *context;
}

}  // namespace internal

void EndCase(Outcome outcome, std::string message) {
  internal::CaseContext& context = internal::CurrentCase();
  context.outcome = outcome;
  context.message = std::move(message);
  LeaveTest(::testing::TestPartResult::kSkip, __FILE__, __LINE__, context.message);
}

void Harness(const Status& status) {
  if (!status.ok()) {
    EndCase(Outcome::kHarnessError, status.ToString());
  }
}

void FailureRecorder::operator=(const ::testing::Message& message) const {
  if (fatal_) {
    LeaveTest(::testing::TestPartResult::kFatalFailure, file_, line_, message.GetString());
  }
  GTEST_MESSAGE_AT_(file_, line_, message.GetString().c_str(),
                    ::testing::TestPartResult::kNonFatalFailure);
}

Lab& Case::lab() { return *internal::CurrentCase().lab; }

void Case::SetUp() {
  const internal::CaseContext& context = internal::CurrentCase();
  if (context.skip) {
    LeaveTest(::testing::TestPartResult::kSkip, __FILE__, __LINE__, "not to be run here");
  }
  if (!context.info->feature.empty() && !lab().profile().Declares(context.info->feature)) {
    EndCase(Outcome::kNotApplicable, NotDeclared(context.info->feature));
  }
  const Result<Driver*> started = lab().EnsureDriver();
  ASSERT_DRIVER(started.ok()) << "the driver did not become ready: " << started.status().message();
  output_mark_ = driver().process().output_bytes();
  cdi_before_ = CdiFiles();
  began_ = true;
}

void Case::TearDown() {
  if (!began_ && !HasFailure()) {
    return;
  }
  Driver* const left = lab().driver();
  if (left != nullptr) {
    internal::CurrentCase().output = OutputOfCase();
    lab().api_server().faults().Clear();
    if (!exit_expected_ && !left->process().running()) {
      EXPECT_DRIVER(false) << "the driver ended during the case: it " << left->Describe();
    }
  }
  CleanUp();
  // What a failed case leaves must not fail the next, least of all what no driver can start with.
  if (HasFailure() ||
      (left != nullptr && (!left->process().running() || CdiFiles() != cdi_before_))) {
    lab().Reset();
  }
}

void Case::CleanUp() {
  lab().api_server().faults().Clear();
  std::vector<ClaimReference> references = ReferencesTo(claims_);
  references.insert(references.end(), to_unprepare_.begin(), to_unprepare_.end());
  Driver* const left = lab().driver();
  if (!references.empty() && left != nullptr && left->process().running() && left->registered()) {
    for (const ClaimReference& reference : references) {
      (void)TryUnprepare({reference}, Version()).ok();
    }
  }
  for (const ResourceClaim& claim : claims_) {
    DeleteClaim(claim);
  }
}

Driver& Case::driver() { return *lab().driver(); }

void Case::RestartDriver() {
  const Result<Driver*> restarted = lab().Restart();
  ASSERT_DRIVER(restarted.ok()) << "the driver did not come back after SIGTERM: "
                                << restarted.status().message();
  output_mark_ = 0;
}

void Case::KillAndRestartDriver() {
  const Result<Driver*> restarted = lab().KillAndRestart();
  ASSERT_DRIVER(restarted.ok()) << "the driver did not come back after SIGKILL: "
                                << restarted.status().message();
  output_mark_ = 0;
}

void Case::RequireHook(Hook hook) {
  if (!lab().hooks().Has(hook)) {
    EndCase(Outcome::kNotDecidable, "the profile has no hook " + std::string(HookName(hook)));
  }
}

std::vector<ResourceSlice> Case::Slices() { return Harness(lab().Slices()); }

bool Case::WaitForSlices(Duration limit,
                         const std::function<bool(const std::vector<ResourceSlice>&)>& holds) {
  api::client::BlockingClient waiter(lab().admin().client(), limit);
  return waiter
      .WaitForList<ResourceSlice>({.field_selector = "spec.driver=" + lab().profile().driver},
                                  holds)
      .ok();
}

DeviceRef Case::RefTo(const std::string& pool, const api::resource::Device& device) {
  return {.pool = pool,
          .name = device.name,
          .driver = {},
          .key = KeyOf(device, lab().profile().device_key)};
}

std::vector<DeviceRef> Case::AllDevices() {
  std::vector<DeviceRef> devices;
  for (const ResourceSlice& slice : Slices()) {
    for (const api::resource::Device& device : slice.spec.devices) {
      devices.push_back(RefTo(slice.spec.pool.name, device));
    }
  }
  return devices;
}

const api::resource::Device* Case::FindDevice(const std::vector<ResourceSlice>& slices,
                                              const DeviceRef& device) {
  for (const ResourceSlice& slice : slices) {
    for (const api::resource::Device& each : slice.spec.devices) {
      if (slice.spec.pool.name == device.pool && each.name == device.name) {
        return &each;
      }
    }
  }
  return nullptr;
}

void Case::WaitUntilAClaimIsRead(controlplane::apiserver::FaultInjector::Id fault) {
  if (!WaitUntil(std::chrono::seconds(5),
                 [&] { return lab().api_server().faults().hits(fault) > 0; })) {
    EndCase(Outcome::kNotDecidable, "the driver does not get the claim when it prepares it");
  }
}

void Case::PassASecond() {
  const WallTime start = Clock::Real().Now();
  WaitUntil(std::chrono::seconds(2),
            [&] { return Clock::Real().Now() - start > std::chrono::milliseconds(1100); });
}

std::vector<DeviceRef> Case::SomeDevices(std::size_t count) {
  const std::vector<ResourceSlice> slices = Slices();
  CountersLeft left(slices);
  std::vector<DeviceRef> devices;
  for (const ResourceSlice& slice : slices) {
    for (const api::resource::Device& device : slice.spec.devices) {
      if (devices.size() < count && left.Take(slice.spec.pool.name, device)) {
        devices.push_back(RefTo(slice.spec.pool.name, device));
      }
    }
  }
  if (devices.size() < count) {
    EndCase(Outcome::kNotDecidable, "the driver publishes " + std::to_string(devices.size()) +
                                        " devices that can be allocated at the same time, and the "
                                        "case needs " +
                                        std::to_string(count));
  }
  return devices;
}

std::string Case::NextClaimName() {
  const CaseInfo& info = *internal::CurrentCase().info;
  std::string name = LowerCase(info.suite) + "-" + LowerCase(info.name);
  name.resize(std::min<std::size_t>(name.size(), 50));
  while (name.ends_with('-')) {
    name.pop_back();
  }
  return name + "-" + std::to_string(++claim_names_);
}

ResourceClaim Case::MakeClaim(ClaimOptions options) {
  if (options.name.empty()) {
    options.name = NextClaimName();
  }
  ResourceClaim claim = Harness(CreateClaim(lab(), options));
  claims_.push_back(claim);
  return claim;
}

ResourceClaim Case::Allocated(std::vector<DeviceRef> devices) {
  return MakeClaim({.name = {}, .requests = {{.devices = std::move(devices)}}});
}

void Case::DeleteClaim(const ResourceClaim& claim) {
  const Status deleted = lab().admin().Delete<ResourceClaim>(
      {claim.metadata.namespace_, claim.metadata.name}, {.uid = claim.metadata.uid});
  // Gone, or another claim under its name: both are what was wanted.
  if (deleted.code() != StatusCode::kNotFound && deleted.code() != StatusCode::kAborted) {
    Harness(deleted);
  }
}

DraVersion Case::Version() {
  const std::vector<std::string>& versions = driver().registration().info.supported_versions;
  const bool only_beta =
      std::ranges::find(versions, ServiceName(DraVersion::kV1)) == versions.end() &&
      std::ranges::find(versions, ServiceName(DraVersion::kV1beta1)) != versions.end();
  return only_beta ? DraVersion::kV1beta1 : DraVersion::kV1;
}

Result<PrepareResponse> Case::TryPrepare(const std::vector<ClaimReference>& claims,
                                         DraVersion version) {
  return driver().service().Prepare(claims, version, kCallLimit);
}

Result<UnprepareResponse> Case::TryUnprepare(const std::vector<ClaimReference>& claims,
                                             DraVersion version) {
  return driver().service().Unprepare(claims, version, kCallLimit);
}

PrepareResponse Case::CallPrepare(const std::vector<ResourceClaim>& claims) {
  Result<PrepareResponse> response = TryPrepare(ReferencesTo(claims), Version());
  ASSERT_DRIVER(response.ok()) << "NodePrepareResources failed: " << response.status().ToString();
  return *std::move(response);
}

PreparedClaim Case::Prepare(const ResourceClaim& claim) {
  PrepareResponse response = CallPrepare({claim});
  const auto entry = response.find(claim.metadata.uid);
  ASSERT_DRIVER(entry != response.end())
      << "NodePrepareResources answered without an entry for the claim";
  ASSERT_DRIVER(entry->second.error.empty())
      << "NodePrepareResources failed for the claim: " << entry->second.error;
  return std::move(entry->second);
}

void Case::Unprepare(const ResourceClaim& claim) {
  const std::string error = UnprepareError(ReferenceTo(claim));
  ASSERT_DRIVER(error.empty()) << "NodeUnprepareResources failed: " << error;
}

std::string Case::ErrorIn(const Result<PrepareResponse>& response, const std::string& uid) {
  if (!response.ok()) {
    return response.status().ToString();
  }
  const auto entry = response->find(uid);
  return entry == response->end() ? "the answer has no entry for the claim" : entry->second.error;
}

std::string Case::ErrorIn(const Result<UnprepareResponse>& response, const std::string& uid) {
  if (!response.ok()) {
    return response.status().ToString();
  }
  const auto entry = response->find(uid);
  return entry == response->end() ? "the answer has no entry for the claim" : entry->second;
}

std::string Case::PrepareError(const ClaimReference& claim) {
  const Result<PrepareResponse> response = TryPrepare({claim}, Version());
  ASSERT_DRIVER(response.status().code() != StatusCode::kDeadlineExceeded)
      << "NodePrepareResources did not answer within 20 s";
  return ErrorIn(response, claim.uid);
}

std::string Case::UnprepareError(const ClaimReference& claim) {
  const Result<UnprepareResponse> response = TryUnprepare({claim}, Version());
  ASSERT_DRIVER(response.status().code() != StatusCode::kDeadlineExceeded)
      << "NodeUnprepareResources did not answer within 20 s";
  return ErrorIn(response, claim.uid);
}

std::vector<std::string> Case::CdiTracesOf(const std::string& uid) {
  return TracesIn(CdiFiles(), uid);
}

std::vector<std::string> Case::DataTracesOf(const std::string& uid) {
  std::vector<std::string> traces = TracesIn(SnapshotFiles(lab().data_directory()), uid);
  const std::vector<std::string> more = TracesIn(SnapshotFiles(lab().directories().state), uid);
  traces.insert(traces.end(), more.begin(), more.end());
  return traces;
}

std::vector<controlplane::apiserver::RequestRecord> Case::Requests(std::uint64_t mark) {
  return lab().api_server().requests().Since(mark, DriverRequests({}, {}));
}

controlplane::apiserver::RequestMatch Case::DriverRequests(std::set<std::string> verbs,
                                                           std::set<std::string> resources) {
  controlplane::apiserver::RequestMatch match;
  match.user = lab().driver_user();
  match.verbs = std::move(verbs);
  match.resources = std::move(resources);
  return match;
}

std::string Case::OutputOfCase() { return driver().process().Output(output_mark_); }

bool WaitUntil(Duration limit, const std::function<bool()>& holds) {
  const MonotonicTime end = Clock::Real().Monotonic() + limit;
  while (!holds()) {
    if (Clock::Real().Monotonic() >= end) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

std::string Describe(const std::vector<PreparedDevice>& devices) {
  std::vector<std::string> words;
  for (const PreparedDevice& device : devices) {
    words.push_back(device.pool_name + "/" + device.device_name + " (" +
                    Join(device.cdi_device_ids) + ")");
  }
  return words.empty() ? "no device" : Join(words);
}

std::string Join(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const std::string& word : words) {
    text.append(text.empty() ? "" : separator).append(word);
  }
  return text;
}

std::vector<PreparedDevice> Sorted(std::vector<PreparedDevice> devices) {
  for (PreparedDevice& device : devices) {
    std::ranges::sort(device.cdi_device_ids);
    std::ranges::sort(device.request_names);
  }
  std::ranges::sort(devices, {}, [](const PreparedDevice& device) {
    return std::tie(device.pool_name, device.device_name, device.share_id);
  });
  return devices;
}

}  // namespace assay::conformance
