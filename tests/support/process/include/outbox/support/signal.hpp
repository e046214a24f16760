#pragma once

#include <map>
#include <string>
#include <vector>

namespace outbox::support {

/// Something that an armed program says has happened (faults::signal), or what a test waits for: then it
/// stands for all of its name that have these values, and these words in some value.
struct Signal {
    explicit Signal(std::string of_name) : name(std::move(of_name)) {}
    Signal(std::string of_name, int shard)
        : name(std::move(of_name)),
          values{{"shard", std::to_string(shard)}} {}

    /// The same, but only with this value.
    [[nodiscard]] Signal with(const std::string& value_name, const std::string& value) const;
    /// The same, but only with these words in some value.
    [[nodiscard]] Signal saying(const std::string& some_words) const;

    [[nodiscard]] bool matches(const Signal& said) const;

    std::string name;
    std::map<std::string, std::string> values;
    std::string words = {};
};

/// The lines of a signals' file; one that is being written yet is left out.
std::vector<Signal> signals_of(const std::string& text);

} // namespace outbox::support
