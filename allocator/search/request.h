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
  Matcher(const api::resource::ResourceClaim& claim, const Request& request,
          selector::SelectorCache& cache, const api::core::Node& node, const Features& features)
      : claim_(&claim), request_(&request), cache_(&cache), node_(&node), features_(&features) {}

  // Whether class, request and node select the device; errors with upstream's texts.
  Result<bool> Matches(const inventory::NodeDevice& device);
  // The same for one part, and for explanations: the number of the selector that does not match.
  enum class Part : std::uint8_t { kClass, kRequest };
  Result<int> FirstMismatch(Part part, const inventory::NodeDevice& device);

 private:
  const std::vector<api::resource::DeviceSelector>& SelectorsOf(Part part) const;

  const api::resource::ResourceClaim* claim_;
  const Request* request_;
  selector::SelectorCache* cache_;
  const api::core::Node* node_;
  const Features* features_;
  std::vector<std::shared_ptr<const selector::Selector>> compiled_[2];
};

}  // namespace assay::allocator::search

#endif  // ASSAY_ALLOCATOR_SEARCH_REQUEST_H_
