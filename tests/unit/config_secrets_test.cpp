// Tests that secrets can be given by reference, and are never printed.
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "config/secrets.hpp"
#include "tests/catch.hpp"
#include "tests/unit/kafka_config.hpp"

namespace outbox::config {
namespace {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "config-test-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;

  std::filesystem::path Write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    const std::filesystem::path file = path_ / name;
    std::ofstream(file, std::ios::binary) << text;
    REQUIRE(chmod(file.c_str(), mode) == 0);
    return file;
  }

 private:
  std::filesystem::path path_;
};

constexpr const char* kCanary = "s3cr3t-canary";

TEST_CASE("references are resolved for the plugin and for Kafka, and shown as references") {
  const Folder folder;
  setenv("OUTBOX_TEST_SECRET", kCanary, 1);
  folder.Write("kafka-password", std::string(kCanary) + "\r\n");
  const auto file = folder.Write("relay.json", R"({
    "storage": { "plugin": "memory", "options": {
      "connection": "host=db password=${env:OUTBOX_TEST_SECRET} user=x", "deep": [ { "note": "${env:OUTBOX_TEST_SECRET}" } ],
      "escaped": "$${env:OUTBOX_TEST_SECRET}" } },
    "publisher": { "kafka": { "bootstrap.servers": "k:1", "sasl.password": "${file:kafka-password}",
                              "client.id": "${env:OUTBOX_TEST_SECRET}" } },
    "relay": { "id": "${env:OUTBOX_TEST_SECRET}" } })",
                                 0644);
  const auto config = Load(file);
  INFO(config.status().text());
  REQUIRE(config.ok());
  const Secrets& secrets = *config->storage.secrets;
  CHECK(config->storage.options.find(kCanary) == std::string::npos);
  CHECK(secrets.Fill(config->storage.options, secrets.Current()) ==
        R"({"connection":"host=db password=s3cr3t-canary user=x","deep":[{"note":"s3cr3t-canary"}],)"
        R"("escaped":"${env:OUTBOX_TEST_SECRET}"})");
  CHECK(config->publisher.kafka.at("sasl.password") == kCanary);
  CHECK(config->relay.id == kCanary);
  INFO(config->effective_json);
  CHECK(config->effective_json.find(kCanary) == std::string::npos);
  CHECK(config->effective_json.find("host=db password=${env:OUTBOX_TEST_SECRET} user=x") != std::string::npos);
  CHECK(config->effective_json.find(R"("sasl.password":"${file:kafka-password}")") != std::string::npos);
  CHECK(config->warnings.empty());
}

TEST_CASE("secrets in plain text are hidden, and a warning is given for a file that others can read") {
  const Folder folder;
  const std::string text = R"({
    "storage": { "plugin": "memory", "options": {
      "connection": "host=db password='s3cr3t-canary' user=x", "url": "postgresql://me:s3cr3t-canary@db/shop",
      "token": "s3cr3t-canary", "auth_secret": { "value": "s3cr3t-canary", "list": ["s3cr3t-canary"] } } },
    "publisher": { "kafka": { "bootstrap.servers": "k:1", "sasl.username": "s3cr3t-canary",
                              "sasl.password": "s3cr3t-canary" } } })";
  const auto open = Load(folder.Write("open.json", text, 0640));
  INFO(open.status().text());
  REQUIRE(open.ok());
  INFO(open->effective_json);
  CHECK(open->effective_json.find(kCanary) == std::string::npos);
  CHECK(open->effective_json.find("host=db password=<hidden> user=x") != std::string::npos);
  CHECK(open->effective_json.find("postgresql://me:<hidden>@db/shop") != std::string::npos);
  REQUIRE(open->warnings.size() == 1);
  INFO(open->warnings[0]);
  CHECK(open->warnings[0].find("open.json can be read by other users") != std::string::npos);
  CHECK(open->warnings[0].find("/storage/options/connection, ") != std::string::npos);
  CHECK(open->warnings[0].find("/publisher/kafka/sasl.password") != std::string::npos);
  CHECK(open->warnings[0].find(kCanary) == std::string::npos);

  CHECK(Load(folder.Write("closed.json", text, 0600))->warnings.empty());
}

