-- Text that is drawn and not there: a suggestion where Neovim cannot draw one itself, or a draft.
local M = {}

---@param name string
---@return integer
function M.namespace(name)
  return vim.api.nvim_create_namespace('infill.' .. name)
end

---@class infill.Drawn
---@field text string
---@field group string highlight
---@field over boolean it replaces what follows on the line
---@field hint? string

---@param namespace integer
---@param buf integer
---@param cursor [integer, integer] row and column
---@param drawn infill.Drawn
function M.draw(namespace, buf, cursor, drawn)
  local lines = {} ---@type [string, string][][]
  for line in vim.gsplit(drawn.text, '\n', { plain = true }) do
    table.insert(lines, { { line, drawn.group } })
  end
  if drawn.hint then
    table.insert(lines[#lines], { drawn.hint, 'InfillHint' })
  end
  vim.api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  vim.api.nvim_buf_set_extmark(buf, namespace, cursor[1], cursor[2], {
    virt_text = lines[1],
    virt_text_pos = drawn.over and 'overlay' or 'inline',
    virt_lines = #lines > 1 and { unpack(lines, 2) } or nil,
    hl_mode = 'combine',
  })
end

---@param namespace integer
---@param buf integer
function M.clear(namespace, buf)
  if vim.api.nvim_buf_is_valid(buf) then
    vim.api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  end
end

return M
