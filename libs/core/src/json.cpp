// Reads JSON as text, by Boost.JSON's event parser. Numbers stay as written: going through a double
// would change 1e400 and 12345678901234567890, and what we publish must be what the user wrote. The
// parser hands out strings and numbers in pieces; Handler joins them and calls the visitor with whole
// ones.

#include "outbox/core/json.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>

#include <cstdint>

namespace outbox::json {
namespace {

namespace boost_json = boost::json;

/// Joins the pieces that the parser hands out. The names and signatures are Boost.JSON's; false ends the
/// reading.
class Handler {
public:
    using Error = boost_json::error_code;
    using Text = boost_json::string_view;

    static constexpr std::size_t max_object_size = SIZE_MAX;
    static constexpr std::size_t max_array_size = SIZE_MAX;
    static constexpr std::size_t max_key_size = SIZE_MAX;
    static constexpr std::size_t max_string_size = SIZE_MAX;

    explicit Handler(Visitor& visitor) : visitor_(visitor) {}

    [[nodiscard]] bool stopped() const { return stopped_; }

    static bool on_document_begin(Error&) { return true; }
    static bool on_document_end(Error&) { return true; }
    bool on_object_begin(Error& error) { return said(visitor_.open_object(), error); }
    bool on_object_end(std::size_t, Error& error) { return said(visitor_.close_object(), error); }
    bool on_array_begin(Error& error) { return said(visitor_.open_array(), error); }
    bool on_array_end(std::size_t, Error& error) { return said(visitor_.close_array(), error); }

    bool on_key_part(Text part, std::size_t, Error&) { return add(part); }
    bool on_key(Text last, std::size_t, Error& error) {
        add(last);
        const bool more = said(visitor_.name(pieces_), error);
        pieces_.clear();
        return more;
    }
    bool on_string_part(Text part, std::size_t, Error&) { return add(part); }
    bool on_string(Text last, std::size_t, Error& error) { return end_scalar(Kind::string, last, error); }
    bool on_number_part(Text part, Error&) { return add(part); }
    bool on_int64(std::int64_t, Text last, Error& error) { return end_scalar(Kind::number, last, error); }
    bool on_uint64(std::uint64_t, Text last, Error& error) { return end_scalar(Kind::number, last, error); }
    bool on_double(double, Text last, Error& error) { return end_scalar(Kind::number, last, error); }
    bool on_bool(bool value, Error& error) {
        return end_scalar(Kind::boolean, value ? "true" : "false", error);
    }
    bool on_null(Error& error) { return end_scalar(Kind::null, "null", error); }
    static bool on_comment_part(Text, Error&) { return true; }
    static bool on_comment(Text, Error&) { return true; }

private:
    bool add(Text part) {
        pieces_.append(part.data(), part.size());
        return true;
    }

    bool end_scalar(Kind kind, Text last, Error& error) {
        add(last);
        const bool more = said(visitor_.scalar(kind, pieces_), error);
        pieces_.clear();
        return more;
    }

    /// The parser wants an error for an end that it did not find itself.
    bool said(bool more, Error& error) {
        if (!more) {
            stopped_ = true;
            error = boost_json::make_error_code(boost_json::error::test_failure);
        }
        return more;
    }

    Visitor& visitor_;
    std::string pieces_;
    bool stopped_ = false;
};

/// The visitor of is_json(), who wants the end of the text and nothing on the way.
class Nobody final : public Visitor {
public:
    bool open_object() override { return true; }
    bool close_object() override { return true; }
    bool open_array() override { return true; }
    bool close_array() override { return true; }
    bool name(std::string_view) override { return true; }
    bool scalar(Kind, std::string_view) override { return true; }
};

} // namespace

End read(std::string_view text, Visitor& visitor) {
    boost_json::parse_options options;
    options.max_depth = max_depth;
    boost_json::basic_parser<Handler> parser(options, visitor);
    boost_json::error_code error;
    const std::size_t taken = parser.write_some(false, text.data(), text.size(), error);
    if (parser.handler().stopped()) {
        return End::stopped;
    }
    if (error == boost_json::error::too_deep) {
        return End::too_deep;
    }
    return error || taken != text.size() ? End::no_json : End::whole;
}

bool is_json(std::string_view text) {
    Nobody nobody;
    return read(text, nobody) == End::whole;
}

} // namespace outbox::json
