#include "link.hpp"

#include <algorithm>
#include <utility>

namespace outbox::chaos {

Stray::Stray(Board& board, Fd server, std::unique_ptr<Protocol> protocol, Frame frame)
    : board_(board),
      server_(std::move(server)),
      protocol_(std::move(protocol)),
      request_(std::move(frame.request)),
      passage_(board.note_stray(request_)) {
    server_.out = std::move(frame.bytes);
}

void Stray::advance() {
    if (const auto answer = protocol_->next_answer(server_.in, request_)) {
        board_.note_answer(passage_, answer->error());
        cut();
    }
}

Link::Link(Board& board, Fd client, Fd server, std::unique_ptr<Protocol> protocol, Launch launch)
    : board_(board),
      client_(std::move(client)),
      server_(std::move(server)),
      protocol_(std::move(protocol)),
      launch_(std::move(launch)) {}

void Link::cut() {
    client_ = Channel(Fd());
    server_ = Channel(Fd());
    open_.clear();
}

std::optional<SteadyClock::time_point> Link::due() const {
    return stall_ ? stall_->until : std::nullopt;
}

void Link::advance() {
    if (black_hole_) {
        client_.in.clear();
        server_.in.clear();
    } else {
        take_requests();
        take_answers();
    }
    client_.flush();
    server_.flush();
    if ((!client_.open() && !outlives_client()) || (!server_.open() && !black_hole_)) {
        cut(); // one end is gone: the other has what was on its way
    }
}

/// What stands still is in the network, whatever becomes of the client that sent it.
bool Link::outlives_client() const {
    return stall_ || std::ranges::any_of(open_, [](const Exchange& exchange) {
               return exchange.fault && exchange.fault->kind == Fault::Kind::stall;
           });
}

bool Link::stalled() {
    if (!stall_) {
        return false;
    }
    const bool over = board_.lifted(stall_->rule) || (stall_->until && *stall_->until <= SteadyClock::now());
    if (over) {
        forward(std::exchange(stall_, std::nullopt)->exchange);
    }
    return !over;
}

void Link::take_requests() {
    while (!stalled() && !black_hole_ && server_.open()) {
        auto frame = protocol_->next_request(client_.in);
        if (!frame) {
            return;
        }
        meet(std::move(*frame));
    }
}

void Link::meet(Frame frame) {
    using Kind = Fault::Kind;
    const Passage& passage = board_.meet(frame.request);
    Exchange exchange{std::move(frame), passage.number, std::nullopt};
    if (!passage.rule) {
        forward(std::move(exchange));
        return;
    }
    const RuleId rule = *passage.rule;
    const Fault& fault = board_.fault_of(rule);
    exchange.fault = fault;
    switch (fault.kind) {
    case Kind::stall:
        stall_ = Stall{std::move(exchange), rule, std::nullopt};
        if (fault.span.count() > 0) {
            stall_->until = SteadyClock::now() + fault.span;
        }
        break;
    case Kind::hold_and_cut:
        board_.keep(rule, std::move(exchange.frame));
        cut();
        break;
    case Kind::hold:
        board_.keep(rule, std::move(exchange.frame));
        break;
    case Kind::cut_before:
        cut();
        break;
    case Kind::drop_request:
        break;
    case Kind::black_hole:
        black_hole_ = true;
        break;
    case Kind::copy:
        board_.keep(rule, exchange.frame);
        [[fallthrough]];
    case Kind::none:
    case Kind::duplicate:
    case Kind::cut_after:
    case Kind::drop_answer:
    case Kind::replace_error:
        forward(std::move(exchange));
        break;
    }
}

void Link::forward(Exchange exchange) {
    server_.out += exchange.frame.bytes;
    if (!exchange.fault || exchange.fault->kind != Fault::Kind::duplicate) {
        exchange.frame.bytes.clear();
    }
    if (exchange.frame.request.answered) {
        open_.push_back(std::move(exchange));
    }
}

bool Link::awaits_twin() {
    if (twin_ && twin_->done()) {
        twin_.reset();
        client_.out += std::exchange(deferred_, {});
    }
    return twin_ != nullptr;
}

void Link::take_answers() {
    while (!awaits_twin() && !open_.empty()) {
        auto answer = protocol_->next_answer(server_.in, open_.front().frame.request);
        if (!answer) {
            return;
        }
        hear(std::move(*answer));
    }
    if (open_.empty()) { // what nobody asked for
        client_.out += std::exchange(server_.in, {});
    }
}

void Link::hear(Answer answer) {
    using Kind = Fault::Kind;
    Exchange& exchange = open_.front();
    const auto fault = exchange.fault;
    if (answer.last) {
        board_.note_answer(exchange.passage, answer.error());
    }
    if (fault && fault->kind == Kind::cut_after && answer.last) {
        cut();
        return;
    }
    if (fault && fault->kind == Kind::replace_error) {
        answer.replace_error(fault->error);
    }
    if (fault && fault->kind == Kind::duplicate) {
        twin_ = launch_(std::move(exchange.frame));
        deferred_ = std::move(answer.bytes);
    } else if (!fault || (fault->kind != Kind::drop_answer && fault->kind != Kind::cut_after)) {
        client_.out += answer.bytes;
    }
    if (answer.last) {
        open_.pop_front();
    }
}

} // namespace outbox::chaos
