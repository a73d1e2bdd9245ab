-- One suggestion: read from an answer, what is left of it where the cursor is now, and its leading parts. Rows and
-- columns count bytes from 0. Knows no client, and of the buffer only its text.
local M = {}

---@class infill.Place where a request was made, and what the line was then
---@field row integer
---@field col integer
---@field line string

---@class infill.Suggestion
---@field row integer
---@field col integer where the text begins
---@field text string all that stands there once it is accepted
---@field replaced string what stood behind the cursor and gives way to the text
---@field before string the line up to `col`
---@field after string the line behind the cursor
---@field command? lsp.Command to be run when all is accepted

---@param item lsp.InlineCompletionItem
---@param place infill.Place
---@param encoding string
---@return infill.Suggestion? suggestion nil if it cannot be one at this place
function M.read(item, place, encoding)
  local text = type(item.insertText) == 'table' and item.insertText.value or item.insertText
  local first, last = place.col, place.col
  if item.range then
    local from, to = item.range.start, item.range['end']
    if from.line ~= place.row or to.line ~= place.row then
      return nil
    end
    first = vim.str_byteindex(place.line, encoding, from.character, false)
    last = vim.str_byteindex(place.line, encoding, to.character, false)
  end
  if type(text) ~= 'string' or first > place.col or last < place.col then
    return nil
  end
  return {
    row = place.row,
    col = first,
    text = text:gsub('\r\n?', '\n'),
    replaced = place.line:sub(place.col + 1, last),
    before = place.line:sub(1, first),
    after = place.line:sub(place.col + 1),
    command = item.command,
  }
end

--- What of it is not in the buffer yet; nil where the user typed something else, or is elsewhere.
---@param buf integer
---@param it infill.Suggestion
---@param cursor [integer, integer] row and column
---@return string?
function M.rest(buf, it, cursor)
  local row, col = cursor[1], cursor[2]
  if row < it.row or (row == it.row and col < it.col) then
    return nil
  end
  local lines = vim.api.nvim_buf_get_lines(buf, it.row, row + 1, false)
  if #lines ~= row - it.row + 1 or not vim.startswith(lines[1], it.before) then
    return nil
  end
  local last = lines[#lines]
  if last:sub(col + 1) ~= it.after then
    return nil
  end
  lines[#lines] = last:sub(1, col)
  local typed = table.concat(lines, '\n'):sub(it.col + 1)
  local rest = vim.startswith(it.text, typed) and it.text:sub(#typed + 1) or ''
  return (rest ~= '' and rest ~= it.replaced) and rest or nil
end

--- What is left of it at this cursor, as an answer would have it.
---@param buf integer
---@param it infill.Suggestion
---@param cursor [integer, integer]
---@param encoding string
---@return lsp.InlineCompletionItem?
function M.item(buf, it, cursor, encoding)
  local rest = M.rest(buf, it, cursor)
  if not rest then
    return nil
  end
  local row, col = cursor[1], cursor[2]
  local line = vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1]
  local function position(byte)
    return { line = row, character = vim.str_utfindex(line, encoding, byte, false) }
  end
  local range = { start = position(col), ['end'] = position(col + #it.replaced) }
  return { insertText = rest, range = range, command = it.command }
end

--- All of a rest, its line (a line's end first, if there is one), or its word: blanks, then letters or signs.
---@param rest string
---@param part 'all'|'word'|'line'
---@return string
function M.leading(rest, part)
  if part == 'line' then
    return rest:match('^\n?[^\n]*')
  elseif part == 'word' then
    local blanks, tail = rest:match('^(%s*)(.*)$')
    return blanks .. vim.fn.matchstr(tail, [[^\%(\k\+\|\%(\k\@!\S\)\+\)]])
  end
  return rest
end

return M
