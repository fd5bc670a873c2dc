#include "kafka/certificates.hpp"

namespace outbox::kafka {

std::string ExplainCertificate(int x509_error) {
  switch (x509_error) {
    case 2:   // X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT
    case 18:  // X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
    case 19:  // X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
    case 20:  // X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    case 21:  // X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE
    case 7:   // X509_V_ERR_CERT_SIGNATURE_FAILURE
      return "its certificate is signed by an authority that is not trusted here; name that authority's certificate in "
             "ssl.ca.location";
    case 9:  // X509_V_ERR_CERT_NOT_YET_VALID
      return "its certificate, or its authority's, is not valid yet; compare the clocks";
    case 10:  // X509_V_ERR_CERT_HAS_EXPIRED
      return "its certificate, or its authority's, has expired; renew it";
    case 23:  // X509_V_ERR_CERT_REVOKED
      return "its certificate was revoked; give the broker another";
    case 3:   // X509_V_ERR_UNABLE_TO_GET_CRL
    case 12:  // X509_V_ERR_CRL_HAS_EXPIRED
      return "its authority's list of revoked certificates is missing or has expired; renew ssl.crl.location";
    case 62:  // X509_V_ERR_HOSTNAME_MISMATCH
    case 64:  // X509_V_ERR_IP_ADDRESS_MISMATCH
      return "its certificate is for another host name; let the broker advertise a name in its certificate, or "
             "give it a certificate for this name";
    default:
      return "its certificate is not valid (OpenSSL's verification error " + std::to_string(x509_error) + ")";
  }
}

std::string CertificateTroubles::Of(const std::string& address) const {
  const std::lock_guard lock(mutex_);
  const auto found = troubles_.find(address);
  return found != troubles_.end() ? found->second : std::string();
}

void CertificateTroubles::Take(const std::string& address, const std::string& trouble) {
  const std::lock_guard lock(mutex_);
  troubles_.insert_or_assign(address, trouble);
}

}  // namespace outbox::kafka