TEST_CASE(
    "neither a property made of parts that are references nor the client library's message about it shows a secret") {
  const Folder folder;
  setenv("OUTBOX_TEST_SECRET", kCanary, 1);
  setenv("OUTBOX_TEST_CURVES", "X25519:my-own-curve", 1);
  const auto config = Load(folder.Write("open.json", R"({ "storage": { "plugin": "memory" }, "publisher": { "kafka": {
      "bootstrap.servers": "k:1", "sasl.oauthbearer.config": "principal=${env:OUTBOX_TEST_SECRET}",
      "ssl.curves.list": "${env:OUTBOX_TEST_CURVES}" } } })",
                                        0644));
  INFO(config.status().text());
  REQUIRE(config.ok());
  CHECK(config->warnings.empty());
  CHECK(config->effective_json.find("principal=${env:OUTBOX_TEST_SECRET}") != std::string::npos);
  CHECK(config->publisher.secrets->Clean("group 'my-own-curve' cannot be set") == "group '<hidden>' cannot be set");
  const auto literal =
      Load(folder.Write("literal.json", R"({ "storage": { "plugin": "memory" }, "publisher": { "kafka": {
      "bootstrap.servers": "k:1", "sasl.oauthbearer.config": "principal=${env:OUTBOX_TEST_SECRET} scope=x" } } })",
                        0644));
  REQUIRE(literal.ok());
  CHECK(literal->warnings.size() == 1);
}

TEST_CASE("no message about a broken configuration shows a secret", "[b14]") {
  setenv("OUTBOX_TEST_SECRET", kCanary, 1);
  for (const auto* text : {
           R"({ "storage": { "plugin": "${env:OUTBOX_TEST_SECRET}!" } })",
           R"({ "storage": { "plugin_path": "${env:OUTBOX_TEST_SECRET}" } })",
           R"({ "publisher": { "type": "${env:OUTBOX_TEST_SECRET}" } })",
           R"({ "publisher": { "kafka": { "linger.ms": "${env:OUTBOX_TEST_SECRET}" } } })",
           R"({ "publisher": { "kafka": { "debug": "all ${env:OUTBOX_TEST_SECRET}" } } })",
           R"({ "relay": { "id": "a b ${env:OUTBOX_TEST_SECRET}" } })",
           R"({ "relay": { "batch_size": "${env:OUTBOX_TEST_SECRET}" } })",
           R"({ "publisher": { "kafka": { "sasl.password": ["s3cr3t-canary"] } } })",
       }) {
    const auto config = Parse(text, "relay.json");
    REQUIRE(!config.ok());
    INFO(text << "\n" << config.status().text());
    CHECK(config.status().text().find(kCanary) == std::string::npos);
  }
}

TEST_CASE("a text that cannot be a secret is refused") {
  const Folder folder;
  const auto problem_of = [&](const std::string& reference) {
    const auto file = folder.Write("relay.json", R"({ "relay": { "id": ")" + reference + R"(" } })");
    return Load(file).status().text();
  };
  folder.Write("binary", "\xff\xfe");
  folder.Write("nul", std::string("a\0b", 3));
  CHECK(problem_of("${file:binary}").find("the value of ${file:binary} is not UTF-8 text") != std::string::npos);
  CHECK(problem_of("${file:nul}").find("the text contains a NUL character") != std::string::npos);
  CHECK(problem_of("${file:.}").find("is a directory") != std::string::npos);
  CHECK(problem_of("${env:X").find("a ${ without a closing }") != std::string::npos);
}

TEST_CASE("passwords are hidden in texts of other programs") {
  CHECK(Redact("connect host=a password=p w") == "connect host=a password=<hidden> w");
  CHECK(Redact("PASSWORD = 'a b\\'c' port=1") == "PASSWORD = <hidden> port=1");
  CHECK(Redact("pwd=a;pass=b&x=1") == "pwd=<hidden>;pass=<hidden>&x=1");
  CHECK(Redact("sslpassword=a\\ b c=1") == "sslpassword=<hidden> c=1");
  CHECK(Redact("mysql://u:p@ss@h/d?password=q&a=b") == "mysql://u:<hidden>@h/d?password=<hidden>&a=b");
  CHECK(Redact("http://h:80/x y@z") == "http://h:80/x y@z");
  CHECK(Redact("host=a port=1") == "host=a port=1");
  CHECK(Redact("password=") == "password=");
}

