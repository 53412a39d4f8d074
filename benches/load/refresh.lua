-- Refreshes, each time with a token that nobody used before: a request takes one from the thread's
-- pool, its answer puts the next one there.
-- Arguments: file of tokens, bytes of a token, first token, tokens a thread, path.
local pool, size = {}, 0
local path, width
local find, sub = string.find, string.sub

function init(arguments)
  width = tonumber(arguments[2])
  local first, count = tonumber(arguments[3]), tonumber(arguments[4])
  local file = assert(io.open(arguments[1], "rb"))
  assert(file:seek("set", (first + number * count) * width))
  for _ = 1, count do
    size = size + 1
    pool[size] = assert(file:read(width))
  end
  file:close()
  path = arguments[5]
end

function request()
  local token = assert(pool[size], "no token is left: answers came without one")
  pool[size] = nil
  size = size - 1
  local body = '{"refreshToken":"' .. token .. '"}'
  return "POST " .. path .. " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
    .. #body .. "\r\n\r\n" .. body
end

function response(status, headers, body)
  if status ~= 200 then io.stderr:write("an answer was ", status, ": ", body, "\n") end
  -- By its quotation mark: within an access token, four letters may be the same by chance. All tokens
  -- are of one length, so that nothing has to be matched letter by letter.
  local at = find(body, '"dwr_', 1, true)
  if at then
    size = size + 1
    pool[size] = sub(body, at + 1, at + width)
  end
end
