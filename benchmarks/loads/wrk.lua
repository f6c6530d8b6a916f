-- A cycle of requests for wrk, and its figures as one line of JSON.
--
-- wrk has one thread here, so the requests of all its connections together go round the cycle in order.
-- `/next:99 /reset:1` is /next, but for every hundredth request, and thereby never walks far up.
--
-- usage: wrk -t1 ... -s wrk.lua URL -- METHOD DEPTH PREFER PATH:COUNT ...
--   DEPTH requests are sent in one go; PREFER is the value of that header field, or - for none.

local turns, turn = {}, 0

function init(args)
  local headers = {}
  if args[3] ~= "-" then headers["Prefer"] = args[3] end
  local cycle = {}
  for i = 4, #args do
    local path, count = args[i]:match("^(.*):(%d+)$")
    for _ = 1, count do cycle[#cycle + 1] = wrk.format(args[1], path, headers) end
  end
  local depth = tonumber(args[2])
  for i = 0, #cycle - 1 do
    local together = {}
    for j = 0, depth - 1 do together[j + 1] = cycle[(i * depth + j) % #cycle + 1] end
    turns[i + 1] = table.concat(together)
  end
end

function request()
  turn = turn % #turns + 1
  return turns[turn]
end

function done(summary, latency, _)
  local errors = summary.errors
  print(string.format(
    '{"answers": %d, "errors": %d, "seconds": %f, "bytes": %d, "p50": %d, "p99": %d, "p999": %d}',
    summary.requests - errors.status,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, summary.bytes,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
