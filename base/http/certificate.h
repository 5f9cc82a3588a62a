// Certificates made at run time: an authority that lives as long as one run and the certificates
// that it issues. Keys are ECDSA P-256.
//
// Thread-safe: immutable values.
#ifndef ASSAY_BASE_HTTP_CERTIFICATE_H_
#define ASSAY_BASE_HTTP_CERTIFICATE_H_

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace assay::http {

struct KeyPair {
  std::string certificate_pem;
  std::string key_pem;
};

class CertificateAuthority {
 public:
  // A self-signed authority, valid from an hour ago for ten years.
  static Result<CertificateAuthority> Create(const std::string& common_name);

  const std::string& certificate_pem() const { return key_pair_.certificate_pem; }

  // For a server at 127.0.0.1, ::1, localhost and `extra_dns_names`.
  Result<KeyPair> IssueServer(const std::vector<std::string>& extra_dns_names = {}) const;
  // For a client: Kubernetes takes the common name for the user and organisations for the groups.
  Result<KeyPair> IssueClient(const std::string& common_name,
                              const std::vector<std::string>& organizations = {}) const;

 private:
  explicit CertificateAuthority(KeyPair key_pair) : key_pair_(std::move(key_pair)) {}
  KeyPair key_pair_;
};

}  // namespace assay::http

#endif  // ASSAY_BASE_HTTP_CERTIFICATE_H_
