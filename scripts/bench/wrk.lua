-- Sends the traffic of a generated file: see traffic.ts for what stands in it.

local sent = 0
local traffic, last

function init(args)
  traffic = dofile(args[1])
  last = traffic.from - 1
  math.randomseed(traffic.seed)
  for name, value in pairs(traffic.headers) do
    wrk.headers[name] = value
  end
  if not traffic.path:find("{", 1, true) and traffic.body == nil then
    traffic.fixed = wrk.format(traffic.method, traffic.path)
  end
end

local function fill(text)
  if text:find("{nx?}") then
    last = last + 1
  end
  local drawn = math.random(1, traffic.pool)
  local values = {
    n = string.format("%d", last),
    nx = string.format("%012x", last),
    r = string.format("%d", drawn),
    rx = string.format("%012x", drawn),
  }
  return (text:gsub("{(%a+)}", values))
end

function request()
  if traffic.fixed then
    return traffic.fixed
  end
  if traffic.body == nil then
    return wrk.format(traffic.method, fill(traffic.path))
  end
  if traffic.item then
    local items = {}
    for index = 1, traffic["repeat"] do
      items[index] = fill(traffic.item)
    end
    return wrk.format(traffic.method, traffic.path, nil, traffic.head .. table.concat(items, ",") .. traffic.tail)
  end
  local filled = fill(traffic.path .. "\1" .. traffic.body)
  local cut = filled:find("\1", 1, true)
  return wrk.format(traffic.method, filled:sub(1, cut - 1), nil, filled:sub(cut + 1))
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"seconds":%.6f,"p50":%.3f,"p99":%.3f,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
