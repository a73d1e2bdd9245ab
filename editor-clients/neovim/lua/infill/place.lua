-- Where the cursor is, for the buffer and for the server. Rows and columns count bytes from 0.
local M = {}

--- The cursor in the current window, as row and column.
---@return [integer, integer]
function M.cursor()
  local at = vim.api.nvim_win_get_cursor(0)
  return { at[1] - 1, at[2] }
end

---@return infill.Place
function M.here()
  local at = M.cursor()
  return { row = at[1], col = at[2], line = vim.api.nvim_get_current_line() }
end

--- Whether the user types into this buffer.
---@param buf integer
---@return boolean
function M.inserting(buf)
  return vim.api.nvim_get_current_buf() == buf and vim.startswith(vim.api.nvim_get_mode().mode, 'i')
end

--- The range of a command in LSP's terms: whole lines where some were given, else the cursor.
---@param call? { range: integer, line1: integer, line2: integer }
---@param encoding string
---@return lsp.Range
function M.range(call, encoding)
  if not call or call.range == 0 then
    local here = M.here()
    local position = { line = here.row, character = vim.str_utfindex(here.line, encoding, here.col, false) }
    return { start = position, ['end'] = position }
  end
  local last = vim.api.nvim_buf_get_lines(0, call.line2 - 1, call.line2, false)[1] or ''
  return {
    start = { line = call.line1 - 1, character = 0 },
    ['end'] = { line = call.line2 - 1, character = vim.str_utfindex(last, encoding, #last, false) },
  }
end

return M
