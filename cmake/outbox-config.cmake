# find_package(outbox CONFIG) -> outbox::writer. For <outbox/writer/pqxx.hpp> link libpqxx besides.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(PostgreSQL)
include("${CMAKE_CURRENT_LIST_DIR}/outbox-targets.cmake")
