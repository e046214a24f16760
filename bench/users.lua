-- For wrk: POST /users, a new address each time. Argument: the number of the round.
local round, n = 0, 0

function init(args)
    round = os.time() .. "." .. (args[1] or "0")
end

function request()
    n = n + 1
    return wrk.format("POST", nil, { ["Content-Type"] = "application/json" },
        string.format('{"email":"user%d.%s@example.org","name":"Ada Lovelace"}', n, round))
end
