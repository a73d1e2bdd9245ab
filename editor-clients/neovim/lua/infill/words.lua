-- What of a text is taken away and what is put there, word by word. Knows no buffer.
local M = {}

---@class infill.Change
---@field first integer bytes before it in the old text
---@field last integer bytes of the old text up to its end; the same where something is only added
---@field text string what comes in its place

local diff = vim.text and vim.text.diff or vim.diff

--- Words, blanks, and any other character by itself.
---@param text string
---@return string[]
local function split(text)
  local words, at = {}, 1
  while at <= #text do
    local word = text:match('^[%w_\128-\255]+', at) or text:match('^[ \t]+', at) or text:sub(at, at)
    table.insert(words, word)
    at = at + #word
  end
  return words
end

--- One word a line, which is what `diff` compares.
---@param words string[]
---@return string
local function lines(words)
  return table.concat(vim.tbl_map(function(word)
    return (word == '\n' and '\1' or word) .. '\n'
  end, words))
end

---@param before string
---@param after string
---@return infill.Change[]
function M.changes(before, after)
  local old, new = split(before), split(after)
  local hunks = diff(lines(old), lines(new), { result_type = 'indices' }) --[[@as integer[][] ]]
  return vim.tbl_map(function(hunk)
    local from, count, to, added = hunk[1], hunk[2], hunk[3], hunk[4]
    local start = count == 0 and from or from - 1 -- words before the change
    local first = #table.concat(old, '', 1, start)
    local text = added == 0 and '' or table.concat(new, '', to, to + added - 1)
    return { first = first, last = first + #table.concat(old, '', start + 1, start + count), text = text }
  end, hunks)
end

return M
