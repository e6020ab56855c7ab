-- Posts the given file, and prints the result as one line of JSON.
function init(arguments)
  local file = io.open(arguments[1], "rb")
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.body = file:read("*a")
  file:close()
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('\n{"requests": %d, "microseconds": %d, "failed": %d, "p99": %d}\n',
    summary.requests, summary.duration, failed, latency:percentile(99)))
end
