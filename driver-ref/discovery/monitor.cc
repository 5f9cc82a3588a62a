#include "driver-ref/discovery/monitor.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "driver-ref/mutants.h"

namespace assay::driver_ref::discovery {
namespace {

// How long the thread that waits for XIDs does not hear that it should end.
constexpr Duration kXidWait = std::chrono::milliseconds(250);

}  // namespace

std::optional<NodeDevice> Picture::Find(const std::string& device_name) const {
  if (mutants::Is("names-by-index")) {
    for (std::size_t i = 0; i < inventory.gpus.size(); ++i) {
      if (device_name == "gpu-" + std::to_string(i)) {
        return NodeDevice{.name = device_name, .gpu = &inventory.gpus[i]};
      }
    }
  }
  for (NodeDevice& device : DevicesOf(inventory)) {
    if (device.name == device_name) {
      return std::move(device);
    }
  }
  return std::nullopt;
}

Monitor::Monitor(Backend& backend, Options options) : backend_(&backend), options_(options) {}

Monitor::~Monitor() { Stop(); }

void Monitor::AddListener(std::function<void()> on_change) {
  listeners_.push_back(std::move(on_change));
}

void Monitor::Start() {
  look_thread_ = std::jthread([this](const std::stop_token& stop) { LookLoop(stop); });
  xid_thread_ = std::jthread([this](const std::stop_token& stop) { XidLoop(stop); });
}

void Monitor::Stop() {
  look_thread_ = {};
  xid_thread_ = {};
}

std::optional<Picture> Monitor::Last() const {
  const std::lock_guard<std::mutex> lock(mu_);
  return picture_;
}

Result<Picture> Monitor::Refresh(Duration timeout) {
  std::unique_lock<std::mutex> lock(mu_);
  const std::uint64_t mine = ++wanted_;
  wake_.notify_all();
  if (looked_.wait_for(lock, timeout, [&] { return done_ >= mine; })) {
    ASSAY_RETURN_IF_ERROR(last_status_);
  }
  if (!picture_) {
    return UnavailableError("the devices have not answered yet");
  }
  return *picture_;
}

void Monitor::LookLoop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::unique_lock<std::mutex> lock(mu_);
    const std::uint64_t serving = wanted_;
    lock.unlock();
    Result<Inventory> inventory = backend_->Discover();
    lock.lock();

    bool changed = false;
    if (inventory.ok()) {
      Picture now{.inventory = *std::move(inventory), .xids = {}, .time = Clock::Real().Now()};
      for (const Gpu& gpu : now.inventory.gpus) {
        if (const auto xid = xids_.find(gpu.uuid); xid == xids_.end() || gpu.needs.empty()) {
          xids_.erase(gpu.uuid);
        } else {
          now.xids.insert(*xid);
        }
      }
      changed = !picture_ || picture_->inventory != now.inventory || picture_->xids != now.xids;
      picture_ = std::move(now);
    } else if (inventory.status() != last_status_) {
      spdlog::warn("cannot look at the devices: {}", inventory.status().ToString());
    }
    last_status_ = inventory.status();
    done_ = serving;
    looked_.notify_all();
    lock.unlock();
    if (changed) {
      for (const auto& listener : listeners_) {
        listener();
      }
    }
    lock.lock();
    wake_.wait_for(lock, stop, options_.interval, [&] { return wanted_ > done_; });
  }
}

void Monitor::XidLoop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Result<std::optional<XidEvent>> event = backend_->WaitForXid(kXidWait);
    std::unique_lock<std::mutex> lock(mu_);
    if (!event.ok()) {
      // The other thread has said so; try again when it looks again.
      wake_.wait_for(lock, stop, options_.interval, [] { return false; });
    } else if (event->has_value()) {
      spdlog::warn("GPU {}: XID {}", (*event)->uuid, (*event)->xid);
      xids_[(*event)->uuid] = (*event)->xid;
      ++wanted_;
      wake_.notify_all();
    }
  }
}

}  // namespace assay::driver_ref::discovery
