#pragma once

#include <outbox/postgres/transaction.hpp>
#include <outbox/users/user.hpp>

#include <exception>
#include <optional>

namespace outbox::users {

/// Another user has this e-mail address.
class DuplicateEmail final : public std::exception {
public:
    [[nodiscard]] const char* what() const noexcept override {
        return "another user has this e-mail address";
    }
};

/// @throws DuplicateEmail, which has ended the transaction's usefulness; postgres::DatabaseError
User insert_user(postgres::Transaction& transaction, const NewUser& user);

/// Changes what `change` names and locks the row until the transaction ends.
/// @return nullopt when there is no such user. @throws as insert_user
std::optional<User> update_user(postgres::Transaction& transaction, const Uuid& id, const UserChange& change);

/// Locks the row until the transaction ends. @return nullopt when there is no such user.
/// @throws postgres::DatabaseError
std::optional<User> lock_user(postgres::Transaction& transaction, const Uuid& id);

/// @return nullopt when there is no such user. @throws postgres::DatabaseError
std::optional<User> find_user(postgres::Connection& connection, const Uuid& id, Deadline deadline);

} // namespace outbox::users
