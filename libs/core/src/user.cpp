#include "outbox/core/user.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <array>

namespace outbox {

std::string user_and_host() {
    std::array<char, 256> host{};
    gethostname(host.data(), host.size() - 1);
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    getpwuid_r(getuid(), &entry, buffer.data(), buffer.size(), &found);
    return fmt::format("{}@{}", found != nullptr ? found->pw_name : std::to_string(getuid()), host.data());
}

} // namespace outbox
