// The row's own headers behind those of the format. They come from writers, so a header that would
// stand in for one of the format's, or pretend to be a dead letter's, is left out. Values that are
// objects or arrays are printed as PostgreSQL prints jsonb, so that a header does not depend on the
// client's JSON library.

#include "row_headers.hpp"

#include "json_text.hpp"
#include "outbox/messages/headers.hpp"

#include <outbox/core/json.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace outbox::messages {
namespace {

/// Hands on each member of one object; the text of objects and arrays in it as jsonb is printed.
class MemberReader final : public json::Visitor {
public:
    MemberReader(std::span<const std::string_view> taken, Arena& arena, std::vector<kafka::Header>& headers)
        : taken_(taken),
          arena_(arena),
          headers_(headers) {}

    bool open_object() override { return open('{'); }
    bool close_object() override { return close('}'); }
    bool open_array() override { return depth_ > 0 && open('['); }
    bool close_array() override { return close(']'); }

    bool name(std::string_view text) override {
        if (depth_ == 1) {
            name_ = text;
            return true;
        }
        begin_value();
        print_string(text);
        value_ += ": ";
        first_ = true;
        return true;
    }

    bool scalar(json::Kind kind, std::string_view text) override {
        if (depth_ == 0) {
            return kind == json::Kind::null;
        }
        if (depth_ == 1) {
            if (kind != json::Kind::null) {
                add(text);
            }
            return true;
        }
        begin_value();
        if (kind == json::Kind::string) {
            print_string(text);
        } else {
            value_ += text;
        }
        return true;
    }

private:
    bool open(char bracket) {
        if (depth_ > 0) {
            begin_value();
            value_ += bracket;
            first_ = true;
        }
        ++depth_;
        return true;
    }

    bool close(char bracket) {
        --depth_;
        if (depth_ > 0) {
            value_ += bracket;
            first_ = false;
        }
        if (depth_ == 1) {
            add(value_);
            value_.clear();
        }
        return true;
    }

    /// The comma between two values of one object or array.
    void begin_value() {
        if (!std::exchange(first_, false) && depth_ > 1) {
            value_ += ", ";
        }
    }

    /// A string in quotes, escaped as JSON asks for.
    void print_string(std::string_view text) {
        const std::size_t before = value_.size();
        value_.resize(before + json_text_size(text));
        write_json_text(value_.data() + before, text);
    }

    /// Adds the member as a header, unless the record has one of that name or it claims to be ours.
    void add(std::string_view text) {
        const bool taken = std::any_of(taken_.begin(), taken_.end(), [this](std::string_view name) {
            return headers::is_same(name, name_);
        });
        const bool claim = headers::is_same(name_, headers::error_class) && text == headers::error_class_here;
        if (!taken && !claim) {
            headers_.push_back({arena_.keep(name_), arena_.keep(text)});
        }
    }

    std::span<const std::string_view> taken_;
    Arena& arena_;
    std::vector<kafka::Header>& headers_;
    std::size_t depth_ = 0;
    bool first_ = true; ///< nothing stands before the next value in its object or array
    std::string name_;
    std::string value_; ///< of the object or array that is a member's value
};

} // namespace

std::string add_row_headers(std::string_view text, std::span<const std::string_view> taken, Arena& arena,
                            std::vector<kafka::Header>& headers) {
    if (text.empty()) {
        return {};
    }
    const std::size_t before = headers.size();
    MemberReader reader(taken, arena, headers);
    const json::End end = json::read(text, reader);
    if (end == json::End::whole) {
        return {};
    }
    headers.resize(before);
    return end == json::End::too_deep
               ? fmt::format("its headers hold objects or arrays {} deep and more", json::max_depth)
               : "its headers are no JSON object";
}

} // namespace outbox::messages
