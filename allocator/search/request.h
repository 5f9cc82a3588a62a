// Request: a request or subrequest of a claim, prepared for a search; what both kinds have in
// common.
//
// Thread-safe: immutable.
#ifndef ASSAY_ALLOCATOR_SEARCH_REQUEST_H_
#define ASSAY_ALLOCATOR_SEARCH_REQUEST_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "allocator/features.h"
#include "allocator/inventory/pool.h"
#include "allocator/selector/selector.h"
#include "api/resource/types.h"

namespace assay::allocator::search {

// Classes by name; null: there is none.
using ClassFinder = std::function<const api::resource::DeviceClass*(const std::string& name)>;

// "namespace/name", or the name of a claim without namespace.
std::string ClaimName(const api::resource::ResourceClaim& claim);

// Whether some taint keeps the device from being allocated.
bool TaintsPrevent(const api::resource::Device& device,
                   const std::vector<api::resource::DeviceToleration>& tolerations);
bool Tolerates(const api::resource::DeviceToleration& toleration,
               const api::resource::DeviceTaint& taint);

struct Request {
  std::string name;    // its own
  std::string parent;  // of the request that it is a subrequest of; else empty
  std::string class_name;
  std::string mode;
  std::int64_t count = 0;
  bool admin_access = false;
  bool has_admin_access = false;
  const std::vector<api::resource::DeviceSelector>* selectors = nullptr;
  const std::vector<api::resource::DeviceToleration>* tolerations = nullptr;
  const api::resource::CapacityRequirements* capacity = nullptr;
  const api::resource::DeviceClass* device_class = nullptr;
  const std::vector<api::resource::DeviceDerivedAttribute>* derived_attributes = nullptr;

  static Request Of(const api::resource::DeviceRequest& request);
  static Request Of(const api::resource::DeviceRequest& parent,
                    const api::resource::DeviceSubRequest& request);

  // "request" or "request/subrequest".
  std::string FullName() const { return parent.empty() ? name : parent + "/" + name; }
  std::string_view base_name() const { return parent.empty() ? name : parent; }
  std::string_view subrequest() const { return parent.empty() ? std::string_view() : name; }
  bool all() const { return mode == "All"; }
};

// The selectors of a request and its class, compiled on demand, against devices.
class Matcher {
 public:
  // All must outlive it.
  Matcher(const api::resource::ResourceClaim& claim, const Request& request,
          selector::SelectorCache& cache, const Features& features)
      : claim_(&claim), request_(&request), cache_(&cache), features_(&features) {}

  enum class Part : std::uint8_t { kClass, kRequest };
  // The number of the first selector that does not match, or -1; errors with upstream's texts.
  Result<int> FirstMismatch(Part part, inventory::DeviceRef device);
  // Whether class and request select the device.
  Result<bool> Matches(inventory::DeviceRef device);
  // The same without the error, as far as the device's layout tells: whether `device` could be any
  // of those that have this place in their node's pool. kUnknown: that hangs on attributes that
  // tell devices apart.
  selector::Selector::Answer Ask(const inventory::Device& device);

 private:
  const std::vector<api::resource::DeviceSelector>& SelectorsOf(Part part) const;
  const selector::Selector& Compiled(Part part, std::size_t i);

  const api::resource::ResourceClaim* claim_;
  const Request* request_;
  selector::SelectorCache* cache_;
  const Features* features_;
  std::vector<std::shared_ptr<const selector::Selector>> compiled_[2];
};

// Whether the node can have the device at all: it is for this node, where each device says for
// which, and needs no feature that is off.
Result<bool> IsForNode(const inventory::LayoutDevice& device, const api::core::Node& node,
                       const Features& features);

}  // namespace assay::allocator::search

#endif  // ASSAY_ALLOCATOR_SEARCH_REQUEST_H_
