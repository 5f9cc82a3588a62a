#include "allocator/constraint/constraint.h"

#include <algorithm>

namespace assay::allocator::constraint {
namespace {

// Numbers of single values end in 01, of sets of several in 11; addresses are even.
ValueId ItemNumber(std::size_t index) { return static_cast<ValueId>(index) << 2 | 1; }
ValueId SetNumber(std::size_t index) { return static_cast<ValueId>(index) << 2 | 3; }
bool IsSet(ValueId id) { return (id & 3) == 3; }

}  // namespace

ValueId AttributeValues::OfItem(char kind, std::string text) {
  const auto [it, fresh] = items_.try_emplace({kind, std::move(text)}, ItemNumber(items_.size()));
  return it->second;
}

ValueId AttributeValues::OfItems(Items items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  if (items.size() <= 1) {
    return items.empty() ? kNoValue : items.front();
  }
  const auto [it, fresh] = sets_.try_emplace(std::move(items), SetNumber(by_set_.size()));
  if (fresh) {
    by_set_.push_back(it->first);
  }
  return it->second;
}

std::span<const ValueId> AttributeValues::ItemsOf(const ValueId& id) const {
  return IsSet(id) ? std::span<const ValueId>(by_set_[id >> 2]) : std::span<const ValueId>(&id, 1);
}

ValueId AttributeValues::Of(const api::resource::DeviceAttribute& attribute,
                            const std::string* own) {
  if (attribute.string.has_value()) {
    return own != nullptr ? OfOwn(own) : OfItem('s', *attribute.string);
  }
  if (attribute.int_.has_value()) {
    return OfItem('i', std::to_string(*attribute.int_));
  }
  if (attribute.bool_.has_value()) {
    return OfItem('b', *attribute.bool_ ? "1" : "0");
  }
  if (attribute.version.has_value()) {
    return OfItem('v', *attribute.version);
  }
  Items items;
  if (lists_) {
    for (const std::string& value : attribute.strings) {
      items.push_back(OfItem('s', value));
    }
    for (std::int64_t value : attribute.ints) {
      items.push_back(OfItem('i', std::to_string(value)));
    }
    for (bool value : attribute.bools) {
      items.push_back(OfItem('b', value ? "1" : "0"));
    }
    for (const std::string& value : attribute.versions) {
      items.push_back(OfItem('v', value));
    }
  }
  return items.empty() ? kUnknownValue : OfItems(std::move(items));
}

ValueId AttributeValues::Intersection(ValueId a, ValueId b) {
  if (a == b) {
    return a;
  }
  if (!IsSet(a) && !IsSet(b)) {
    return kNoValue;
  }
  const std::span<const ValueId> left = ItemsOf(a);
  const std::span<const ValueId> right = ItemsOf(b);
  Items common;
  std::set_intersection(left.begin(), left.end(), right.begin(), right.end(),
                        std::back_inserter(common));
  return OfItems(std::move(common));
}

Constraint::Constraint(const api::resource::DeviceConstraint& constraint, const Features& features)
    : constraint_(&constraint),
      attribute_(constraint.match_attribute.has_value() ? *constraint.match_attribute
                                                        : *constraint.distinct_attribute),
      distinct_(!constraint.match_attribute.has_value()),
      lists_(features.list_type_attributes),
      defects_(features.HasUpstreamDefects() && (distinct_ || lists_)) {}

bool Constraint::Concerns(std::string_view request, std::string_view subrequest) const {
  const std::vector<std::string>& requests = constraint_->requests;
  if (requests.empty()) {
    return true;
  }
  return std::any_of(requests.begin(), requests.end(), [&](std::string_view name) {
    if (name == request) {
      return true;
    }
    return !subrequest.empty() && name.size() == request.size() + 1 + subrequest.size() &&
           name.starts_with(request) && name[request.size()] == '/' && name.ends_with(subrequest);
  });
}

bool Constraint::Add(std::string_view request, ValueId value, AttributeValues& values) {
  if (value == kNoValue) {
    return false;
  }
  if (defects_) {
    return AddWithDefects(request, value, values);
  }
  const bool first = stack_.empty();
  // A kind of value that is not known can only be the first.
  if (value == kUnknownValue && (lists_ || !first)) {
    return false;
  }
  if (distinct_) {
    const bool clashes = std::any_of(stack_.begin(), stack_.end(), [&](ValueId other) {
      return lists_ ? values.Intersection(other, value) != kNoValue : other == value;
    });
    if (clashes) {
      return false;
    }
  } else if (!first) {
    value = lists_ ? values.Intersection(stack_.back(), value)
                   : (stack_.back() == value ? value : kNoValue);
    if (value == kNoValue) {
      return false;
    }
  }
  stack_.push_back(value);
  return true;
}

bool Constraint::AddWithDefects(std::string_view request, ValueId value, AttributeValues& values) {
  const std::string_view key = distinct_ ? request : "";
  if (!stack_.empty()) {
    if (value == kUnknownValue && (lists_ || !last_.empty())) {
      return false;
    }
    for (const auto& [name, other] : last_) {
      const ValueId common =
          lists_ ? values.Intersection(other, value) : (other == value ? value : kNoValue);
      if ((common != kNoValue) == distinct_) {
        return false;
      }
      value = distinct_ ? value : common;
    }
  } else if (value == kUnknownValue && !distinct_) {
    return false;
  }
  last_[key] = value;
  stack_.push_back(value);
  return true;
}

}  // namespace assay::allocator::constraint
