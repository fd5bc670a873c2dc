#include "kafka/tls_files.hpp"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>

#include "util/shortage.hpp"

namespace outbox::kafka {
namespace {

struct FileProperty {
  const char* name;
  const char* what;      // the expected content of the file
  std::string_view pem;  // the end of the PEM header before "-----"; empty = the file is not in PEM format
  bool may_be_folder = false;
};

constexpr std::array kFileProperties = {
    FileProperty{"ssl.ca.location", "certificates of authorities in PEM", "CERTIFICATE", true},
    FileProperty{"ssl.crl.location", "a list of revoked certificates in PEM", "X509 CRL"},
    FileProperty{"ssl.certificate.location", "the relay's own certificate in PEM", "CERTIFICATE"},
    FileProperty{"ssl.key.location", "the relay's private key in PEM", "PRIVATE KEY"},
    FileProperty{"ssl.keystore.location", "a PKCS#12 store", ""},
};

std::string ValueOf(const rd_kafka_conf_t* conf, const char* name) {
  std::size_t size = 0;
  if (rd_kafka_conf_get(conf, name, nullptr, &size) != RD_KAFKA_CONF_OK || size < 2) return {};
  std::string value(size, '\0');
  if (rd_kafka_conf_get(conf, name, value.data(), &size) != RD_KAFKA_CONF_OK) return {};
  value.resize(value.find('\0'));
  return value;
}

Status Unusable(const FileProperty& property, const std::string& file, const std::string& why, int error = 0) {
  return {IsShortage(error) ? kShortage : outbox_code{OUTBOX_BAD_CONFIG},
          "/publisher/kafka/" + std::string(property.name) + ": " + file + " " + why + "; expected a file" +
              (property.may_be_folder ? " or folder" : "") + " with " + property.what};
}

Status CannotBeRead(const FileProperty& property, const std::string& file, int error) {
  if (error == ENOENT) return Unusable(property, file, "does not exist");
  return Unusable(property, file, "cannot be read: " + std::generic_category().message(error), error);
}

bool HoldsPem(const std::string& text, std::string_view pem) {
  const std::string end = std::string(pem) + "-----";
  for (auto at = text.find("-----BEGIN "); at != std::string::npos; at = text.find("-----BEGIN ", at + 1)) {
    const auto found = text.find(end, at);
    if (found != std::string::npos && found < text.find('\n', at)) return true;
  }
  return false;
}

Status Trouble(const FileProperty& property, const std::string& file) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) return CannotBeRead(property, file, errno);
  if (S_ISDIR(info.st_mode)) return property.may_be_folder ? Status() : Unusable(property, file, "is a folder");
  if (!S_ISREG(info.st_mode)) return {};  // a pipe is not checked, because it can be read only once
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return CannotBeRead(property, file, errno);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (text.empty()) return Unusable(property, file, "is empty");
  if (!property.pem.empty() && !HoldsPem(text, property.pem))
    return Unusable(property, file, "holds no \"" + std::string(property.pem) + "\"");
  return {};
}

}  // namespace

Status TlsFileTrouble(const rd_kafka_conf_t* conf) {
  for (const FileProperty& property : kFileProperties) {
    const std::string file = ValueOf(conf, property.name);
    // With the value "probe", librdkafka itself searches for the certificates.
    if (file.empty() || (property.may_be_folder && file == "probe")) continue;
    if (Status trouble = Trouble(property, file); !trouble.ok()) return trouble;
  }
  return {};
}

}  // namespace outbox::kafka
