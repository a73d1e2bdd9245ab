-- Highlight groups, each a link that a colour scheme or the user may replace.
local M = {}

function M.define()
  local function link(name, to)
    vim.api.nvim_set_hl(0, name, { link = to, default = true })
  end
  local own = vim.fn.hlexists('ComplHint') == 1
  link('InfillGhost', own and 'ComplHint' or 'NonText')
  link('InfillHint', own and 'ComplHintMore' or 'MoreMsg')
  link('InfillDraft', 'Comment')
end

return M
