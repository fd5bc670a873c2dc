// Finds out why a broker's certificate is refused. librdkafka's own error is the same for a wrong authority, a wrong
// name and an expired certificate; only its verification callback shows the reason.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "kafka/rdkafka.hpp"

namespace outbox::kafka {

// Returns why a certificate was refused, with the fix, such as "its certificate was revoked; ...". `x509_error` is one
// of OpenSSL's X509_V_ERR_* values.
[[nodiscard]] std::string ExplainCertificate(int x509_error);

// The latest problem with the certificate of each broker, for one client. Thread: any
class CertificateTroubles {
 public:
  // Returns the latest problem with the certificate of the broker at this address, "host:port"; "" if there is none.
  [[nodiscard]] std::string Of(const std::string& address) const;
  void Take(const std::string& address, const std::string& trouble);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> troubles_;
};

// The type of a function that returns the CertificateTroubles for the opaque pointer of a client.
using FindTroubles = CertificateTroubles& (*)(void* opaque);
// Sets a verification callback in `conf` that stores why a certificate is refused, in the CertificateTroubles that
// `find` returns. Does nothing if librdkafka was built without TLS.
template <FindTroubles find>
void WatchCertificates(rd_kafka_conf_t* conf) {
  (void)rd_kafka_conf_set_ssl_cert_verify_cb(
      conf, [](rd_kafka_t*, const char* address, std::int32_t, int* error, int, const char*, std::size_t, char* text,
               std::size_t size, void* opaque) {
        if (*error == 0) return 1;
        const std::string trouble = ExplainCertificate(*error);
        find(opaque).Take(address, trouble);
        if (size > 0) text[trouble.copy(text, size - 1)] = 0;
        return 0;
      });
}

}  // namespace outbox::kafka
