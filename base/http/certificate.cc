#include "base/http/certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <utility>

namespace assay::http {
namespace {

constexpr long kHour = 60 * 60;
constexpr long kYear = 365 * 24 * kHour;

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* value) const {
    Free(value);
  }
};
using KeyHandle = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using CertificateHandle = std::unique_ptr<X509, Deleter<X509_free>>;
using BioHandle = std::unique_ptr<BIO, Deleter<BIO_free>>;
using ExtensionHandle = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;

Status OpenSslError(std::string_view what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  return InternalError(std::string(what) + ": " + text.data());
}

std::string ToString(BIO* bio) {
  char* data = nullptr;
  long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<std::size_t>(size));
}

struct Spec {
  std::string common_name;
  std::vector<std::string> organizations;
  std::vector<std::pair<int, std::string>> extensions;  // NID and OpenSSL's notation.
};

bool AddName(X509_NAME* name, const char* field, const std::string& value) {
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(value.data()),
                                    static_cast<int>(value.size()), -1, 0) == 1;
}

bool AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  ExtensionHandle extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool SetSerial(X509* certificate) {
  std::uint64_t serial = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial)) != 1) {
    return false;
  }
  return ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) == 1;
}

// Signed by `issuer`; self-signed where that is null.
Result<KeyPair> Make(const Spec& spec, const KeyPair* issuer) {
  KeyHandle key(EVP_EC_gen("P-256"));
  CertificateHandle certificate(X509_new());
  if (key == nullptr || certificate == nullptr) {
    return OpenSslError("making a key");
  }
  KeyHandle issuer_key;
  CertificateHandle issuer_certificate;
  if (issuer != nullptr) {
    BioHandle key_bio(BIO_new_mem_buf(issuer->key_pem.data(), -1));
    BioHandle certificate_bio(BIO_new_mem_buf(issuer->certificate_pem.data(), -1));
    issuer_key.reset(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
    issuer_certificate.reset(PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, nullptr));
    if (issuer_key == nullptr || issuer_certificate == nullptr) {
      return OpenSslError("reading the authority's key pair");
    }
  }
  X509* signer = issuer == nullptr ? certificate.get() : issuer_certificate.get();

  X509_NAME* name = X509_get_subject_name(certificate.get());
  bool ok = X509_set_version(certificate.get(), 2) == 1 && SetSerial(certificate.get()) &&
            X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kHour) != nullptr &&
            X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 10 * kYear) != nullptr &&
            AddName(name, "CN", spec.common_name);
  for (const std::string& organization : spec.organizations) {
    ok = ok && AddName(name, "O", organization);
  }
  ok = ok && X509_set_issuer_name(certificate.get(), X509_get_subject_name(signer)) == 1 &&
       X509_set_pubkey(certificate.get(), key.get()) == 1;
  for (const auto& [nid, value] : spec.extensions) {
    ok = ok && AddExtension(certificate.get(), signer, nid, value);
  }
  ok = ok && X509_sign(certificate.get(), issuer == nullptr ? key.get() : issuer_key.get(),
                       EVP_sha256()) != 0;
  if (!ok) {
    return OpenSslError("making a certificate for " + spec.common_name);
  }

  BioHandle certificate_out(BIO_new(BIO_s_mem()));
  BioHandle key_out(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(certificate_out.get(), certificate.get()) != 1 ||
      PEM_write_bio_PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
          1) {
    return OpenSslError("writing a key pair");
  }
  return KeyPair{.certificate_pem = ToString(certificate_out.get()),
                 .key_pem = ToString(key_out.get())};
}

}  // namespace

Result<CertificateAuthority> CertificateAuthority::Create(const std::string& common_name) {
  Spec spec{.common_name = common_name,
            .extensions = {{NID_basic_constraints, "critical,CA:TRUE"},
                           {NID_key_usage, "critical,digitalSignature,keyCertSign,cRLSign"},
                           {NID_subject_key_identifier, "hash"}}};
  ASSAY_ASSIGN_OR_RETURN(KeyPair key_pair, Make(spec, nullptr));
  return CertificateAuthority(std::move(key_pair));
}

Result<KeyPair> CertificateAuthority::IssueServer(
    const std::vector<std::string>& extra_dns_names) const {
  std::string names = "IP:127.0.0.1,IP:::1,DNS:localhost";
  for (const std::string& name : extra_dns_names) {
    names += ",DNS:" + name;
  }
  return Make({.common_name = "localhost",
               .extensions = {{NID_basic_constraints, "critical,CA:FALSE"},
                              {NID_key_usage, "critical,digitalSignature,keyEncipherment"},
                              {NID_ext_key_usage, "serverAuth"},
                              {NID_subject_alt_name, names},
                              {NID_authority_key_identifier, "keyid"}}},
              &key_pair_);
}

Result<KeyPair> CertificateAuthority::IssueClient(
    const std::string& common_name, const std::vector<std::string>& organizations) const {
  return Make({.common_name = common_name,
               .organizations = organizations,
               .extensions = {{NID_basic_constraints, "critical,CA:FALSE"},
                              {NID_key_usage, "critical,digitalSignature,keyEncipherment"},
                              {NID_ext_key_usage, "clientAuth"},
                              {NID_authority_key_identifier, "keyid"}}},
              &key_pair_);
}

}  // namespace assay::http
