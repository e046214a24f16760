// Every public header of the writer, and a reference to each driver's function; needs no server.
#include <outbox/core/trace_context.hpp>
#include <outbox/core/uuid.hpp>
#include <outbox/writer/event.hpp>
#include <outbox/writer/insert.hpp>
#include <outbox/writer/libpq.hpp>
#include <outbox/writer/pqxx.hpp>

#include <iostream>
#include <span>

int main() {
    const outbox::Event event("account", "42", "money.transferred", R"({"cents": 5})", "bank-events");
    try {
        outbox::add_event(static_cast<pg_conn*>(nullptr), event);
    } catch (const outbox::WriteError& error) {
        std::cout << error.what() << '\n';
    }
    void (*const with_pqxx)(pqxx::dbtransaction&, const outbox::Event&) = outbox::add_event;
    const auto parameters = outbox::insert_parameters(std::span(&event, 1));
    std::cout << parameters[1] << ' ' << (with_pqxx != nullptr) << '\n';
}
