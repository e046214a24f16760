// bank_transfer FROM TO CENTS: moves money between two accounts and tells of it, both or neither.
// The database is named by libpq's variables (PGHOST, PGDATABASE, ...).
#include <outbox/writer/pqxx.hpp>

#include <cstdint>
#include <exception>
#include <iostream>
#include <pqxx/pqxx>
#include <stdexcept>
#include <string>

namespace {

void transfer(pqxx::connection& connection, const std::string& from, const std::string& to,
              std::int64_t cents) {
    if (cents <= 0) {
        throw std::invalid_argument("CENTS must be above 0");
    }
    pqxx::work transaction(connection);

    // Always in the same order, so that two transfers cannot wait for each other. These locks also give the
    // events of one account the order of its balances.
    const auto accounts = transaction.exec_params(
        "SELECT id FROM accounts WHERE id IN ($1, $2) ORDER BY id FOR UPDATE", from, to);
    if (accounts.size() != 2) {
        throw std::invalid_argument("FROM and TO must be two accounts that exist");
    }
    transaction.exec_params("UPDATE accounts SET cents = cents - $2 WHERE id = $1", from, cents);
    transaction.exec_params("UPDATE accounts SET cents = cents + $2 WHERE id = $1", to, cents);

    // PostgreSQL builds the JSON: it knows how to quote a name.
    const auto data = transaction.exec_params(
        "SELECT json_build_object('from', $1::text, 'to', $2::text, 'cents', $3::bigint)", from, to, cents);
    outbox::add_event(transaction, outbox::Event("account", from, "money.transferred",
                                                 data[0][0].as<std::string>(), "bank-events"));
    transaction.commit();
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::cerr << "usage: bank_transfer FROM TO CENTS\n";
        return 2;
    }
    try {
        pqxx::connection connection;
        transfer(connection, argv[1], argv[2], std::stoll(argv[3]));
    } catch (const std::exception& error) {
        std::cerr << "bank_transfer: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
