-- What every script tells at its end: one line that a program reads. Times in microseconds.
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    "doorward-load requests=%d duration=%d connect=%d read=%d write=%d status=%d timeout=%d p99=%d\n",
    summary.requests, summary.duration, errors.connect, errors.read, errors.write, errors.status, errors.timeout,
    latency:percentile(99)))
end

-- Gives each thread its number.
local threads = 0
function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end
