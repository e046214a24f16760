#pragma once

#include "client.hpp"

#include <outbox/support/database.hpp>
#include <outbox/support/process.hpp>
#include <outbox/support/wait.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace outbox {

using support::wait_until;

/// The real outbox-server on a free port.
class TestServer {
public:
    /// @param environment  on top of this process's; PORT is 0 unless it is in there.
    explicit TestServer(const std::map<std::string, std::string>& environment);

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] support::Process& process() noexcept { return process_; }
    /// Resident memory in KiB.
    [[nodiscard]] long resident_kib() const;

    Reply ask(std::string_view method, std::string_view target, std::string_view body = {},
              const Fields& fields = {}) const {
        return outbox::ask(port_, method, target, body, fields);
    }

private:
    support::Process process_;
    std::uint16_t port_ = 0;
};

/// A migrated database of the test's own, and a server on it.
class HttpTest : public testing::Test {
protected:
    HttpTest() : HttpTest(std::map<std::string, std::string>{}) {}
    explicit HttpTest(const std::map<std::string, std::string>& settings);

    Reply ask(std::string_view method, std::string_view target, std::string_view body = {},
              const Fields& fields = {}) const {
        return server.ask(method, target, body, fields);
    }
    /// Adds a user. @return its path.
    std::string add_user(const std::string& email, const std::string& name = "Ada");
    /// True when every user has exactly one user.created event, and every such event its user.
    bool users_match_events();

    support::TestDatabase database;
    TestServer server;
};

/// `extra` on top of `base`.
std::map<std::string, std::string> with(std::map<std::string, std::string> base,
                                        const std::map<std::string, std::string>& extra);

/// Runs `work(i)` for i in [0, count), each on a thread of its own, and waits for all.
void in_parallel(int count, const std::function<void(int)>& work);

} // namespace outbox
