#include <outbox/support/process.hpp>
#include <outbox/support/stack.hpp>

#include <cstdlib>
#include <iostream>
#include <sstream>
#include <stdexcept>

namespace outbox::support {
namespace {

std::string new_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "outbox-servers.XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
        throw std::runtime_error("no folder for servers");
    }
    return name;
}

} // namespace

Stack::Stack(const Options& options)
    : folder_(new_folder()),
      options_{{"STACK_BROKERS", std::to_string(options.brokers)},
               {"STACK_POSTGRES_OPTIONS", options.postgres_options},
               {"STACK_KAFKA_OPTIONS", options.kafka_options}} {
    try {
        run({"up"});
        set_variables();
    } catch (...) {
        take_down();
        throw;
    }
}

Stack::~Stack() {
    take_down();
}

void Stack::take_down() const noexcept {
    try {
        run({"down"});
    } catch (const std::exception& error) {
        std::cerr << "the servers in " << folder_ << " are left behind: " << error.what() << '\n';
    }
}

std::vector<std::string> Stack::command(const std::vector<std::string>& words) const {
    std::vector<std::string> command{std::string(OUTBOX_SOURCE_DIR) + "/tools/stack", "--dir",
                                     folder_.string()};
    command.insert(command.end(), words.begin(), words.end());
    return command;
}

std::string Stack::run(const std::vector<std::string>& words) const {
    const auto outcome = support::run({command(words), options_}, std::chrono::seconds(180));
    if (outcome.exit_code != 0) {
        throw std::runtime_error("tools/stack " + words.front() + ": " + outcome.output + outcome.errors);
    }
    return outcome.output;
}

void Stack::set_variables() const {
    const std::string word = "export ";
    std::istringstream lines(run({"env"}));
    for (std::string line; std::getline(lines, line);) {
        const auto equals = line.find('=');
        if (line.starts_with(word) && equals != std::string::npos) {
            const auto variable = line.substr(word.size(), equals - word.size());
            setenv(variable.c_str(), line.c_str() + equals + 1, 1); // NOLINT(concurrency-mt-unsafe)
        }
    }
}

} // namespace outbox::support
