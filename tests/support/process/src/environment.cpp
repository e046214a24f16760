#include <outbox/support/environment.hpp>

#include <cstdlib>
#include <stdexcept>

namespace outbox::support {

std::optional<std::string> optional_variable(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

std::string required_variable(const std::string& name) {
    if (auto value = optional_variable(name)) {
        return *value;
    }
    throw std::runtime_error(
        "the environment variable " + name +
        " is not set: this test needs the real server it names; make stack-up starts one, "
        "make test does it all");
}

} // namespace outbox::support
