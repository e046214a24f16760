#include "json_field.hpp"

#include <outbox/core/json.hpp>

#include <utility>

namespace outbox::partition {
namespace {

/// Walks the text without building it, and ends the walk at the field.
class Finder final : public json::Visitor {
public:
    explicit Finder(const std::vector<std::string>& path) : path_(path) {}

    [[nodiscard]] std::optional<std::string> found() && { return std::move(found_); }

    bool open_object() override { return open(false); }
    bool open_array() override { return open(true); }
    bool close_object() override { return close(); }
    bool close_array() override { return close(); }
    bool name(std::string_view text) override {
        if (on_path_ == depth_ && on_path_ > 0) {
            next_is_wanted_ = text == path_[on_path_ - 1];
        }
        return true;
    }
    bool scalar(json::Kind kind, std::string_view text) override {
        if (!wanted() || on_path_ != path_.size()) {
            return true;
        }
        if (kind != json::Kind::null) {
            found_ = text;
        }
        return false;
    }

private:
    /// A value begins: is it the one that the path names at this depth?
    bool wanted() {
        if (depth_ == 0) {
            return true;
        }
        if (on_path_ != depth_) {
            return false;
        }
        if (in_array_.back()) {
            return std::to_string(index_++) == path_[on_path_ - 1];
        }
        return std::exchange(next_is_wanted_, false);
    }

    /// on_path_ counts the open containers that lead to the field.
    bool open(bool array) {
        if (wanted() && on_path_ == depth_) {
            if (on_path_ == path_.size()) {
                return false; // the field is no scalar
            }
            ++on_path_;
            index_ = 0;
            in_array_.push_back(array);
        }
        ++depth_;
        return true;
    }

    /// The container that should have held the field ends without it.
    bool close() { return depth_-- != on_path_; }

    const std::vector<std::string>& path_;
    std::size_t depth_ = 0;
    std::size_t on_path_ = 0;
    std::size_t index_ = 0;
    std::vector<bool> in_array_;
    bool next_is_wanted_ = false;
    std::optional<std::string> found_;
};

/// "~1" is a slash, "~0" a tilde.
std::optional<std::string> unescaped(std::string_view token) {
    std::string text;
    for (std::size_t i = 0; i < token.size(); ++i) {
        if (token[i] != '~') {
            text += token[i];
            continue;
        }
        ++i;
        if (i == token.size() || (token[i] != '0' && token[i] != '1')) {
            return std::nullopt;
        }
        text += token[i] == '0' ? '~' : '/';
    }
    return text;
}

} // namespace

std::optional<std::vector<std::string>> parse_pointer(std::string_view pointer) {
    if (pointer.size() < 2 || pointer.front() != '/') {
        return std::nullopt;
    }
    std::vector<std::string> path;
    while (!pointer.empty()) {
        pointer.remove_prefix(1);
        const auto end = std::min(pointer.find('/'), pointer.size());
        auto token = unescaped(pointer.substr(0, end));
        if (!token) {
            return std::nullopt;
        }
        path.push_back(std::move(*token));
        pointer.remove_prefix(end);
    }
    return path;
}

Field field_at(std::string_view text, const std::vector<std::string>& path) {
    Finder finder(path);
    const json::End end = json::read(text, finder);
    return {std::move(finder).found(), end == json::End::too_deep};
}

} // namespace outbox::partition
