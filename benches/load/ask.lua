-- Asks with what was drawn beforehand: the requests differ in one text or in two, which stand in
-- the records of a tape in the order in which they are asked. Reading on costs the same whatever
-- was drawn from, so the client's cost is the same on both sides of every ratio.
-- Arguments: tape, bytes of a record, of its first text, first record, records a thread, template.
local sub = string.sub
local tape, width, split, head, middle, tail
local at, length

function init(arguments)
  width, split = tonumber(arguments[2]), tonumber(arguments[3])
  local first, count = tonumber(arguments[4]), tonumber(arguments[5])
  local file = assert(io.open(arguments[1], "rb"))
  assert(file:seek("set", (first + number * count) * width))
  tape = assert(file:read(count * width))
  file:close()
  file = assert(io.open(arguments[6], "rb"))
  head, middle, tail = file:read("*a"):match("^(%Z*)%z(%Z*)%z(%Z*)$")
  file:close()
  assert(tail, "the template has three parts")
  at, length = 1, #tape
  if split == width then
    request = function()
      local start = at
      at = at + width
      if at > length then at = 1 end
      return head .. sub(tape, start, start + width - 1) .. tail
    end
  else
    request = function()
      local start = at
      at = at + width
      if at > length then at = 1 end
      return head .. sub(tape, start, start + split - 1) .. middle .. sub(tape, start + split, start + width - 1) .. tail
    end
  end
end
