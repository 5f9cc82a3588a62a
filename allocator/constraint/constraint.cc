#include "allocator/constraint/constraint.h"

#include <algorithm>
#include <string>

namespace assay::allocator::constraint {

using api::resource::DeviceAttribute;

const DeviceAttribute* FindAttribute(const api::resource::Device& device, std::string_view driver,
                                     std::string_view full_name) {
  const auto find = [&device](std::string_view name) -> const DeviceAttribute* {
    const auto it = device.attributes.find(std::string(name));
    return it == device.attributes.end() ? nullptr : &it->second;
  };
  if (const DeviceAttribute* attribute = find(full_name); attribute != nullptr) {
    return attribute;
  }
  const std::size_t slash = full_name.find('/');
  if (slash == std::string_view::npos || full_name.substr(0, slash) != driver) {
    return nullptr;
  }
  return find(full_name.substr(slash + 1));
}

Constraint::Constraint(const api::resource::DeviceConstraint& constraint, bool lists)
    : constraint_(constraint),
      attribute_(constraint.match_attribute.has_value() ? *constraint.match_attribute
                                                        : *constraint.distinct_attribute),
      distinct_(!constraint.match_attribute.has_value()),
      lists_(lists) {}

bool Constraint::Concerns(std::string_view request, std::string_view subrequest) const {
  const std::vector<std::string>& requests = constraint_.requests;
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

Constraint::Items Constraint::ItemsOf(const DeviceAttribute& attribute) const {
  if (attribute.string.has_value()) {
    return {{'s', 0, *attribute.string}};
  }
  if (attribute.int_.has_value()) {
    return {{'i', *attribute.int_, {}}};
  }
  if (attribute.bool_.has_value()) {
    return {{'b', *attribute.bool_ ? 1 : 0, {}}};
  }
  if (attribute.version.has_value()) {
    return {{'v', 0, *attribute.version}};
  }
  Items items;
  if (lists_) {
    for (const std::string& value : attribute.strings) {
      items.push_back({'s', 0, value});
    }
    for (std::int64_t value : attribute.ints) {
      items.push_back({'i', value, {}});
    }
    for (bool value : attribute.bools) {
      items.push_back({'b', value ? 1 : 0, {}});
    }
    for (const std::string& value : attribute.versions) {
      items.push_back({'v', 0, value});
    }
  }
  return items;
}

bool Constraint::Add(const api::resource::Device& device, std::string_view driver) {
  const DeviceAttribute* attribute = FindAttribute(device, driver, attribute_);
  if (attribute == nullptr) {
    return false;
  }
  Items items = ItemsOf(*attribute);
  const bool first = stack_.empty();
  if (items.empty() && (lists_ || !first)) {
    return false;  // a kind of value that is not known
  }
  const auto shared_with = [&items](const Items& others) {
    return [&items, &others](const Item& item) {
      return std::find(others.begin(), others.end(), item) != others.end();
    };
  };
  if (distinct_) {
    for (const Items& others : stack_) {
      if (std::any_of(items.begin(), items.end(), shared_with(others))) {
        return false;
      }
    }
  } else if (!first) {
    Items common;
    std::copy_if(items.begin(), items.end(), std::back_inserter(common),
                 shared_with(stack_.back()));
    if (common.empty()) {
      return false;
    }
    items = std::move(common);
  }
  stack_.push_back(std::move(items));
  return true;
}

void Constraint::RemoveLast() { stack_.pop_back(); }

std::string Constraint::TextOf(const Item& item) {
  return item.kind + std::to_string(item.number) + std::string(item.text);
}

std::optional<std::string> Constraint::ValueOf(const api::resource::Device& device,
                                               std::string_view driver) const {
  const DeviceAttribute* attribute = FindAttribute(device, driver, attribute_);
  if (attribute == nullptr) {
    return std::nullopt;
  }
  const Items items = ItemsOf(*attribute);
  return items.empty() ? std::nullopt : std::optional(TextOf(items[0]));
}

std::optional<std::string> Constraint::AgreedValue() const {
  return stack_.empty() || stack_.back().empty() ? std::nullopt
                                                 : std::optional(TextOf(stack_.back()[0]));
}

}  // namespace assay::allocator::constraint
