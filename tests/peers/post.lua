-- For wrk: sends one file again and again, and tells what came of it as one line of JSON.
-- Usage: wrk ... --script post.lua URL -- FILE

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "image/jpeg"
  wrk.body = file:read("*a")
  file:close()
  local post = wrk.format()
  request = function() return post end
end

function done(summary, latency, requests)
  local failed = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    failed.status, failed.connect + failed.read + failed.write + failed.timeout))
end
