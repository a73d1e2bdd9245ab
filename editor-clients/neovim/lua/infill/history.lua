-- The instructions given before, newest first, kept between sessions.
local M = {}

local MOST = 50

---@return string
local function path()
  return vim.fs.joinpath(vim.fn.stdpath('state') --[[@as string]], 'infill', 'instructions.json')
end

---@return string[]
function M.all()
  local file = io.open(path())
  if not file then
    return {}
  end
  local read, list = pcall(vim.json.decode, file:read('*a'))
  file:close()
  return read and vim.islist(list) and vim.tbl_filter(function(each)
    return type(each) == 'string'
  end, list) or {}
end

---@param instruction string
function M.add(instruction)
  local list = { instruction }
  for _, each in ipairs(M.all()) do
    if each ~= instruction and #list < MOST then
      table.insert(list, each)
    end
  end
  vim.fn.mkdir(vim.fs.dirname(path()), 'p', tonumber('700', 8))
  local file = io.open(path(), 'w')
  if file then -- else they are only known to this session's command line
    file:write(vim.json.encode(list))
    file:close()
  end
end

--- For vim.ui.input and the command line: those that have the words typed so far.
---@param typed string
---@return string[]
function M.complete(typed)
  return vim.tbl_filter(function(each)
    return each:lower():find(typed:lower(), 1, true) ~= nil
  end, M.all())
end

return M
