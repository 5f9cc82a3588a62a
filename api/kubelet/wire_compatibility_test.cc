// Holds our .proto files to the kubelet's wire format: full service, method and message names, and
// every field's number, label and type (k8s.io/kubelet v0.36.3 and, for dra-health v1, 1.37).
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "api/kubelet/dra_health_v1.grpc.pb.h"
#include "api/kubelet/dra_health_v1alpha1.grpc.pb.h"
#include "api/kubelet/dra_v1.grpc.pb.h"
#include "api/kubelet/dra_v1beta1.grpc.pb.h"
#include "api/kubelet/pluginregistration_v1.grpc.pb.h"
#include "api/kubelet/podresources_v1.grpc.pb.h"

namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::FileDescriptor;
using ::google::protobuf::MethodDescriptor;
using ::google::protobuf::ServiceDescriptor;
using ::testing::ElementsAre;

std::string DescribeType(const FieldDescriptor& field) {
  if (field.message_type() != nullptr) {
    return field.message_type()->name();
  }
  return field.enum_type() != nullptr ? field.enum_type()->name() : field.type_name();
}

std::string DescribeField(const FieldDescriptor& field) {
  std::string type = DescribeType(field);
  if (field.is_map()) {
    type = "map<" + DescribeType(*field.message_type()->map_key()) + "," +
           DescribeType(*field.message_type()->map_value()) + ">";
  } else if (field.is_repeated()) {
    type = "repeated " + type;
  } else if (field.has_optional_keyword()) {
    type = "optional " + type;
  }
  return type + " " + field.name() + " = " + std::to_string(field.number());
}

std::vector<std::string> Fields(const Descriptor* message) {
  std::vector<std::string> fields;
  for (int i = 0; i < message->field_count(); ++i) {
    fields.push_back(DescribeField(*message->field(i)));
  }
  return fields;
}

// "/package.Service/Method(Request) -> [stream ]Response"
std::vector<std::string> Methods(const FileDescriptor* file) {
  std::vector<std::string> methods;
  for (int s = 0; s < file->service_count(); ++s) {
    const ServiceDescriptor* service = file->service(s);
    for (int m = 0; m < service->method_count(); ++m) {
      const MethodDescriptor* method = service->method(m);
      methods.push_back(
          "/" + service->full_name() + "/" + method->name() + "(" + method->input_type()->name() +
          ") -> " + (method->server_streaming() ? "stream " : "") + method->output_type()->name());
    }
  }
  return methods;
}

TEST(KubeletProtoTest, RegistrationPackageHasNoVersion) {
  using pluginregistration::PluginInfo;
  using pluginregistration::RegistrationStatus;
  EXPECT_THAT(
      Methods(PluginInfo::descriptor()->file()),
      ElementsAre("/pluginregistration.Registration/GetInfo(InfoRequest) -> PluginInfo",
                  "/pluginregistration.Registration/NotifyRegistrationStatus(RegistrationStatus) "
                  "-> RegistrationStatusResponse"));
  EXPECT_THAT(Fields(PluginInfo::descriptor()),
              ElementsAre("string type = 1", "string name = 2", "string endpoint = 3",
                          "repeated string supported_versions = 4"));
  EXPECT_THAT(Fields(RegistrationStatus::descriptor()),
              ElementsAre("bool plugin_registered = 1", "string error = 2"));
}

// v1 and v1beta1 differ in one field.
template <typename Request, typename Response, typename UnprepareRequest,
          typename UnprepareResponse, typename Claim>
void ExpectDraPlugin(const std::string& version) {
  const std::string service = "/k8s.io.kubelet.pkg.apis.dra." + version + ".DRAPlugin/";
  EXPECT_THAT(Methods(Request::descriptor()->file()),
              ElementsAre(service + "NodePrepareResources(NodePrepareResourcesRequest) -> "
                                    "NodePrepareResourcesResponse",
                          service + "NodeUnprepareResources(NodeUnprepareResourcesRequest) -> "
                                    "NodeUnprepareResourcesResponse"));
  EXPECT_THAT(Fields(Request::descriptor()), ElementsAre("repeated Claim claims = 1"));
  EXPECT_THAT(Fields(UnprepareRequest::descriptor()), ElementsAre("repeated Claim claims = 1"));
  EXPECT_THAT(Fields(Response::descriptor()),
              ElementsAre("map<string,NodePrepareResourceResponse> claims = 1"));
  EXPECT_THAT(Fields(UnprepareResponse::descriptor()),
              ElementsAre("map<string,NodeUnprepareResourceResponse> claims = 1"));
  EXPECT_THAT(Fields(Claim::descriptor()),
              ElementsAre("string namespace = 1", "string uid = 2", "string name = 3"));
}

TEST(KubeletProtoTest, DraV1) {
  namespace dra = k8s::io::kubelet::pkg::apis::dra::v1;
  ExpectDraPlugin<dra::NodePrepareResourcesRequest, dra::NodePrepareResourcesResponse,
                  dra::NodeUnprepareResourcesRequest, dra::NodeUnprepareResourcesResponse,
                  dra::Claim>("v1");
  EXPECT_THAT(Fields(dra::NodePrepareResourceResponse::descriptor()),
              ElementsAre("repeated Device devices = 1", "string error = 2"));
  EXPECT_THAT(Fields(dra::NodeUnprepareResourceResponse::descriptor()),
              ElementsAre("string error = 1"));
  EXPECT_THAT(Fields(dra::Device::descriptor()),
              ElementsAre("repeated string request_names = 1", "string pool_name = 2",
                          "string device_name = 3", "repeated string cdi_device_ids = 4",
                          "optional string share_id = 5"));
}

