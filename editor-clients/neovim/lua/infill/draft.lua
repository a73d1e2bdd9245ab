-- A suggestion while it resolves, drawn from `infill/draft`. It goes when its answer comes or the cursor moves.
local ghost = require('infill.ghost')
local place = require('infill.place')

local M = {}

local namespace = ghost.namespace('draft')

---@class infill.Draft
---@field uri string
---@field version integer
---@field position lsp.Position
---@field step integer
---@field texts string[] one for each hole, as far as it has resolved

---@param draft infill.Draft
---@param client_id integer
function M.received(draft, client_id)
  local client = vim.lsp.get_client_by_id(client_id)
  local buf = vim.api.nvim_get_current_buf()
  if not client or not place.inserting(buf) or draft.uri ~= vim.uri_from_bufnr(buf) then
    return
  elseif draft.version ~= vim.lsp.util.buf_versions[buf] or require('infill.suggest').shows(buf) then
    return
  elseif not vim.deep_equal(draft.position, place.range(nil, client.offset_encoding).start) then
    return
  end
  local text = draft.texts[1] or ''
  if text:find('%S') then
    ghost.draw(namespace, buf, place.cursor(), { text = text, group = 'InfillDraft', over = false })
  else
    M.clear(buf)
  end
end

---@param buf integer
function M.clear(buf)
  ghost.clear(namespace, buf)
end

return M
