#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace outbox::support {

/// A PostgreSQL and a Kafka of a program's own, by tools/stack; they go down with this object. The variables
/// that programs need are set in this process as well: make it before other threads start.
class Stack {
public:
    struct Options {
        int brokers = 1;
        std::string postgres_options = {}; ///< lines of postgresql.conf
        std::string kafka_options = {};    ///< lines of server.properties
    };
    explicit Stack(const Options& options);
    Stack(const Stack&) = delete;
    Stack& operator=(const Stack&) = delete;
    ~Stack();

    /// tools/stack with these words. @return what it printed. @throws std::runtime_error when it fails
    std::string run(const std::vector<std::string>& words) const; // NOLINT(modernize-use-nodiscard)
    /// What run() starts, for who does not want to wait.
    [[nodiscard]] std::vector<std::string> command(const std::vector<std::string>& words) const;

    [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_; }

private:
    void set_variables() const;
    void take_down() const noexcept;

    std::filesystem::path folder_;
    std::map<std::string, std::string> options_;
};

} // namespace outbox::support
