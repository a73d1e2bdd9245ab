-- Highlight groups, each a link that a colour scheme or the user may replace.
local M = {}

local GREY = 244 -- of 256 colours

--- Many schemes colour these for 24 bits only; without true colour a suggestion would look like text that is there.
---@param name string
local function colour(name)
  local look = vim.api.nvim_get_hl(0, { name = name, link = false })
  if next(look) and not look.ctermfg then
    vim.api.nvim_set_hl(0, name, vim.tbl_extend('force', look, { ctermfg = GREY }))
  end
end

function M.define()
  local function link(name, to)
    vim.api.nvim_set_hl(0, name, { link = to, default = true })
  end
  local own = vim.fn.hlexists('ComplHint') == 1
  link('InfillGhost', own and 'ComplHint' or 'NonText')
  link('InfillHint', own and 'ComplHintMore' or 'MoreMsg')
  link('InfillDraft', 'Comment')
  link('InfillNextEdit', 'DiagnosticHint')
  link('InfillNextEditAdded', 'DiffAdd')
  link('InfillNextEditRemoved', 'DiffDelete')
  colour(own and 'ComplHint' or 'InfillGhost')
  colour('InfillDraft')
end

return M
