#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

namespace checker {

/// Each distinct text once, known by a small number: half a million events share few keys, topics and types.
class Names {
public:
    [[nodiscard]] std::uint32_t number(std::string_view text) {
        const auto found = numbers_.find(text);
        if (found != numbers_.end()) {
            return found->second;
        }
        const auto& kept = texts_.emplace_back(text); // a deque never moves what it holds
        const auto fresh = static_cast<std::uint32_t>(texts_.size() - 1);
        numbers_.emplace(kept, fresh);
        return fresh;
    }
    [[nodiscard]] const std::string& text(std::uint32_t number) const { return texts_[number]; }

private:
    std::deque<std::string> texts_;
    std::unordered_map<std::string_view, std::uint32_t> numbers_;
};

} // namespace checker