TEST_CASE("secrets are hidden in texts, whole, encoded, cut and in parts", "[b113]") {
  setenv("OUTBOX_TEST_SECRET", "pa/ss@w rd%'x", 1);
  Secrets secrets;
  const std::string mark = secrets.Add("env:OUTBOX_TEST_SECRET", "").mark;
  CHECK(secrets.Fill("a " + mark + "b", secrets.Current()) == "a pa/ss@w rd%'xb");
  CHECK(secrets.Clean("user \"pa/ss@w rd%'x\" at pa%2Fss%40w%20rd%25%27x or pa/ss@w rd%''x") ==
        "user \"${env:OUTBOX_TEST_SECRET}\" at ${env:OUTBOX_TEST_SECRET} or ${env:OUTBOX_TEST_SECRET}");
  secrets.Hide("hunter2/tail77");
  CHECK(secrets.Clean("port \"hunter2\", host tail77, hunter2000") == "port \"<hidden>\", host <hidden>, hunter2000");
  const std::string cut(300, '.');
  CHECK(secrets.Clean(cut + "hunter2/ta") == cut + "<hidden>");
  secrets.Hide("abc");
  CHECK(secrets.Clean("abc abcd \"abc\"") == "<hidden> abcd \"<hidden>\"");
}

TEST_CASE("a name with a reference in it is shown as written, and its parts are not secrets", "[b113]") {
  setenv("OUTBOX_TEST_FOLDER", "/etc/certificates", 1);
  Secrets secrets(Secrets::Hides::kGivenOnly);
  const std::string mark = secrets.Add("env:OUTBOX_TEST_FOLDER", "").mark;
  secrets.ShowAsWritten(mark + "/ca.pem", secrets.Current());
  CHECK(secrets.Clean("/etc/certificates/ca.pem holds no certificates") ==
        "${env:OUTBOX_TEST_FOLDER}/ca.pem holds no certificates");
}

TEST_CASE("a secret in a file is read again, and keeps its value while the file cannot be read", "[b110]") {
  const Folder folder;
  const auto file = folder.Write("password", "one\n");
  Secrets secrets;
  const std::string mark = secrets.Add("file:password", file.parent_path()).mark;
  const Secrets::Values first = secrets.Current();
  folder.Write("password", "two");
  CHECK(secrets.Fill(mark, secrets.Reread()) == "two");
  CHECK(secrets.Fill(mark, first) == "one");
  CHECK(secrets.Clean("one two three") == "${file:password} ${file:password} three");
  std::filesystem::remove(file);
  CHECK(secrets.Fill(mark, secrets.Reread()) == "two");
  CHECK(secrets.TakeProblems().size() == 1);
  (void)secrets.Reread();
  CHECK(secrets.TakeProblems().empty());
}

TEST_CASE("a changed secret is used for a Kafka property only if its value is allowed", "[b110][b113]") {
  const Folder folder;
  folder.Write("server", "k1");
  folder.Write("check", "true");
  const auto config = Load(folder.Write("relay.json", R"({ "storage": { "plugin": "memory" }, "publisher": { "kafka": {
    "bootstrap.servers": "${file:server}:9092,k2:9092", "enable.ssl.certificate.verification": "${file:check}" } } })"));
  REQUIRE(config.ok());
  CHECK(config->publisher.kafka_now().at("bootstrap.servers") == "k1:9092,k2:9092");
  folder.Write("server", "k3");
  CHECK(config->publisher.kafka_now().at("bootstrap.servers") == "k3:9092,k2:9092");
  folder.Write("server", "evil:1,k3");
  CHECK(config->publisher.kafka_now().at("bootstrap.servers") == "k3:9092,k2:9092");
  folder.Write("server", "k4");
  folder.Write("check", "false");
  CHECK(config->publisher.kafka_now().at("bootstrap.servers") == "k3:9092,k2:9092");
  CHECK(config->publisher.kafka_now().at("enable.ssl.certificate.verification") == "true");
}

TEST_CASE("a configuration file that cannot be read is reported") {
  const Folder folder;
  const auto missing = Load("/nowhere/relay.json");
  REQUIRE(!missing.ok());
  CHECK(missing.status().code() == OUTBOX_BAD_CONFIG);
  CHECK(missing.status().text() ==
        "/nowhere/relay.json: cannot read the configuration: No such file or directory; set the path with --config "
        "FILE or OUTBOX_RELAY_CONFIG");
  CHECK(Load("/").status().text() == "/: is a directory; expected a configuration file");
  CHECK(Load(folder.Write("big.json", std::string((1 << 20) + 1, ' '))).status().text().find("larger than 1 MiB") !=
        std::string::npos);
}

}  // namespace
}  // namespace outbox::config
