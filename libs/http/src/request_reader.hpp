#pragma once

#include "body_budget.hpp"
#include "framing.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace outbox::http {

/// What one request may be made of, in bytes.
struct RequestLimits {
    std::size_t header = 16'384; ///< first line and fields; the target may take half of it
    std::size_t body = 1'048'576;
};

/// Makes one request out of bytes as they come. Does no I/O; its cost is linear in the bytes, in however
/// small pieces they come. Not thread-safe.
class RequestReader {
public:
    enum class Progress {
        nothing, ///< no byte of a request has come
        head,
        body, ///< the head is whole and accepted
        complete,
        refused ///< problem() says why; nothing that follows can be read
    };

    RequestReader(RequestLimits limits, std::shared_ptr<BodyBudget> bodies);
    RequestReader(const RequestReader&) = delete;
    RequestReader& operator=(const RequestReader&) = delete;
    ~RequestReader();

    /// Takes what it can; stops after the head, so that the caller may ask for the body.
    /// @param bytes  those that were not taken before, and more behind them.
    /// @return how many were taken.
    std::size_t take(std::string_view bytes);

    [[nodiscard]] Progress progress() const noexcept { return progress_; }
    /// The most bytes that have to be shown at once.
    [[nodiscard]] std::size_t window() const noexcept;
    /// @pre refused
    [[nodiscard]] const Problem& problem() const noexcept { return *problem_; }
    /// @pre body or complete
    [[nodiscard]] const Framing& framing() const noexcept { return framing_; }
    /// Of HTTP, times ten.
    [[nodiscard]] int version() const noexcept { return head_.version; }

    /// The request but for its deadline, and its body's share of the memory, which lives as long as the body.
    /// @pre complete
    Request take_request();
    BodyShare take_share() { return std::move(share_); }

private:
    class Parser; // Beast's

    void take_head(std::string_view bytes, std::size_t& taken);
    void read_head(std::string_view head);
    void take_body(std::string_view bytes, std::size_t& taken);
    bool keep(std::string_view piece);
    void refuse(Problem problem);

    const RequestLimits limits_;
    Progress progress_ = Progress::nothing;
    std::size_t searched_ = 0; ///< bytes of the head in which its end is not
    bool first_line_known_ = false;
    std::optional<Problem> problem_;
    Head head_;
    Framing framing_;
    std::string body_;
    BodyShare share_;
    std::unique_ptr<Parser> parser_;
};

} // namespace outbox::http
