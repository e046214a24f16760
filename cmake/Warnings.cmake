# Warnings for our own code; packages are included as system headers.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual)
option(OUTBOX_WERROR "Treat warnings as errors" OFF)
if(OUTBOX_WERROR)
  add_compile_options(-Werror)
endif()
