// PostgreSQL's frontend/backend protocol 3, without encryption.

#include "bytes.hpp"
#include "protocol.hpp"

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

namespace outbox::chaos {
namespace {

constexpr std::uint32_t ssl_request = 80877103;
constexpr std::uint32_t gss_request = 80877104;

/// One message of the client: a type, four bytes of length that count themselves, the content.
struct Message {
    char type = 0;
    std::string_view content;
    std::size_t size = 0;
};

std::optional<Message> message_at(std::string_view buffer, std::size_t at) {
    constexpr std::size_t head = 5;
    if (buffer.size() < at + head || buffer.size() < at + 1 + integer_at<4>(buffer, at + 1)) {
        return std::nullopt;
    }
    const auto size = 1 + static_cast<std::size_t>(integer_at<4>(buffer, at + 1));
    return Message{buffer[at], buffer.substr(at + head, size - head), size};
}

/// The n-th of several texts that end with a zero byte each.
std::string text_at(std::string_view content, int n) {
    for (; n > 0; --n) {
        content.remove_prefix(std::min(content.size(), content.find('\0') + 1));
    }
    return std::string(content.substr(0, content.find('\0')));
}

std::string first_word(const std::string& sql) {
    std::string word;
    for (const char c : sql) {
        if (std::isalpha(static_cast<unsigned char>(c)) == 0) {
            break;
        }
        word += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    return word;
}

std::string application_name(std::string_view startup) {
    for (int n = 0; !text_at(startup, n).empty(); n += 2) {
        if (text_at(startup, n) == "application_name") {
            return text_at(startup, n + 1);
        }
    }
    return {};
}

class PostgresProtocol final : public Protocol {
public:
    std::optional<Frame> next_request(std::string& buffer) override {
        auto frame = started_ ? next_messages(buffer) : next_startup(buffer);
        if (frame) {
            buffer.erase(0, frame->bytes.size());
            frame->request.client = client_;
        }
        return frame;
    }

    std::optional<Answer> next_answer(std::string& buffer, const Request& oldest) override {
        if (oldest.kind == "SSLRequest") {
            return encryption_refused(buffer);
        }
        const auto message = message_at(buffer, 0);
        if (!message) {
            return std::nullopt;
        }
        Answer answer{.bytes = buffer.substr(0, message->size), .last = message->type == 'Z'};
        buffer.erase(0, answer.bytes.size());
        return answer;
    }

    /// A statement means nothing on another connection, and an answer has no code that could be replaced.
    [[nodiscard]] bool allows(Fault::Kind fault) const noexcept override {
        using Kind = Fault::Kind;
        return fault != Kind::hold && fault != Kind::hold_and_cut && fault != Kind::copy &&
               fault != Kind::duplicate && fault != Kind::replace_error;
    }

private:
    static std::optional<Answer> encryption_refused(std::string& buffer) {
        if (buffer.empty()) {
            return std::nullopt;
        }
        if (buffer.front() != 'N') {
            throw std::runtime_error("the proxy cannot read an encrypted connection");
        }
        buffer.erase(0, 1);
        return Answer{.bytes = "N"};
    }

    /// A connection's first messages have no type.
    std::optional<Frame> next_startup(const std::string& buffer) {
        constexpr std::size_t head = 8;
        if (buffer.size() < head || buffer.size() < integer_at<4>(buffer, 0)) {
            return std::nullopt;
        }
        Frame frame;
        frame.bytes = buffer.substr(0, integer_at<4>(buffer, 0));
        const auto code = integer_at<4>(buffer, 4);
        if (code == ssl_request || code == gss_request) {
            frame.request.kind = "SSLRequest";
            return frame;
        }
        started_ = true;
        client_ = application_name(std::string_view(frame.bytes).substr(head));
        frame.request.kind = "Startup";
        return frame;
    }

    /// Everything up to the message that the server answers: a Query, or the Sync after Parse, Bind, Execute,
    /// of one statement or of several. Its kind is the last statement's.
    std::optional<Frame> next_messages(std::string_view buffer) {
        Frame frame;
        Request& request = frame.request;
        std::string sql;
        std::string text;
        std::vector<std::pair<std::string, std::string>> executed; // kind and text
        std::size_t at = 0;
        while (const auto message = message_at(buffer, at)) {
            at += message->size;
            switch (message->type) {
            case 'Q':
                sql = text_at(message->content, 0);
                executed.emplace_back(first_word(sql), sql);
                break;
            case 'P':
                remember(*message);
                [[fallthrough]];
            case 'B': {
                const auto name = text_at(message->content, message->type == 'P' ? 0 : 1);
                sql = statements_[name];
                text = name.empty() ? sql : name;
                continue;
            }
            case 'E':
                executed.emplace_back(first_word(sql), text);
                continue;
            case 'D':
            case 'C':
                continue;
            case 'S':
                if (executed.empty()) {
                    executed.emplace_back("PARSE", text);
                }
                break;
            default: // passwords, COPY's data, farewell
                request.answered = false;
            }
            frame.bytes = buffer.substr(0, at);
            for (const auto& [kind, statement] : executed) {
                follow_transaction(request, kind, statement);
            }
            return frame;
        }
        return std::nullopt;
    }

    void remember(const Message& parse) {
        statements_[text_at(parse.content, 0)] = text_at(parse.content, 1);
    }

    void follow_transaction(Request& request, const std::string& kind, const std::string& text) {
        request.kind = kind;
        request.text = text;
        if (kind == "BEGIN") {
            transaction_ = text;
        } else if (!transaction_.empty()) {
            request.text = transaction_ += "\n" + text;
        }
        if (kind == "COMMIT" || kind == "ROLLBACK") {
            transaction_.clear();
        }
    }

    bool started_ = false;
    std::string client_;
    std::map<std::string, std::string> statements_; ///< prepared: name -> SQL
    std::string transaction_;                       ///< its statements so far; empty outside of one
};

} // namespace

std::unique_ptr<Protocol> postgres_protocol() {
    return std::make_unique<PostgresProtocol>();
}

} // namespace outbox::chaos