TEST(KubeletProtoTest, DraV1beta1) {
  namespace dra = k8s::io::kubelet::pkg::apis::dra::v1beta1;
  ExpectDraPlugin<dra::NodePrepareResourcesRequest, dra::NodePrepareResourcesResponse,
                  dra::NodeUnprepareResourcesRequest, dra::NodeUnprepareResourcesResponse,
                  dra::Claim>("v1beta1");
  EXPECT_THAT(Fields(dra::NodePrepareResourceResponse::descriptor()),
              ElementsAre("repeated Device devices = 1", "string error = 2"));
  EXPECT_THAT(Fields(dra::NodeUnprepareResourceResponse::descriptor()),
              ElementsAre("string error = 1"));
  EXPECT_THAT(Fields(dra::Device::descriptor()),
              ElementsAre("repeated string request_names = 1", "string pool_name = 2",
                          "string device_name = 3", "repeated string cdi_device_ids = 4"));
}

template <typename Request, typename Response, typename Health, typename Identifier>
void ExpectResourceHealth(const std::string& version) {
  EXPECT_THAT(Methods(Request::descriptor()->file()),
              ElementsAre("/" + version +
                          ".DRAResourceHealth/NodeWatchResources(NodeWatchResourcesRequest) -> "
                          "stream NodeWatchResourcesResponse"));
  EXPECT_THAT(Fields(Request::descriptor()), ElementsAre());
  EXPECT_THAT(Fields(Response::descriptor()), ElementsAre("repeated DeviceHealth devices = 1"));
  EXPECT_THAT(Fields(Health::descriptor()),
              ElementsAre("DeviceIdentifier device = 1", "HealthStatus health = 2",
                          "int64 last_updated_time = 3", "int64 health_check_timeout_seconds = 4",
                          "string message = 5"));
  EXPECT_THAT(Fields(Identifier::descriptor()),
              ElementsAre("string pool_name = 1", "string device_name = 2"));
}

TEST(KubeletProtoTest, ResourceHealth) {
  ExpectResourceHealth<v1alpha1::NodeWatchResourcesRequest, v1alpha1::NodeWatchResourcesResponse,
                       v1alpha1::DeviceHealth, v1alpha1::DeviceIdentifier>("v1alpha1");
  ExpectResourceHealth<v1::NodeWatchResourcesRequest, v1::NodeWatchResourcesResponse,
                       v1::DeviceHealth, v1::DeviceIdentifier>("v1");
  EXPECT_EQ(static_cast<int>(v1::UNKNOWN), 0);
  EXPECT_EQ(static_cast<int>(v1::HEALTHY), 1);
  EXPECT_EQ(static_cast<int>(v1::UNHEALTHY), 2);
  EXPECT_EQ(static_cast<int>(v1alpha1::UNKNOWN), 0);
  EXPECT_EQ(static_cast<int>(v1alpha1::HEALTHY), 1);
  EXPECT_EQ(static_cast<int>(v1alpha1::UNHEALTHY), 2);
}

TEST(KubeletProtoTest, PodResources) {
  const std::string service = "/v1.PodResourcesLister/";
  EXPECT_THAT(Methods(v1::PodResources::descriptor()->file()),
              ElementsAre(service + "List(ListPodResourcesRequest) -> ListPodResourcesResponse",
                          service + "GetAllocatableResources(AllocatableResourcesRequest) -> "
                                    "AllocatableResourcesResponse",
                          service + "Get(GetPodResourcesRequest) -> GetPodResourcesResponse"));
  EXPECT_THAT(Fields(v1::ListPodResourcesResponse::descriptor()),
              ElementsAre("repeated PodResources pod_resources = 1"));
  EXPECT_THAT(Fields(v1::GetPodResourcesRequest::descriptor()),
              ElementsAre("string pod_name = 1", "string pod_namespace = 2"));
  EXPECT_THAT(Fields(v1::GetPodResourcesResponse::descriptor()),
              ElementsAre("PodResources pod_resources = 1"));
  EXPECT_THAT(Fields(v1::PodResources::descriptor()),
              ElementsAre("string name = 1", "string namespace = 2",
                          "repeated ContainerResources containers = 3"));
  EXPECT_THAT(Fields(v1::ContainerResources::descriptor()),
              ElementsAre("string name = 1", "repeated ContainerDevices devices = 2",
                          "repeated int64 cpu_ids = 3", "repeated ContainerMemory memory = 4",
                          "repeated DynamicResource dynamic_resources = 5"));
  EXPECT_THAT(Fields(v1::DynamicResource::descriptor()),
              ElementsAre("string claim_name = 2", "string claim_namespace = 3",
                          "repeated ClaimResource claim_resources = 4"));
  EXPECT_THAT(Fields(v1::ClaimResource::descriptor()),
              ElementsAre("repeated CDIDevice cdi_devices = 1", "string driver_name = 2",
                          "string pool_name = 3", "string device_name = 4",
                          "optional string share_id = 5"));
  EXPECT_THAT(Fields(v1::CDIDevice::descriptor()), ElementsAre("string name = 1"));
  EXPECT_THAT(Fields(v1::ContainerDevices::descriptor()),
              ElementsAre("string resource_name = 1", "repeated string device_ids = 2",
                          "TopologyInfo topology = 3"));
  EXPECT_THAT(
      Fields(v1::ContainerMemory::descriptor()),
      ElementsAre("string memory_type = 1", "uint64 size = 2", "TopologyInfo topology = 3"));
  EXPECT_THAT(Fields(v1::TopologyInfo::descriptor()), ElementsAre("repeated NUMANode nodes = 1"));
  EXPECT_THAT(Fields(v1::NUMANode::descriptor()), ElementsAre("int64 ID = 1"));
}

}  // namespace
